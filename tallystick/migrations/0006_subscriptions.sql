CREATE TABLE subscriptions (
    account_id uuid NOT NULL REFERENCES accounts,
    subscription_id uuid NOT NULL,
    plan_version_id uuid NOT NULL REFERENCES plan_versions,
    status text NOT NULL CHECK (status IN ('active', 'canceled')),
    started_at timestamptz NOT NULL,
    -- The zone in which the period edges are local midnights, as it was when it began.
    timezone text NOT NULL,
    -- The period that is billed next; all before it are billed.
    period_index integer NOT NULL CHECK (period_index >= 0),
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL CHECK (period_end > period_start),
    -- NULL: nothing more to bill.
    next_bill_at timestamptz,
    -- Why the last billing failed; a parked subscription is tried again at `bill_retry_at`, which
    -- is wall time also for an account on a test clock.
    bill_error text,
    bill_try_count integer NOT NULL DEFAULT 0,
    bill_retry_at timestamptz,
    cancel_at_period_end boolean NOT NULL DEFAULT false,
    -- From here on nothing is used; NULL: no end is known.
    ends_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, subscription_id),
    CHECK ((bill_error IS NULL) = (bill_retry_at IS NULL)),
    CHECK (ends_at IS NOT NULL OR (status = 'active' AND NOT cancel_at_period_end))
);
CREATE UNIQUE INDEX subscriptions_active ON subscriptions (account_id) WHERE status = 'active';
-- Many are due at one midnight; with the id behind it a batch is read in order, not sorted anew.
CREATE INDEX subscriptions_due ON subscriptions (next_bill_at, subscription_id)
    WHERE next_bill_at IS NOT NULL;
CALL protect_tenant_table('subscriptions');
CALL audit_table('subscriptions');
