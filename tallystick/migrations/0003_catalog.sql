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
    name text NOT NULL,
    created_at timestamptz NOT NULL
);
CALL share_reference_table('plans');
CALL audit_table('plans');

-- A version never changes: a subscription keeps the one that it bought.
CREATE TABLE plan_versions (
    plan_version_id uuid PRIMARY KEY,
    plan_id uuid NOT NULL REFERENCES plans,
    version integer NOT NULL CHECK (version >= 1),
    currency char(3) NOT NULL CHECK (currency = upper(currency)),
    interval text NOT NULL CHECK (interval IN ('day', 'week', 'month', 'year')),
    interval_count integer NOT NULL CHECK (interval_count BETWEEN 1 AND 120),
    prices jsonb NOT NULL,
    limits jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    -- What each period gives; NULL: no credits.
    credits jsonb,
    UNIQUE (plan_id, version)
);
CALL share_reference_table('plan_versions');
CALL make_append_only('plan_versions');
CALL audit_table('plan_versions');
