-- Charges at CCBill under our keys, for it knows none: what was sent, and when nobody knows what
-- became of it, which charges its token had before.
CREATE TABLE ccbill_charges (
    account_id uuid NOT NULL REFERENCES accounts,
    idempotency_key text NOT NULL,
    payment_token_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'claimed', 'sent', 'done')),
    -- What is sent: price, currency, periods, our ids. Never what the payer's bank said.
    request jsonb NOT NULL,
    authenticated boolean NOT NULL,
    before_ids text[],
    sent_at timestamptz,
    outcome jsonb,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, idempotency_key),
    CHECK ((state = 'done') = (outcome IS NOT NULL)),
    CHECK (state <> 'sent' OR (before_ids IS NOT NULL AND sent_at IS NOT NULL))
);
-- One live charge of a token at a time: only so the one that is new in its list is ours.
CREATE UNIQUE INDEX ccbill_charges_live ON ccbill_charges (account_id, payment_token_id)
    WHERE state IN ('claimed', 'sent');
CALL protect_tenant_table('ccbill_charges');

-- DataLink answers once an hour (ccbill.com/doc/data-link-extract-system-user-guide).
CREATE TABLE ccbill_extracts (
    username text PRIMARY KEY,
    asked_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON ccbill_extracts TO tallystick_writer;
GRANT SELECT ON ccbill_extracts TO tallystick_staff;

-- Refunds at CCBill under our keys: what its counts said before one was sent.
CREATE TABLE ccbill_refunds (
    account_id uuid NOT NULL REFERENCES accounts,
    idempotency_key text NOT NULL,
    refund_id uuid NOT NULL,
    subscription_id text NOT NULL,
    charge_reference text NOT NULL,
    currency char(3) NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    reversed_before integer NOT NULL,
    sent_at timestamptz NOT NULL,
    outcome jsonb,
    -- The webhook that told of it: CCBill names none of our refunds, so each takes one.
    told_by text,
    PRIMARY KEY (account_id, idempotency_key)
);
-- One at a time of a subscription: only so a higher count is ours.
CREATE UNIQUE INDEX ccbill_refunds_live ON ccbill_refunds (account_id, subscription_id)
    WHERE outcome IS NULL;
CALL protect_tenant_table('ccbill_refunds');

-- What a gateway shall renew by itself once the first payment of a subscription has come, and since
-- then its name for it and what it says comes next.
CREATE TABLE gateway_schedules (
    account_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    gateway text NOT NULL,
    initial_days integer NOT NULL CHECK (initial_days > 0),
    currency char(3) NOT NULL,
    recurring_minor bigint NOT NULL CHECK (recurring_minor > 0),
    period_days integer NOT NULL CHECK (period_days > 0),
    -- NULL: until cancelled.
    rebills integer CHECK (rebills > 0),
    reference text,
    next_renewal_at timestamptz,
    -- When the gateway tries a failed renewal again.
    retry_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, subscription_id),
    FOREIGN KEY (account_id, subscription_id) REFERENCES subscriptions
);
CALL protect_tenant_table('gateway_schedules');
CALL audit_table('gateway_schedules');
