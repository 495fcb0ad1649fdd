-- Usage that is billed as it comes: what was billed of it, and up to what events were seen.

-- What each bill billed of a part of a period's usage; a period's rows sum to what it costs.
CREATE TABLE usage_fees (
    account_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    -- Which of the subscription's bills: each is made once.
    bill_index integer NOT NULL CHECK (bill_index >= 0),
    position integer NOT NULL CHECK (position >= 1),
    price_code text NOT NULL,
    -- What tells the lines of a price apart, as JSON: kind, filter, group.
    part text NOT NULL,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    quantity numeric NOT NULL,
    amount_minor bigint NOT NULL,
    currency char(3) NOT NULL CHECK (currency = upper(currency)),
    -- Whether it is a line of an invoice; else the period's invoice bills the price as a whole.
    is_invoiced boolean NOT NULL,
    billed_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, subscription_id, bill_index, position),
    FOREIGN KEY (account_id, subscription_id) REFERENCES subscriptions
);
CREATE INDEX usage_fees_by_period ON usage_fees (account_id, subscription_id, period_start);
CALL protect_tenant_table('usage_fees');
CALL make_append_only('usage_fees');
REVOKE INSERT ON usage_fees FROM tallystick_account;

-- Up to which snapshot of the server events were looked at; of accounts on no test clock under the
-- zero id.
CREATE TABLE usage_advance_marks (
    clock_id uuid PRIMARY KEY,
    snapshot text
);
GRANT SELECT, INSERT, UPDATE ON usage_advance_marks TO tallystick_writer;
GRANT SELECT ON usage_advance_marks TO tallystick_staff;
