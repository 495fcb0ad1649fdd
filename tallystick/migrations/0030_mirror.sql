-- What lives at a gateway and is shown here beside our own. Rows follow the gateway's objects.
CREATE TABLE mirror_progress (
    gateway text NOT NULL,
    kind text NOT NULL,
    -- Where reading goes on; NULL: from the newest.
    cursor text,
    object_count bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL,
    done_at timestamptz,
    PRIMARY KEY (gateway, kind)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON mirror_progress TO tallystick_writer;
GRANT SELECT ON mirror_progress TO tallystick_staff;

CREATE TABLE mirrored_subscriptions (
    account_id uuid NOT NULL REFERENCES accounts,
    gateway text NOT NULL,
    reference text NOT NULL,
    status text NOT NULL,
    tier text NOT NULL,
    currency char(3) NOT NULL,
    amount_minor bigint NOT NULL,
    -- What it comes to in a month, exact.
    monthly_minor numeric NOT NULL,
    interval text,
    interval_count integer,
    period_start timestamptz,
    period_end timestamptz,
    trial_ends_at timestamptz,
    cancel_at_period_end boolean NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    -- When the gateway was asked: what was asked later wins.
    read_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, gateway, reference)
);
CREATE INDEX mirrored_subscriptions_by_time
    ON mirrored_subscriptions (created_at DESC, reference DESC);
CALL protect_tenant_table('mirrored_subscriptions');

CREATE TABLE mirrored_invoices (
    account_id uuid NOT NULL REFERENCES accounts,
    gateway text NOT NULL,
    reference text NOT NULL,
    number text,
    status text NOT NULL,
    currency char(3) NOT NULL,
    total_minor bigint NOT NULL,
    due_minor bigint NOT NULL,
    paid_minor bigint NOT NULL,
    created_at timestamptz NOT NULL,
    due_at timestamptz,
    paid_at timestamptz,
    read_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, gateway, reference)
);
CREATE INDEX mirrored_invoices_by_time
    ON mirrored_invoices (account_id, created_at DESC, reference DESC);
CALL protect_tenant_table('mirrored_invoices');

CREATE TABLE mirrored_charges (
    account_id uuid NOT NULL REFERENCES accounts,
    gateway text NOT NULL,
    reference text NOT NULL,
    -- What else refunds and disputes call it.
    payment_reference text,
    status text NOT NULL,
    currency char(3) NOT NULL,
    amount_minor bigint NOT NULL,
    refunded_minor bigint NOT NULL,
    description text,
    is_paid boolean NOT NULL,
    created_at timestamptz NOT NULL,
    read_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, gateway, reference)
);
CREATE INDEX mirrored_charges_by_payment ON mirrored_charges (gateway, payment_reference);
CREATE INDEX mirrored_charges_by_time ON mirrored_charges (created_at DESC, reference DESC);
CALL protect_tenant_table('mirrored_charges');
