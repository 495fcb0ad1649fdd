-- What-ifs: what a version of a plan would have billed for usage that is stored.

-- One for each question. The worker goes through the accounts in their order, in batches;
-- `after_account_id` is the last one that is done.
CREATE TABLE what_ifs (
    what_if_id uuid PRIMARY KEY,
    -- The version (an id, or the whole as data), whose subscriptions, and the span of periods.
    question jsonb NOT NULL,
    status text NOT NULL CHECK (status IN ('running', 'done', 'failed')),
    account_count bigint NOT NULL,
    done_count bigint NOT NULL DEFAULT 0,
    after_account_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    -- How often what could not be compared, by the code of the reason.
    skipped jsonb NOT NULL DEFAULT '{}',
    -- Totals and distribution by currency, as soon as it is done.
    result jsonb,
    error text,
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    CHECK ((status = 'running') = (finished_at IS NULL)),
    CHECK ((status = 'done') = (result IS NOT NULL)),
    CHECK ((status = 'failed') = (error IS NOT NULL))
);
CREATE INDEX what_ifs_running ON what_ifs (created_at) WHERE status = 'running';
CREATE INDEX what_ifs_newest ON what_ifs (created_at DESC, what_if_id DESC);
GRANT SELECT, INSERT, UPDATE, DELETE ON what_ifs TO tallystick_writer;
GRANT SELECT ON what_ifs TO tallystick_staff;
CREATE TRIGGER wakes_worker AFTER INSERT ON what_ifs
    FOR EACH STATEMENT EXECUTE FUNCTION wake_worker();

-- What one period of a subscription costs now and would cost, line by line.
CREATE TABLE what_if_rows (
    account_id uuid NOT NULL,
    what_if_id uuid NOT NULL REFERENCES what_ifs ON DELETE CASCADE,
    subscription_id uuid NOT NULL,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    plan_version_id uuid NOT NULL,
    currency char(3) NOT NULL,
    now_minor bigint NOT NULL,
    then_minor bigint NOT NULL,
    lines jsonb NOT NULL,
    PRIMARY KEY (account_id, what_if_id, subscription_id, period_start)
);
CREATE INDEX what_if_rows_newest
    ON what_if_rows (what_if_id, period_start DESC, subscription_id DESC);
CALL protect_tenant_table('what_if_rows');
REVOKE INSERT, UPDATE, DELETE ON what_if_rows FROM tallystick_account;
