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
    subscription_id text NOT NULL,
    reversed_before integer NOT NULL,
    sent_at timestamptz NOT NULL,
    outcome jsonb,
    PRIMARY KEY (account_id, idempotency_key)
);
-- One at a time of a subscription: only so a higher count is ours.
CREATE UNIQUE INDEX ccbill_refunds_live ON ccbill_refunds (account_id, subscription_id)
    WHERE outcome IS NULL;
CALL protect_tenant_table('ccbill_refunds');
