-- How customers may pay, as staff set it up. A gateway without a row here is offered as it is.
CREATE TABLE payment_method_configs (
    code text PRIMARY KEY CHECK (code ~ '^[a-z][a-z0-9_-]{0,62}$'),
    gateway text NOT NULL,
    type text NOT NULL CHECK (type ~ '^[a-z][a-z0-9_-]{0,62}$'),
    name text NOT NULL,
    -- What the payer is told to do, line by line.
    instructions text,
    -- Empty: everywhere, in every currency.
    countries text[] NOT NULL,
    currencies text[] NOT NULL,
    -- Only for the accounts in the table below.
    is_restricted boolean NOT NULL,
    position integer NOT NULL CHECK (position >= 0),
    is_active boolean NOT NULL,
    created_at timestamptz NOT NULL
);
CALL share_reference_table('payment_method_configs');
CALL audit_table('payment_method_configs');

CREATE TABLE payment_method_config_accounts (
    account_id uuid NOT NULL REFERENCES accounts,
    code text NOT NULL REFERENCES payment_method_configs ON DELETE CASCADE,
    PRIMARY KEY (account_id, code)
);
CREATE INDEX payment_method_config_accounts_by_code ON payment_method_config_accounts (code);
CALL protect_tenant_table('payment_method_config_accounts');
CALL audit_table('payment_method_config_accounts');
