-- Migrations: subscriptions that come to another version of a plan, many at once.

-- One for each that staff begin. The worker goes through the accounts in their order, in batches:
-- once for the preview, and once to note the changes at the subscriptions.
CREATE TABLE plan_migrations (
    plan_migration_id uuid PRIMARY KEY,
    -- Which subscriptions, to which version, when, with how much notice, and why.
    wanted jsonb NOT NULL,
    status text NOT NULL CHECK (status IN ('previewing', 'previewed', 'scheduling', 'scheduled',
                                           'done', 'canceling', 'canceled', 'failed')),
    account_count bigint NOT NULL,
    done_count bigint NOT NULL DEFAULT 0,
    after_account_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    -- What the preview came to, by currency.
    summaries jsonb NOT NULL DEFAULT '[]',
    -- A digest of what the preview showed: who confirms names it.
    confirmation text,
    error text,
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    created_at timestamptz NOT NULL,
    previewed_at timestamptz,
    confirmed_by text,
    confirmed_at timestamptz,
    finished_at timestamptz,
    CHECK ((confirmed_at IS NULL) = (confirmed_by IS NULL)),
    CHECK ((previewed_at IS NULL) = (confirmation IS NULL)),
    CHECK ((finished_at IS NOT NULL) = (status IN ('done', 'canceled', 'failed')))
);
CREATE INDEX plan_migrations_working ON plan_migrations (created_at)
    WHERE finished_at IS NULL;
CREATE INDEX plan_migrations_newest ON plan_migrations (created_at DESC, plan_migration_id DESC);
GRANT SELECT, INSERT, UPDATE ON plan_migrations TO tallystick_writer;
GRANT SELECT ON plan_migrations TO tallystick_staff;
CALL audit_table('plan_migrations');
CREATE TRIGGER wakes_worker AFTER INSERT OR UPDATE ON plan_migrations
    FOR EACH STATEMENT EXECUTE FUNCTION wake_worker();

-- What a migration does to one subscription: amounts as the preview reckoned them.
CREATE TABLE plan_migration_rows (
    account_id uuid NOT NULL,
    plan_migration_id uuid NOT NULL REFERENCES plan_migrations,
    subscription_id uuid NOT NULL,
    -- The version and the quantity at the preview.
    plan_version_id uuid NOT NULL REFERENCES plan_versions,
    quantity integer NOT NULL,
    state text NOT NULL CHECK (state IN ('foreseen', 'refused', 'scheduled', 'moved', 'canceled')),
    at timestamptz,
    until timestamptz,
    currency char(3),
    now_minor bigint,
    then_minor bigint,
    -- Why it can not be moved: a code and a sentence.
    reason text,
    detail text,
    -- When to look whether it was moved (wall time).
    check_at timestamptz,
    PRIMARY KEY (account_id, plan_migration_id, subscription_id),
    FOREIGN KEY (account_id, subscription_id) REFERENCES subscriptions,
    CHECK (num_nonnulls(currency, now_minor, then_minor) IN (0, 3)),
    CHECK ((state = 'refused') = (reason IS NOT NULL)),
    CHECK (state <> 'scheduled' OR at IS NOT NULL)
);
CREATE INDEX plan_migration_rows_newest
    ON plan_migration_rows (plan_migration_id, subscription_id DESC);
CREATE INDEX plan_migration_rows_state
    ON plan_migration_rows (plan_migration_id, state, account_id, subscription_id);
CREATE INDEX plan_migration_rows_late ON plan_migration_rows (check_at) WHERE state = 'scheduled';
CALL protect_tenant_table('plan_migration_rows');
REVOKE INSERT, UPDATE, DELETE ON plan_migration_rows FROM tallystick_account;
