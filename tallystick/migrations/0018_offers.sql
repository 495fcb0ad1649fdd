-- What is sold besides prices: features, add-ons, coupons; and what money was worth in money.

CREATE TABLE features (
    feature_id uuid PRIMARY KEY,
    code text NOT NULL UNIQUE CHECK (code ~ '^[a-z][a-z0-9_]{0,62}$'),
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('boolean', 'number', 'text', 'metered')),
    -- What a metered feature counts.
    meter_id uuid REFERENCES meters,
    created_at timestamptz NOT NULL,
    CHECK ((kind = 'metered') = (meter_id IS NOT NULL))
);
CALL share_reference_table('features');
CALL audit_table('features');

-- Takes the place of what the plan gives; `value` is JSON null where there is no limit.
CREATE TABLE feature_overrides (
    account_id uuid NOT NULL REFERENCES accounts,
    feature_id uuid NOT NULL REFERENCES features,
    value jsonb NOT NULL,
    reason text NOT NULL,
    -- NULL: until it is taken away.
    until timestamptz,
    set_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, feature_id)
);
CALL protect_tenant_table('feature_overrides');
REVOKE INSERT, UPDATE, DELETE ON feature_overrides FROM tallystick_account;
CALL audit_table('feature_overrides');

-- Each row is a version, which never changes but for its status.
CREATE TABLE add_ons (
    add_on_id uuid PRIMARY KEY,
    code text NOT NULL CHECK (code ~ '^[a-z][a-z0-9_-]{0,62}$'),
    version integer NOT NULL CHECK (version >= 1),
    name text NOT NULL,
    charge text NOT NULL CHECK (charge IN ('once', 'per_period')),
    -- By currency, in major units, for one of it.
    amounts jsonb NOT NULL,
    features jsonb NOT NULL,
    status text NOT NULL CHECK (status IN ('draft', 'active', 'retired')),
    activated_at timestamptz,
    retired_at timestamptz,
    created_at timestamptz NOT NULL,
    UNIQUE (code, version),
    CHECK ((status = 'retired') = (retired_at IS NOT NULL))
);
CREATE UNIQUE INDEX add_ons_active ON add_ons (code) WHERE status = 'active';
CALL share_reference_table('add_ons');
CALL keep_versions('add_ons');
CALL audit_table('add_ons');

-- Likewise.
CREATE TABLE coupons (
    coupon_id uuid PRIMARY KEY,
    -- Upper case: whoever types a code in may write it in any.
    code text NOT NULL CHECK (code ~ '^[A-Z0-9][A-Z0-9_-]{0,62}$'),
    version integer NOT NULL CHECK (version >= 1),
    name text NOT NULL,
    -- Either a share of what it covers, or an amount by currency.
    percent numeric CHECK (percent > 0 AND percent <= 100),
    amounts jsonb,
    duration text NOT NULL CHECK (duration IN ('once', 'periods', 'forever')),
    periods integer CHECK (periods BETWEEN 1 AND 120),
    -- Codes of what it covers; nothing in a list: everything.
    plans text[] NOT NULL,
    prices text[] NOT NULL,
    meters text[] NOT NULL,
    redemptions_max integer CHECK (redemptions_max >= 1),
    redemptions_per_account_max integer CHECK (redemptions_per_account_max >= 1),
    valid_from timestamptz,
    valid_until timestamptz CHECK (valid_until > valid_from),
    status text NOT NULL CHECK (status IN ('draft', 'active', 'retired')),
    activated_at timestamptz,
    retired_at timestamptz,
    created_at timestamptz NOT NULL,
    UNIQUE (code, version),
    CHECK (num_nonnulls(percent, amounts) = 1),
    CHECK ((duration = 'periods') = (periods IS NOT NULL)),
    CHECK ((status = 'retired') = (retired_at IS NOT NULL))
);
CREATE UNIQUE INDEX coupons_active ON coupons (code) WHERE status = 'active';
CALL share_reference_table('coupons');
CALL keep_versions('coupons');
CALL audit_table('coupons');

-- A coupon that an account has. What is left of it goes down as invoices use it.
CREATE TABLE coupon_redemptions (
    account_id uuid NOT NULL REFERENCES accounts,
    redemption_id uuid NOT NULL,
    coupon_id uuid NOT NULL REFERENCES coupons,
    redeemed_at timestamptz NOT NULL,
    -- NULL: of no number of periods.
    periods_left integer CHECK (periods_left >= 0),
    -- NULL: not an amount that is used once. In minor units of the account's currency.
    amount_left_minor bigint CHECK (amount_left_minor >= 0),
    ended_at timestamptz,
    PRIMARY KEY (account_id, redemption_id)
);
CREATE INDEX coupon_redemptions_by_coupon ON coupon_redemptions (coupon_id);
CALL protect_tenant_table('coupon_redemptions');
REVOKE INSERT, UPDATE, DELETE ON coupon_redemptions FROM tallystick_account;
CALL audit_table('coupon_redemptions');

-- What one of `base` was worth in `quote` on a day, for reports alone: invoices never convert.
CREATE TABLE exchange_rates (
    base char(3) NOT NULL CHECK (base = upper(base)),
    quote char(3) NOT NULL CHECK (quote = upper(quote) AND quote <> base),
    rate_on date NOT NULL,
    rate numeric NOT NULL CHECK (rate > 0),
    source text NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (base, quote, rate_on)
);
CALL share_reference_table('exchange_rates');
CALL audit_table('exchange_rates');
