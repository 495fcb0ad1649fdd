-- Roles, row-level security, audit by trigger, idempotency, outbox, test clocks.

-- Roles belong to the whole server, so another database may have made them already.
DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['tallystick_account', 'tallystick_staff', 'tallystick_writer'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN %s', wanted,
                    CASE WHEN wanted = 'tallystick_account' THEN '' ELSE 'BYPASSRLS' END);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END;
        END IF;
        EXECUTE format('GRANT %I TO CURRENT_USER', wanted);
    END LOOP;
END $$;
GRANT USAGE ON SCHEMA public TO tallystick_account, tallystick_staff, tallystick_writer;
GRANT SELECT ON schema_migrations TO tallystick_writer, tallystick_staff;

CREATE FUNCTION current_account_id() RETURNS uuid LANGUAGE sql STABLE AS
$$ SELECT nullif(current_setting('tallystick.account_id', true), '')::uuid $$;

-- A tenant's table: an account sees and writes its own rows, staff read all, the writer does both.
CREATE PROCEDURE protect_tenant_table(tenant_table regclass) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('CREATE POLICY own_rows ON %s TO tallystick_account
        USING (account_id = current_account_id()) WITH CHECK (account_id = current_account_id())',
        tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO tallystick_account', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO tallystick_writer', tenant_table);
    EXECUTE format('GRANT SELECT ON %s TO tallystick_staff', tenant_table);
END $$;

-- A small table of the business, the same for all accounts.
CREATE PROCEDURE share_reference_table(reference_table regclass) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('GRANT SELECT ON %s TO tallystick_account, tallystick_staff', reference_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO tallystick_writer', reference_table);
END $$;

-- A table that only grows. The trigger binds the owner too.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE PROCEDURE make_append_only(grown_table regclass) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %s
        FROM tallystick_account, tallystick_writer, tallystick_staff', grown_table);
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %s
        FOR EACH ROW EXECUTE FUNCTION refuse_change()', grown_table);
    EXECUTE format('CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON %s
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', grown_table);
END $$;

-- Audit: who changed which row, from what to what, in which request, and why.
CREATE TABLE billing_audit (
    account_id uuid NOT NULL,
    audit_id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    request_id text NOT NULL,
    reason text NOT NULL,
    table_name text NOT NULL,
    action text NOT NULL CHECK (action IN ('INSERT', 'UPDATE', 'DELETE')),
    before jsonb,
    after jsonb,
    PRIMARY KEY (account_id, audit_id)
);
CREATE INDEX billing_audit_by_id ON billing_audit (audit_id);
CALL protect_tenant_table('billing_audit');
CALL make_append_only('billing_audit');
REVOKE INSERT ON billing_audit FROM tallystick_account, tallystick_writer;

-- SECURITY DEFINER: rows come in through the trigger alone. Its arguments name the columns that
-- are secrets or bulk and stay out (TG_ARGV is NULL, not empty, when there are none).
CREATE FUNCTION write_audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    hidden text[] := coalesce(TG_ARGV, '{}');
    row_before jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) - hidden END;
    row_after jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) - hidden END;
BEGIN
    -- Whole rows are compared: a new password is a change, though only its hidden hash differs.
    IF TG_OP = 'UPDATE' AND to_jsonb(OLD) = to_jsonb(NEW) THEN RETURN NULL; END IF;
    INSERT INTO billing_audit (account_id, actor_kind, actor_id, request_id, reason,
                               table_name, action, before, after)
    VALUES (coalesce((coalesce(row_after, row_before) ->> 'account_id')::uuid,
                     '00000000-0000-0000-0000-000000000000'),
            coalesce(nullif(current_setting('tallystick.actor_kind', true), ''), 'database'),
            coalesce(nullif(current_setting('tallystick.actor_id', true), ''), session_user),
            coalesce(current_setting('tallystick.request_id', true), ''),
            coalesce(current_setting('tallystick.reason', true), ''),
            TG_TABLE_NAME, TG_OP, row_before, row_after);
    RETURN NULL;
END $$;

CREATE PROCEDURE audit_table(audited regclass, VARIADIC secret_columns text[] DEFAULT '{}')
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON %s
        FOR EACH ROW EXECUTE FUNCTION write_audit(%s)', audited,
        (SELECT coalesce(string_agg(quote_literal(name), ', '), '')
         FROM unnest(secret_columns) AS name));
END $$;

-- One answer per intent: the same key and body get the first answer again.
CREATE TABLE idempotency_keys (
    account_id uuid NOT NULL,
    caller text NOT NULL,
    key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    request_hash bytea NOT NULL,
    claimed_at timestamptz NOT NULL,
    lease_until timestamptz NOT NULL,
    status smallint,
    headers jsonb,
    body bytea,
    PRIMARY KEY (account_id, caller, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (claimed_at);
CALL protect_tenant_table('idempotency_keys');

-- What happened, written with the change itself, told afterwards (at least once, in order).
CREATE TABLE outbox (
    account_id uuid NOT NULL,
    outbox_id bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    request_id text NOT NULL DEFAULT coalesce(current_setting('tallystick.request_id', true), ''),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deliver_after timestamptz NOT NULL DEFAULT clock_timestamp(),
    try_count integer NOT NULL DEFAULT 0,
    error text,
    PRIMARY KEY (account_id, outbox_id)
);
CREATE INDEX outbox_due ON outbox (deliver_after);
CALL protect_tenant_table('outbox');
GRANT USAGE ON SEQUENCE outbox_outbox_id_seq TO tallystick_account, tallystick_writer;

-- Told events, kept as the record of what was told; the claim reads the small table only.
CREATE TABLE outbox_done (
    account_id uuid NOT NULL,
    outbox_id bigint NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    request_id text NOT NULL,
    created_at timestamptz NOT NULL,
    done_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, outbox_id)
);
CALL protect_tenant_table('outbox_done');
-- Events of a time range; they come in by time, so a few bytes for many pages are enough.
CREATE INDEX outbox_done_by_time ON outbox_done USING brin (created_at);

CREATE FUNCTION wake_worker() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('tallystick_due', TG_TABLE_NAME);
    RETURN NULL;
END $$;
CREATE TRIGGER wakes_worker AFTER INSERT ON outbox
    FOR EACH STATEMENT EXECUTE FUNCTION wake_worker();

-- A clock that accounts may sit on. It is being advanced, from `from_at` on, until it stands at
-- `target_at` and the work of that instant is done too. A deleted one keeps its row: time stands
-- still for the accounts that are on it.
CREATE TABLE test_clocks (
    test_clock_id uuid PRIMARY KEY,
    name text NOT NULL,
    now_at timestamptz NOT NULL,
    target_at timestamptz NOT NULL,
    from_at timestamptz NOT NULL,
    is_advancing boolean NOT NULL DEFAULT false,
    work_count bigint NOT NULL DEFAULT 0,
    error text,
    created_at timestamptz NOT NULL,
    deleted_at timestamptz,
    CHECK (from_at <= now_at AND now_at <= target_at),
    CHECK (is_advancing OR now_at = target_at)
);
CREATE INDEX test_clocks_by_age ON test_clocks (created_at, test_clock_id)
    WHERE deleted_at IS NULL;
CALL share_reference_table('test_clocks');
CALL audit_table('test_clocks');
CREATE TRIGGER wakes_worker AFTER INSERT OR UPDATE ON test_clocks
    FOR EACH STATEMENT EXECUTE FUNCTION wake_worker();
