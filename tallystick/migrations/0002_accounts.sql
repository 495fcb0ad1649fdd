-- Who is billed, who signs in, and with what.

CREATE TABLE accounts (
    account_id uuid PRIMARY KEY,
    external_id text UNIQUE,
    name text NOT NULL,
    email text NOT NULL,
    currency char(3) NOT NULL CHECK (currency = upper(currency)),
    timezone text NOT NULL,
    country char(2) NOT NULL CHECK (country = upper(country)),
    locale text NOT NULL,
    address text[] NOT NULL DEFAULT '{}',
    -- The part of a country by ISO 3166-2 without the country: 'QC' of CA-QC.
    region text CHECK (region ~ '^[A-Z0-9]{1,3}$'),
    city text,
    postal_code text,
    tax_number text,
    -- One rate per account until tax rates are data of their own; NULL: no tax is charged.
    tax_name text,
    tax_percent numeric CHECK (tax_percent BETWEEN 0 AND 100),
    payment_due_days integer NOT NULL DEFAULT 14 CHECK (payment_due_days BETWEEN 0 AND 365),
    autopay boolean NOT NULL DEFAULT false,
    test_clock_id uuid REFERENCES test_clocks,
    created_at timestamptz NOT NULL,
    CHECK ((tax_name IS NULL) = (tax_percent IS NULL))
);
CREATE INDEX accounts_by_time ON accounts (created_at DESC, account_id DESC);
CREATE INDEX accounts_by_test_clock ON accounts (test_clock_id) WHERE test_clock_id IS NOT NULL;
CALL protect_tenant_table('accounts');
-- An account changes its own row (autopay, address); it neither makes nor ends accounts.
REVOKE INSERT, DELETE ON accounts FROM tallystick_account;
CALL audit_table('accounts');

-- People. Staff belong to the business (a role here), others to accounts (a membership).
CREATE TABLE users (
    user_id uuid PRIMARY KEY,
    external_id text UNIQUE,
    email text NOT NULL CHECK (email = lower(email)),
    name text NOT NULL,
    password_hash text,
    staff_role text CHECK (staff_role IN ('support', 'finance', 'admin')),
    created_at timestamptz NOT NULL,
    disabled_at timestamptz
);
CREATE UNIQUE INDEX users_by_email ON users (email);
GRANT SELECT, INSERT, UPDATE ON users TO tallystick_writer;
CALL audit_table('users', 'password_hash');

CREATE TABLE memberships (
    account_id uuid NOT NULL REFERENCES accounts,
    user_id uuid NOT NULL REFERENCES users,
    role text NOT NULL CHECK (role IN ('member', 'owner')),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, user_id)
);
CREATE INDEX memberships_by_user ON memberships (user_id);
CALL protect_tenant_table('memberships');
-- Who belongs to whom is written by the identity code alone, which runs as the writer.
REVOKE INSERT, UPDATE, DELETE ON memberships FROM tallystick_account;
CALL audit_table('memberships');

-- The token itself is only with the browser; here is its SHA-256.
CREATE TABLE sessions (
    token_hash bytea PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE INDEX sessions_by_user ON sessions (user_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO tallystick_writer;
CALL audit_table('sessions', 'token_hash');

-- A machine's key. `account_id` NULL: a key of the business, for any account.
CREATE TABLE api_keys (
    api_key_id uuid PRIMARY KEY,
    account_id uuid REFERENCES accounts,
    name text NOT NULL,
    key_hash bytea NOT NULL UNIQUE,
    last_four text NOT NULL,
    scopes text[] NOT NULL CHECK (scopes <@ ARRAY['usage:write', 'billing:read', 'billing:write',
                                                  'credits:write', 'admin']),
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    -- A customer's key never rules the business.
    CHECK (account_id IS NULL OR NOT 'admin' = ANY (scopes))
);
CREATE INDEX api_keys_by_time ON api_keys (created_at DESC, api_key_id DESC);
GRANT SELECT, INSERT, UPDATE ON api_keys TO tallystick_writer;
CALL audit_table('api_keys', 'key_hash');
