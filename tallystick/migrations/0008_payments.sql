CREATE TABLE gateway_customers (
    account_id uuid NOT NULL REFERENCES accounts,
    gateway text NOT NULL,
    token text NOT NULL,
    created_at timestamptz NOT NULL,
    -- When it was deleted at the gateway; late news of it are still the account's.
    removed_at timestamptz,
    PRIMARY KEY (account_id, gateway, token)
);
CREATE UNIQUE INDEX gateway_customers_live ON gateway_customers (account_id, gateway)
    WHERE removed_at IS NULL;
-- A gateway's customer is one account's; its events find the account by this.
CREATE UNIQUE INDEX gateway_customers_by_token ON gateway_customers (gateway, token);
CALL protect_tenant_table('gateway_customers');
CALL audit_table('gateway_customers');

CREATE TABLE payment_methods (
    account_id uuid NOT NULL REFERENCES accounts,
    payment_method_id uuid NOT NULL,
    gateway text NOT NULL,
    token text NOT NULL,
    type text NOT NULL,
    card jsonb,
    bank jsonb,
    -- What the account itself noted of a method that no gateway keeps; never a card number.
    label text,
    details jsonb,
    priority integer NOT NULL CHECK (priority >= 1),
    is_default boolean NOT NULL,
    status text NOT NULL CHECK (status IN ('active', 'removed')),
    created_at timestamptz NOT NULL,
    -- When something is to be told of a card that expires; NULL: nothing more.
    watch_at timestamptz,
    PRIMARY KEY (account_id, payment_method_id),
    UNIQUE (account_id, gateway, token)
);
CREATE INDEX payment_methods_watched ON payment_methods (watch_at)
    WHERE watch_at IS NOT NULL AND status = 'active';
CREATE UNIQUE INDEX payment_methods_default ON payment_methods (account_id)
    WHERE is_default AND status = 'active';
-- A mandate names its method alone; whose that is stands here.
CREATE INDEX payment_methods_by_token ON payment_methods (gateway, token) WHERE status = 'active';
CALL protect_tenant_table('payment_methods');
CALL audit_table('payment_methods');

-- The wish to collect an amount.
CREATE TABLE payments (
    account_id uuid NOT NULL REFERENCES accounts,
    payment_id uuid NOT NULL,
    request_key text NOT NULL,
    gateway text NOT NULL,
    payment_method_id uuid,
    currency char(3) NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    -- What came, which may be less or more than was wished for; 0 before that.
    received_minor bigint NOT NULL DEFAULT 0 CHECK (received_minor >= 0),
    -- What refunds gave back of it, or may have: never more than came.
    refunded_minor bigint NOT NULL DEFAULT 0 CHECK (refunded_minor BETWEEN 0 AND received_minor),
    status text NOT NULL CHECK (status IN ('pending', 'pending_approval', 'processing', 'succeeded',
        'failed', 'cancelled', 'refunded', 'partially_refunded', 'disputed')),
    -- The gateway's name for the money that came, or what the customer wrote on a transfer.
    reference text,
    -- Why it failed, in our codes; NULL unless failed.
    failure_code text,
    note text,
    next_attempt_at timestamptz,
    created_at timestamptz NOT NULL,
    settled_at timestamptz,
    -- Of a payment by hand: which way of paying, the payer's proof, and the reference without
    -- spaces and capitals.
    method_code text,
    proof_note text,
    reference_key text,
    PRIMARY KEY (account_id, payment_id),
    UNIQUE (account_id, request_key),
    FOREIGN KEY (account_id, payment_method_id) REFERENCES payment_methods
);
-- One transfer told of twice would be booked twice.
CREATE UNIQUE INDEX payments_reference ON payments (account_id, reference_key)
    WHERE reference_key IS NOT NULL AND status NOT IN ('failed', 'cancelled');
