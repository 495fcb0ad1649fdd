-- Usage on its way to a Lago server: how far it was read, what waits, what Lago would not take, and
-- where its totals are not ours.

-- One row: who sends at the moment, when to try again, how it went. Instants are wall time.
CREATE TABLE lago_sync (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- Sending takes a lease, for no transaction is open meanwhile; the number names it.
    lease_no bigint NOT NULL DEFAULT 0,
    lease_until timestamptz NOT NULL DEFAULT 'epoch',
    next_try_at timestamptz NOT NULL DEFAULT 'epoch',
    failure_count integer NOT NULL DEFAULT 0,
    sent_count bigint NOT NULL DEFAULT 0,
    last_sent_at timestamptz,
    last_error text,
    last_error_at timestamptz
);
INSERT INTO lago_sync DEFAULT VALUES;
GRANT SELECT, UPDATE ON lago_sync TO tallystick_writer;
GRANT SELECT ON lago_sync TO tallystick_staff;

-- All events up to and with this one were read for the meter, in the order of transactions.
CREATE TABLE lago_marks (
    meter_id uuid PRIMARY KEY REFERENCES meters,
    after_tx xid8 NOT NULL,
    after_account uuid NOT NULL,
    after_key uuid NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON lago_marks TO tallystick_writer;
GRANT SELECT ON lago_marks TO tallystick_staff;

-- What is sent, word for word: whatever changes meanwhile, it is sent again as it was.
CREATE TABLE lago_outbox (
    account_id uuid NOT NULL,
    transaction_id text NOT NULL,
    outbox_id bigint GENERATED ALWAYS AS IDENTITY,
    event text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, transaction_id)
);
CREATE INDEX lago_outbox_in_order ON lago_outbox (outbox_id);
CALL protect_tenant_table('lago_outbox');
REVOKE INSERT, UPDATE, DELETE ON lago_outbox FROM tallystick_account;
GRANT USAGE ON SEQUENCE lago_outbox_outbox_id_seq TO tallystick_writer;

-- What Lago would not take, for staff to look at and to send again.
CREATE TABLE lago_refused (
    account_id uuid NOT NULL,
    transaction_id text NOT NULL,
    event text NOT NULL,
    reason text NOT NULL,
    refused_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, transaction_id)
);
CREATE INDEX lago_refused_in_order ON lago_refused (refused_at);
CALL protect_tenant_table('lago_refused');
REVOKE INSERT, UPDATE, DELETE ON lago_refused FROM tallystick_account;

-- Accounts whose usage went to Lago: when to compare next, and why it could not be done last time.
CREATE TABLE lago_comparisons (
    account_id uuid NOT NULL PRIMARY KEY,
    compare_after timestamptz NOT NULL,
    compared_at timestamptz,
    problem text
);
CREATE INDEX lago_comparisons_due ON lago_comparisons (compare_after);
CALL protect_tenant_table('lago_comparisons');
REVOKE INSERT, UPDATE, DELETE ON lago_comparisons FROM tallystick_account;

-- A meter's period that Lago counts otherwise; `theirs` NULL: no charge of its plan counts it.
CREATE TABLE lago_differences (
    account_id uuid NOT NULL,
    meter_id uuid NOT NULL REFERENCES meters,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    ours numeric NOT NULL,
    theirs numeric,
    found_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    gone_at timestamptz,
    PRIMARY KEY (account_id, meter_id, period_start)
);
CREATE INDEX lago_differences_in_order ON lago_differences (found_at);
CALL protect_tenant_table('lago_differences');
REVOKE INSERT, UPDATE, DELETE ON lago_differences FROM tallystick_account;
