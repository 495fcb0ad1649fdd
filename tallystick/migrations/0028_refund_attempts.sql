-- One refund of a payment at its gateway: asked for by us, written before the call, or made at the
-- gateway itself and told by it (no key). Its instants are wall time, as the gateway's.
CREATE TABLE refund_attempts (
    account_id uuid NOT NULL,
    refund_attempt_id uuid NOT NULL,
    refund_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    number integer NOT NULL CHECK (number >= 1),
    idempotency_key text,
    gateway text NOT NULL,
    -- The gateway's name for the charge that it is of.
    charge_reference text NOT NULL,
    currency char(3) NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    outcome text NOT NULL CHECK (outcome IN
        ('created', 'succeeded', 'declined', 'pending', 'unknown')),
    gateway_reference text,
    code text,
    resolve_after timestamptz,
    resolve_count integer NOT NULL DEFAULT 0,
    -- When the sweep asks, if nobody knows by then what became of it.
    sweep_after timestamptz NOT NULL DEFAULT now() + interval '1 hour',
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (account_id, refund_attempt_id),
    UNIQUE (account_id, refund_id, number),
    UNIQUE (account_id, idempotency_key),
    FOREIGN KEY (account_id, refund_id) REFERENCES refunds,
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices,
    FOREIGN KEY (account_id, payment_id) REFERENCES payments
);
-- Two live refunds of one payment for one wish would pay it twice.
CREATE UNIQUE INDEX refund_attempts_live ON refund_attempts (account_id, refund_id, payment_id)
    WHERE outcome IN ('created', 'pending', 'unknown');
CREATE INDEX refund_attempts_due ON refund_attempts (resolve_after)
    WHERE outcome IN ('created', 'pending', 'unknown');
CREATE INDEX refund_attempts_to_sweep ON refund_attempts (sweep_after)
    WHERE outcome IN ('created', 'unknown')
        OR (resolve_after IS NULL AND outcome IN ('needs_action', 'pending'));
CREATE INDEX refund_attempts_of_payment ON refund_attempts (account_id, payment_id, invoice_id);
CREATE INDEX refund_attempts_by_reference ON refund_attempts (gateway, gateway_reference);
CALL protect_tenant_table('refund_attempts');
CALL audit_table('refund_attempts');
