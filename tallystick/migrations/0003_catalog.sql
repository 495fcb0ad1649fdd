-- What is sold: meters, plans and their versions.

CREATE TABLE meters (
    meter_id uuid PRIMARY KEY,
    code text NOT NULL UNIQUE CHECK (code ~ '^[a-z][a-z0-9_]{0,62}$'),
    name text NOT NULL,
    unit text NOT NULL,
    event_type text NOT NULL,
    aggregation text NOT NULL CHECK (aggregation IN ('count', 'sum', 'max', 'min', 'average',
        'latest', 'unique_count', 'weighted_sum')),
    property text,
    created_at timestamptz NOT NULL,
    -- Instead of a property: a text, and the steps it was parsed to (catalog/expression.py).
    expression text,
    program jsonb,
    -- [{property, operator, values}], all of which an event passes; NULL: every event counts.
    filters jsonb,
    -- The properties by which totals are kept apart besides.
    group_by text[] NOT NULL DEFAULT '{}',
    -- {mode, precision}; NULL: exact.
    rounding jsonb,
    -- What was before a period counts in it.
    recurring boolean NOT NULL DEFAULT false,
    -- Values below zero count; else they are no values.
    allow_negative boolean NOT NULL DEFAULT false,
    CHECK ((expression IS NULL) = (program IS NULL)),
    CHECK (num_nonnulls(property, expression) = CASE aggregation WHEN 'count' THEN 0 ELSE 1 END),
    CHECK (NOT recurring
        OR aggregation IN ('sum', 'unique_count', 'latest', 'weighted_sum'))
);
CREATE INDEX meters_by_event_type ON meters (event_type);
CALL share_reference_table('meters');
CALL audit_table('meters');

CREATE TABLE plans (
    plan_id uuid PRIMARY KEY,
    code text NOT NULL UNIQUE CHECK (code ~ '^[a-z][a-z0-9_-]{0,62}$'),
    created_at timestamptz NOT NULL
);
CALL share_reference_table('plans');
CALL audit_table('plans');

-- A version never changes but for its status: a subscription keeps the one that it bought.
CREATE TABLE plan_versions (
    plan_version_id uuid PRIMARY KEY,
    plan_id uuid NOT NULL REFERENCES plans,
    version integer NOT NULL CHECK (version >= 1),
    currency char(3) NOT NULL CHECK (currency = upper(currency)),
    interval text NOT NULL
        CHECK (interval IN ('day', 'week', 'month', 'quarter', 'half_year', 'year')),
    interval_count integer NOT NULL CHECK (interval_count BETWEEN 1 AND 120),
    -- Of all its currencies; `currency` is the one that a reader without an account sees.
    prices jsonb NOT NULL,
    limits jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    -- What each period gives; NULL: no credits.
    credits jsonb,
    name text NOT NULL,
    -- NULL: the plan's code.
    tier text CHECK (tier ~ '^[a-z][a-z0-9_-]{0,62}$'),
    billing text NOT NULL DEFAULT 'in_arrears' CHECK (billing IN ('in_advance', 'in_arrears')),
    trial_days integer NOT NULL DEFAULT 0 CHECK (trial_days BETWEEN 0 AND 3650),
    proration text NOT NULL DEFAULT 'by_day' CHECK (proration IN ('by_day', 'by_second', 'none')),
    -- A month of the interval is 30 days, whatever the calendar says.
    fixed_months boolean NOT NULL DEFAULT false,
    -- How often usage is billed; NULL: with the period.
    usage_interval text
        CHECK (usage_interval IN ('day', 'week', 'month', 'quarter', 'half_year', 'year')),
    -- What a period bills at least, by currency.
    minimum_commitment jsonb NOT NULL DEFAULT '{}',
    -- What the plan gives of each feature, by the feature's code.
    features jsonb NOT NULL DEFAULT '{}',
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('draft', 'active', 'retired')),
    activated_at timestamptz,
    retired_at timestamptz,
    UNIQUE (plan_id, version),
    CHECK ((status = 'retired') = (retired_at IS NOT NULL))
);
CREATE UNIQUE INDEX plan_versions_active ON plan_versions (plan_id) WHERE status = 'active';

-- The trigger binds the owner too.
CREATE FUNCTION keep_but_for_status() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE moving text[] := '{status,activated_at,retired_at}';
BEGIN
    IF TG_OP <> 'UPDATE' OR to_jsonb(OLD) - moving <> to_jsonb(NEW) - moving
        OR (OLD.status, NEW.status) NOT IN (('draft', 'active'), ('draft', 'retired'),
            ('active', 'retired')) THEN
        RAISE EXCEPTION 'a % only changes its status, from draft to active to retired',
            TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

-- Versions of what is sold: they grow, and the status of each moves on.
CREATE PROCEDURE keep_versions(versions regclass) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %s
        FROM tallystick_account, tallystick_writer, tallystick_staff', versions);
    EXECUTE format('GRANT UPDATE (status, activated_at, retired_at) ON %s TO tallystick_writer',
        versions);
    EXECUTE format('CREATE TRIGGER kept BEFORE UPDATE OR DELETE ON %s
        FOR EACH ROW EXECUTE FUNCTION keep_but_for_status()', versions);
    EXECUTE format('CREATE TRIGGER kept_whole BEFORE TRUNCATE ON %s
        FOR EACH STATEMENT EXECUTE FUNCTION keep_but_for_status()', versions);
END $$;

CALL share_reference_table('plan_versions');
CALL keep_versions('plan_versions');
CALL audit_table('plan_versions');
