CREATE TABLE subscriptions (
    account_id uuid NOT NULL REFERENCES accounts,
    subscription_id uuid NOT NULL,
    -- The account's: which of the version's prices it pays.
    currency char(3) NOT NULL CHECK (currency = upper(currency)),
    plan_version_id uuid NOT NULL REFERENCES plan_versions,
    -- The plan of that version: an account is on a plan once.
    plan_id uuid NOT NULL REFERENCES plans,
    quantity integer NOT NULL DEFAULT 1 CHECK (quantity BETWEEN 1 AND 1000000),
    status text NOT NULL CHECK (status IN ('pending', 'incomplete', 'trialing', 'active',
                                           'past_due', 'paused', 'canceled')),
    started_at timestamptz NOT NULL,
    -- The zone in which the period edges are local midnights, as it was when it began.
    timezone text NOT NULL,
    billing_time text NOT NULL CHECK (billing_time IN ('anniversary', 'calendar')),
    -- The day that periods are counted from; NULL: as `billing_time` says.
    anchor_on date,
    schedule_owner text NOT NULL CHECK (schedule_owner IN ('tallystick', 'ccbill', 'stripe')),
    -- The gateway's id of a subscription that it renews.
    external_id text CHECK (length(external_id) BETWEEN 1 AND 255),
    -- When to look whether it was paid: a first invoice in time, or any by its due date.
    standing_at timestamptz,
    -- The period that is billed next; all before it are billed.
    period_index integer NOT NULL CHECK (period_index >= 0),
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL CHECK (period_end > period_start),
    -- NULL: nothing more to bill.
    next_bill_at timestamptz,
    -- How many bills it had; an invoice carries the number of its own.
    bill_index integer NOT NULL DEFAULT 0 CHECK (bill_index >= 0),
    -- Flat prices of the present plan and quantity count from here on, ...
    flat_from timestamptz NOT NULL,
    -- From this instant on it is used on them, ...
    used_from timestamptz NOT NULL,
    -- ... without a pause since this, ...
    covered_from timestamptz NOT NULL,
    -- ... and those in advance are billed until here; NULL: not yet.
    advance_until timestamptz,
    -- When usage that is billed as it comes is looked at; NULL: nothing of it is new.
    usage_bill_at timestamptz,
    -- When prices in advance are billed first: the start, or the end of the trial.
    opens_at timestamptz,
    trial_ends_at timestamptz,
    -- What the end of the trial does to an account without a payment method.
    trial_end text NOT NULL CHECK (trial_end IN ('bill', 'pause', 'cancel')),
    -- What it changes to, and when.
    change_at timestamptz,
    next_plan_version_id uuid REFERENCES plan_versions,
    next_plan_id uuid REFERENCES plans,
    next_quantity integer CHECK (next_quantity BETWEEN 1 AND 1000000),
    paused_at timestamptz,
    resumes_at timestamptz,
    -- What becomes of what was paid in advance and is not used.
    remainder text NOT NULL CHECK (remainder IN ('credit', 'refund', 'none')),
    -- Why the last billing failed; a parked subscription is tried again at `bill_retry_at`, which
    -- is wall time also for an account on a test clock.
    bill_error text,
    bill_try_count integer NOT NULL DEFAULT 0,
    bill_retry_at timestamptz,
    cancel_at_period_end boolean NOT NULL DEFAULT false,
    -- Its bills have invoices of their own, whatever else of the account is due with them.
    invoice_separately boolean NOT NULL DEFAULT false,
    -- From here on nothing is used; NULL: no end is known.
    ends_at timestamptz,
    created_at timestamptz NOT NULL,
    -- Grows with each change: who changes it says which one was read.
    revision integer NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, subscription_id),
    CHECK ((schedule_owner = 'tallystick') = (external_id IS NULL)),
    CHECK ((bill_error IS NULL) = (bill_retry_at IS NULL)),
    CHECK (ends_at IS NOT NULL OR (status <> 'canceled' AND NOT cancel_at_period_end)),
    CHECK (num_nonnulls(change_at, next_plan_version_id, next_plan_id, next_quantity) IN (0, 4))
);
-- Several plans at once, each of them once.
CREATE UNIQUE INDEX subscriptions_live ON subscriptions (account_id, plan_id)
    WHERE status <> 'canceled';
-- Many are due at one midnight; with the ids behind it a batch is read in order, not sorted anew,
-- and those of one account stand together: one invoice bills them.
CREATE INDEX subscriptions_due ON subscriptions (next_bill_at, account_id, subscription_id)
    WHERE next_bill_at IS NOT NULL;
CREATE INDEX subscriptions_standing ON subscriptions (standing_at, subscription_id)
    WHERE standing_at IS NOT NULL;
CREATE UNIQUE INDEX subscriptions_external ON subscriptions (schedule_owner, external_id)
    WHERE external_id IS NOT NULL;
CALL protect_tenant_table('subscriptions');
CALL audit_table('subscriptions');

-- What a subscription was on, from when: its plan and quantity, change after change.
CREATE TABLE subscription_terms (
    account_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    -- The bill with which they began; 0: its start.
    bill_index integer NOT NULL CHECK (bill_index >= 0),
    starts_at timestamptz NOT NULL,
    plan_version_id uuid NOT NULL REFERENCES plan_versions,
    quantity integer NOT NULL,
    PRIMARY KEY (account_id, subscription_id, bill_index),
    FOREIGN KEY (account_id, subscription_id) REFERENCES subscriptions
);
CALL protect_tenant_table('subscription_terms');
CALL make_append_only('subscription_terms');
