-- Add-ons that subscriptions have, each as it was bought.
CREATE TABLE subscription_add_ons (
    account_id uuid NOT NULL,
    subscription_add_on_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    -- The version that was bought; what it says stands here too.
    add_on_id uuid NOT NULL REFERENCES add_ons,
    code text NOT NULL,
    name text NOT NULL,
    charge text NOT NULL CHECK (charge IN ('once', 'per_period')),
    -- For one of it, in major units of the subscription's currency.
    amount numeric NOT NULL CHECK (amount >= 0),
    features jsonb NOT NULL,
    quantity integer NOT NULL CHECK (quantity BETWEEN 1 AND 1000000),
    starts_at timestamptz NOT NULL,
    -- NULL: until it is taken off.
    ends_at timestamptz CHECK (ends_at >= starts_at),
    attached_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, subscription_add_on_id),
    FOREIGN KEY (account_id, subscription_id) REFERENCES subscriptions
);
CREATE INDEX subscription_add_ons_by_subscription
    ON subscription_add_ons (account_id, subscription_id);
CALL protect_tenant_table('subscription_add_ons');
CALL audit_table('subscription_add_ons');
