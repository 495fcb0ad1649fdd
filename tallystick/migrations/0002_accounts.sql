-- Who bills, who is billed, who signs in, and with what.

-- Pictures for documents. What was printed keeps its own: a row never changes.
CREATE TABLE logos (
    -- The SHA-256 of its bytes.
    logo_id text PRIMARY KEY CHECK (logo_id ~ '^[0-9a-f]{64}$'),
    media_type text NOT NULL CHECK (media_type IN ('image/png', 'image/svg+xml')),
    content bytea NOT NULL CHECK (length(content) <= 262144)
);
CALL share_reference_table('logos');
CALL make_append_only('logos');

-- The legal entities in whose name documents go out. None is deleted.
CREATE TABLE issuers (
    issuer_id uuid PRIMARY KEY,
    -- It may stand in the numbers of documents, so it never changes.
    code text NOT NULL UNIQUE CHECK (code ~ '^[A-Z0-9]{1,12}$'),
    legal_name text NOT NULL,
    -- As it is printed; city, postal code, region and country say the same in parts.
    address text[] NOT NULL DEFAULT '{}',
    city text,
    postal_code text,
    region text CHECK (region ~ '^[A-Z0-9]{1,3}$'),
    country char(2) CHECK (country = upper(country)),
    vat_number text,
    -- [{country, region, number}]: where it is registered for a tax besides.
    tax_registrations jsonb NOT NULL DEFAULT '[]',
    registration_number text,
    email text,
    logo_id text REFERENCES logos,
    bank_name text,
    iban text,
    bic text,
    payment_instructions text,
    locale text NOT NULL DEFAULT 'en-US',
    payment_due_days integer NOT NULL DEFAULT 14 CHECK (payment_due_days BETWEEN 0 AND 365),
    -- So long an invoice stays a draft after its period.
    grace_hours integer NOT NULL DEFAULT 0 CHECK (grace_hours BETWEEN 0 AND 2160),
    invoice_format text NOT NULL DEFAULT 'INV-{year}-{number:06}',
    credit_note_format text NOT NULL DEFAULT 'CN-{year}-{number:06}',
    number_reset text NOT NULL DEFAULT 'yearly'
        CHECK (number_reset IN ('yearly', 'monthly', 'never')),
    -- [{kind, format, reset}]: what numbers were given by before; no later rule may repeat one.
    former_numbers jsonb NOT NULL DEFAULT '[]',
    -- By currency, in major units: less than that is carried forward.
    minimum_amounts jsonb NOT NULL DEFAULT '{}',
    zero_rule text NOT NULL DEFAULT 'issue' CHECK (zero_rule IN ('issue', 'skip')),
    is_default boolean NOT NULL DEFAULT false,
    -- It is what the settings say, until somebody changes it.
    follows_settings boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    retired_at timestamptz,
    CHECK (NOT (is_default AND retired_at IS NOT NULL))
);
CREATE UNIQUE INDEX issuers_default ON issuers (is_default) WHERE is_default;
CALL share_reference_table('issuers');
REVOKE DELETE ON issuers FROM tallystick_writer;
CALL audit_table('issuers');

-- Gapless: the next number is taken under the row's lock, in the transaction that issues.
CREATE TABLE number_series (
    issuer_id uuid NOT NULL REFERENCES issuers,
    kind text NOT NULL CHECK (kind IN ('invoice', 'credit_note')),
    -- '2026', '2026-03', or '' where the numbers never begin again.
    period text NOT NULL,
    -- Accounts on test clocks take nothing from the real series.
    is_test boolean NOT NULL,
    next_number bigint NOT NULL CHECK (next_number >= 1),
    PRIMARY KEY (issuer_id, kind, period, is_test)
);
GRANT SELECT, INSERT, UPDATE ON number_series TO tallystick_writer;
GRANT SELECT ON number_series TO tallystick_staff;

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
    -- NULL: as the issuer says; likewise `grace_hours`.
    payment_due_days integer CHECK (payment_due_days BETWEEN 0 AND 365),
    grace_hours integer CHECK (grace_hours BETWEEN 0 AND 2160),
    -- The least that an invoice in its currency asks for; NULL: as the issuer says.
    minimum_amount_minor bigint CHECK (minimum_amount_minor >= 0),
    -- What its invoices say: [{label, value}] are the custom fields.
    purchase_order text,
    memo text,
    custom_fields jsonb NOT NULL DEFAULT '[]',
    autopay boolean NOT NULL DEFAULT false,
    -- Whether autopay goes on to the next method when one is refused for good.
    payment_fallback boolean NOT NULL DEFAULT false,
    test_clock_id uuid REFERENCES test_clocks,
    -- In whose name its documents go out; NULL: in that of the default.
    issuer_id uuid REFERENCES issuers,
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
