-- Alerts and budgets: what an account wants to be told of, what it was told, and whom to look at.

-- A rule of an account: thresholds of a meter's quantity, of the running period's spend, of credits.
CREATE TABLE usage_alert_rules (
    account_id uuid NOT NULL REFERENCES accounts,
    alert_rule_id uuid NOT NULL,
    name text NOT NULL,
    watch text NOT NULL CHECK (watch IN ('meter', 'spend', 'credits')),
    meter_code text REFERENCES meters (code),
    unit text NOT NULL CHECK (unit IN ('percent', 'quantity', 'cents', 'credits_left')),
    thresholds numeric[] NOT NULL CHECK (cardinality(thresholds) BETWEEN 1 AND 20),
    is_active boolean NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, alert_rule_id),
    CHECK ((watch = 'meter') = (meter_code IS NOT NULL))
);
CALL protect_tenant_table('usage_alert_rules');
CALL audit_table('usage_alert_rules');

-- An amount for each billing period: minor units of spend, or units of a meter.
CREATE TABLE usage_budgets (
    account_id uuid NOT NULL REFERENCES accounts,
    budget_id uuid NOT NULL,
    name text NOT NULL,
    watch text NOT NULL CHECK (watch IN ('meter', 'spend')),
    meter_code text REFERENCES meters (code),
    amount numeric NOT NULL CHECK (amount > 0),
    actual_percents numeric[] NOT NULL CHECK (cardinality(actual_percents) <= 20),
    forecast_percents numeric[] NOT NULL CHECK (cardinality(forecast_percents) <= 20),
    is_active boolean NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, budget_id),
    CHECK ((watch = 'meter') = (meter_code IS NOT NULL))
);
CALL protect_tenant_table('usage_budgets');
CALL audit_table('usage_budgets');

-- What was told: each threshold of a rule or a budget once in each period. It says what the rule
-- said then, and stays when the rule is gone.
CREATE TABLE usage_alerts (
    account_id uuid NOT NULL REFERENCES accounts,
    usage_alert_id uuid NOT NULL,
    -- The rule or the budget.
    source_id uuid NOT NULL,
    source text NOT NULL CHECK (source IN ('rule', 'budget')),
    name text NOT NULL,
    basis text NOT NULL CHECK (basis IN ('actual', 'forecast')),
    watch text NOT NULL,
    meter_code text,
    unit text NOT NULL,
    threshold numeric NOT NULL,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    -- What there was when it was told, in units, minor units or credits, and of how much.
    quantity numeric NOT NULL,
    limit_quantity numeric,
    currency char(3),
    -- The account's time, and ours.
    fired_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, usage_alert_id),
    CONSTRAINT usage_alerts_once UNIQUE (account_id, source_id, basis, threshold, period_start)
);
CREATE INDEX usage_alerts_by_time ON usage_alerts (account_id, fired_at, usage_alert_id);
CREATE INDEX usage_alerts_of_all ON usage_alerts (fired_at, usage_alert_id);
CALL protect_tenant_table('usage_alerts');
CALL make_append_only('usage_alerts');

-- Accounts with a rule or a budget. `tick_at` (the account's time): when to look at it next though
-- nothing is used; the forecast moves by itself.
CREATE TABLE usage_watches (
    account_id uuid PRIMARY KEY REFERENCES accounts,
    tick_at timestamptz NOT NULL
);
CREATE INDEX usage_watches_due ON usage_watches (tick_at);
CALL protect_tenant_table('usage_watches');

-- Accounts to look at, written by the transaction that used something. Many rows for one account
-- are right: one row for each account would make all its ingests wait for each other, and one that
-- is just being looked at would hide what was committed meanwhile.
CREATE TABLE usage_alert_due (
    account_id uuid NOT NULL,
    due_id bigint GENERATED ALWAYS AS IDENTITY,
    -- Wall time: at once, or after a failure later.
    due_at timestamptz NOT NULL DEFAULT '-infinity',
    try_count integer NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, due_id)
);
CREATE INDEX usage_alert_due_order ON usage_alert_due (due_at, due_id);
CALL protect_tenant_table('usage_alert_due');
GRANT USAGE ON SEQUENCE usage_alert_due_due_id_seq TO tallystick_account, tallystick_writer;

-- Lets the watched ones of these accounts be looked at as soon as this transaction is committed.
-- Of the worker only the kind `usage_alerts` is woken. A subquery for each account: never a plan
-- that reads all watches.
CREATE FUNCTION note_usage(accounts uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO usage_alert_due (account_id)
    SELECT u.id FROM unnest(accounts) AS u (id)
    WHERE (SELECT true FROM usage_watches AS w WHERE w.account_id = u.id);
    IF FOUND THEN PERFORM pg_notify('tallystick_due', 'kind:usage_alerts'); END IF;
END $$;

-- The same of all accounts that a statement wrote for; nothing at all while nobody watches.
CREATE FUNCTION note_written_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM usage_watches) THEN
        INSERT INTO usage_alert_due (account_id)
        SELECT n.account_id FROM (SELECT DISTINCT account_id FROM written) AS n
        WHERE (SELECT true FROM usage_watches AS w WHERE w.account_id = n.account_id);
        IF FOUND THEN PERFORM pg_notify('tallystick_due', 'kind:usage_alerts'); END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER notes_usage AFTER INSERT ON usage_events REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION note_written_usage();
CREATE TRIGGER notes_usage AFTER INSERT ON usage_voids REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION note_written_usage();
-- Debits, and whatever else moves credits: that saves the account's row.
CREATE TRIGGER notes_usage AFTER INSERT ON credit_usage_log REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION note_written_usage();
CREATE TRIGGER notes_usage AFTER UPDATE ON credit_accounts REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION note_written_usage();