CREATE INDEX payments_due ON payments (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX payments_by_reference ON payments (gateway, reference);
CREATE INDEX payments_by_time ON payments (account_id, created_at DESC, payment_id DESC);
CALL protect_tenant_table('payments');
CALL audit_table('payments');
CREATE TRIGGER wakes_worker AFTER INSERT ON payments
    FOR EACH STATEMENT EXECUTE FUNCTION wake_worker();

-- What a payment is to settle, and what of it each invoice got.
CREATE TABLE payment_invoices (
    account_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    -- The order in which they get their parts of what comes: the oldest due is 1.
    place integer NOT NULL CHECK (place >= 1),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    paid_minor bigint NOT NULL DEFAULT 0 CHECK (paid_minor >= 0),
    -- The payment may still bring money; follows its status.
    live boolean NOT NULL,
    PRIMARY KEY (account_id, payment_id, invoice_id),
    FOREIGN KEY (account_id, payment_id) REFERENCES payments,
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices
);
-- Two live payments of one invoice would collect it twice.
CREATE UNIQUE INDEX payment_invoices_live ON payment_invoices (account_id, invoice_id) WHERE live;
CREATE INDEX payment_invoices_by_invoice ON payment_invoices (account_id, invoice_id);
CALL protect_tenant_table('payment_invoices');
CALL audit_table('payment_invoices');

CREATE FUNCTION follow_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE payment_invoices
    SET live = NEW.status IN ('pending', 'pending_approval', 'processing')
    WHERE account_id = NEW.account_id AND payment_id = NEW.payment_id
        AND live <> (NEW.status IN ('pending', 'pending_approval', 'processing'));
    RETURN NULL;
END $$;
CREATE TRIGGER keeps_parts_live AFTER UPDATE OF status ON payments
    FOR EACH ROW EXECUTE FUNCTION follow_payment();

-- Charges of one amount that a request asked for: each once, and one that is refused owes nothing.
CREATE TABLE one_time_charges (
    account_id uuid NOT NULL,
    request_key text NOT NULL CHECK (length(request_key) BETWEEN 1 AND 300),
    invoice_id uuid NOT NULL,
    -- NULL: what the account had with us paid all of it.
    payment_id uuid,
    created_at timestamptz NOT NULL,
    -- When to look whether it was abandoned (wall time); NULL: nothing is to be ended any more.
    end_after timestamptz,
    PRIMARY KEY (account_id, request_key),
    UNIQUE (account_id, invoice_id),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices,
    FOREIGN KEY (account_id, payment_id) REFERENCES payments
);
CREATE INDEX one_time_charges_by_payment ON one_time_charges (account_id, payment_id);
CALL protect_tenant_table('one_time_charges');
CREATE INDEX one_time_charges_to_end ON one_time_charges (end_after)
    WHERE end_after IS NOT NULL;

-- One try at one gateway; written before the call. Its instants are wall time, as the gateway's
-- are; those of a payment are the account's, which may sit on a test clock.
CREATE TABLE payment_attempts (
    account_id uuid NOT NULL,
    payment_attempt_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    number integer NOT NULL CHECK (number >= 1),
    idempotency_key text NOT NULL,
    gateway text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN
        ('created', 'succeeded', 'declined', 'needs_action', 'pending', 'unknown')),
    gateway_reference text,
    code text,
    -- A hard decline: the same method must not be tried again.
    hard boolean NOT NULL DEFAULT false,
    resolve_after timestamptz,
    resolve_count integer NOT NULL DEFAULT 0,
    -- When the sweep asks, if nobody knows by then what became of it.
    sweep_after timestamptz NOT NULL DEFAULT now() + interval '1 hour',
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (account_id, payment_attempt_id),
    UNIQUE (account_id, payment_id, number),
    UNIQUE (account_id, idempotency_key),
    FOREIGN KEY (account_id, payment_id) REFERENCES payments
);
CREATE UNIQUE INDEX payment_attempts_live ON payment_attempts (account_id, payment_id)
    WHERE outcome IN ('created', 'needs_action', 'pending', 'unknown');
CREATE INDEX payment_attempts_due ON payment_attempts (resolve_after)
    WHERE outcome IN ('created', 'needs_action', 'pending', 'unknown');
CREATE INDEX payment_attempts_to_sweep ON payment_attempts (sweep_after)
    WHERE outcome IN ('created', 'unknown')
        OR (resolve_after IS NULL AND outcome IN ('needs_action', 'pending'));
CREATE INDEX payment_attempts_by_reference ON payment_attempts (gateway, gateway_reference);
CALL protect_tenant_table('payment_attempts');
CALL audit_table('payment_attempts');

-- What gateways told of the subscriptions that they renew by themselves: each event counts once.
CREATE TABLE gateway_renewals (
    account_id uuid NOT NULL,
    gateway text NOT NULL,
    event_id text NOT NULL CHECK (length(event_id) BETWEEN 1 AND 255),
    subscription_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('renewed', 'failed', 'ended')),
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    -- NULL: nothing was to be invoiced.
    invoice_id uuid,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, gateway, event_id),
    FOREIGN KEY (account_id, subscription_id) REFERENCES subscriptions,
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices
);
CREATE INDEX gateway_renewals_by_period
    ON gateway_renewals (account_id, subscription_id, period_start);
CALL protect_tenant_table('gateway_renewals');
CALL make_append_only('gateway_renewals');

-- A page of a gateway that an account was sent to, to pay or to save a method; written before the
-- gateway is asked, so that what it brings is never anybody's. Its instants are wall time.
CREATE TABLE checkouts (
    account_id uuid NOT NULL REFERENCES accounts,
    checkout_id uuid NOT NULL,
    request_key text NOT NULL,
    gateway text NOT NULL,
    mode text NOT NULL CHECK (mode IN ('payment', 'setup', 'subscription')),
    status text NOT NULL CHECK (status IN ('created', 'open', 'complete', 'expired')),
    -- The gateway's name of the page; NULL until it has answered.
    reference text,
    description text NOT NULL,
    currency char(3) NOT NULL,
    -- NULL: no money is taken, a method is saved.
    amount_minor bigint CHECK (amount_minor > 0),
    payment_id uuid,
    payment_attempt_id uuid,
    subscription_id uuid,
    success_url text NOT NULL,
    cancel_url text NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, checkout_id),
    UNIQUE (account_id, request_key),
    UNIQUE (account_id, payment_attempt_id),
    FOREIGN KEY (account_id, payment_id) REFERENCES payments,
    FOREIGN KEY (account_id, payment_attempt_id) REFERENCES payment_attempts,
    FOREIGN KEY (account_id, subscription_id) REFERENCES subscriptions,
    CHECK ((payment_id IS NULL) = (amount_minor IS NULL)),
    CHECK ((payment_id IS NULL) = (payment_attempt_id IS NULL))
);
CALL protect_tenant_table('checkouts');
CALL audit_table('checkouts');
