CREATE TABLE subscriptions (
    account_id uuid NOT NULL REFERENCES accounts,
    subscription_id uuid NOT NULL,
    plan_version_id uuid NOT NULL REFERENCES plan_versions,
    status text NOT NULL CHECK (status IN ('active', 'canceled')),
    started_at timestamptz NOT NULL,
    -- The zone in which the period edges are local midnights, as it was when it began.
    timezone text NOT NULL,
    period_index integer NOT NULL CHECK (period_index >= 0),
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL CHECK (period_end > period_start),
    -- NULL: nothing more to bill.
    next_bill_at timestamptz,
    -- Why the last billing failed; a parked subscription keeps it until someone has looked.
    bill_error text,
    bill_try_count integer NOT NULL DEFAULT 0,
    bill_retry_at timestamptz,
    cancel_at_period_end boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, subscription_id)
);
CREATE INDEX subscriptions_due ON subscriptions (next_bill_at) WHERE next_bill_at IS NOT NULL;
CALL protect_tenant_table('subscriptions');
CALL audit_table('subscriptions');
