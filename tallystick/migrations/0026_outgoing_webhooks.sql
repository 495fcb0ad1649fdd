-- Webhooks that we send: who is told of what, and each delivery until it has arrived.

-- A UUIDv7 (RFC 9562) of this instant: deliveries sort by the time they were made.
CREATE FUNCTION new_uuid7() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
        PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
        FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;

-- An endpoint of an account hears of that account; one of the business (account 0) of all.
CREATE TABLE webhook_endpoints (
    account_id uuid NOT NULL,
    webhook_endpoint_id uuid NOT NULL,
    url text NOT NULL CHECK (length(url) BETWEEN 1 AND 2048),
    description text NOT NULL,
    -- Empty: every type.
    event_types text[] NOT NULL,
    is_enabled boolean NOT NULL,
    disabled_reason text CHECK (disabled_reason IN ('by_hand', 'failing', 'gone')),
    -- Since when there was nothing but failures; NULL from a success on.
    failing_since timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, webhook_endpoint_id),
    CHECK (is_enabled = (disabled_reason IS NULL))
);
CREATE INDEX webhook_endpoints_by_time
    ON webhook_endpoints (created_at DESC, webhook_endpoint_id DESC);
CALL protect_tenant_table('webhook_endpoints');
CALL audit_table('webhook_endpoints');

-- What deliveries are signed with; in a table of its own that only the writer reads.
CREATE TABLE webhook_secrets (
    account_id uuid NOT NULL,
    webhook_secret_id uuid NOT NULL,
    webhook_endpoint_id uuid NOT NULL,
    secret bytea NOT NULL CHECK (length(secret) BETWEEN 24 AND 64),
    created_at timestamptz NOT NULL,
    -- NULL: the present one. One that was rotated out signs along until then.
    expires_at timestamptz,
    PRIMARY KEY (account_id, webhook_secret_id),
    FOREIGN KEY (account_id, webhook_endpoint_id) REFERENCES webhook_endpoints ON DELETE CASCADE
);
CREATE UNIQUE INDEX webhook_secrets_present ON webhook_secrets (account_id, webhook_endpoint_id)
    WHERE expires_at IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_secrets TO tallystick_writer;
CALL audit_table('webhook_secrets', 'secret');

-- One event on its way to one endpoint; `account_id` is the endpoint's.
CREATE TABLE webhook_deliveries (
    account_id uuid NOT NULL,
    webhook_delivery_id uuid NOT NULL,
    webhook_endpoint_id uuid NOT NULL,
    event_account_id uuid NOT NULL,
    outbox_id bigint NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    -- Whose order is kept: an event waits while an earlier one of the same object does.
    object_key text NOT NULL,
    occurred_at timestamptz NOT NULL,
    -- As it is sent, the same bytes in each try; NULL until the first one.
    body bytea,
    status text NOT NULL CHECK (status IN ('waiting', 'delivered', 'failed')),
    next_try_at timestamptz,
    -- Names the lease of whoever sends it; counts over replays too.
    try_count integer NOT NULL DEFAULT 0,
    -- Tries since it was made or replayed: where it stands in the schedule.
    round_count integer NOT NULL DEFAULT 0,
    -- The last answer: its status, or why there was none.
    status_code integer,
    error text,
    created_at timestamptz NOT NULL,
    done_at timestamptz,
    PRIMARY KEY (account_id, webhook_delivery_id),
    UNIQUE (account_id, webhook_endpoint_id, outbox_id),
    FOREIGN KEY (account_id, webhook_endpoint_id) REFERENCES webhook_endpoints ON DELETE CASCADE,
    CHECK ((status = 'waiting') = (next_try_at IS NOT NULL)),
    CHECK ((status = 'waiting') = (done_at IS NULL))
);
CREATE INDEX webhook_deliveries_due
    ON webhook_deliveries (account_id, webhook_endpoint_id, next_try_at)
    WHERE status = 'waiting';
CREATE INDEX webhook_deliveries_in_order
    ON webhook_deliveries (account_id, webhook_endpoint_id, object_key, outbox_id)
    WHERE status = 'waiting';
CREATE INDEX webhook_deliveries_by_time
    ON webhook_deliveries (created_at DESC, webhook_delivery_id DESC);
CREATE INDEX webhook_deliveries_of_endpoint
    ON webhook_deliveries (account_id, webhook_endpoint_id, created_at DESC, webhook_delivery_id DESC);
CREATE INDEX webhook_deliveries_done ON webhook_deliveries (done_at) WHERE done_at IS NOT NULL;
CALL protect_tenant_table('webhook_deliveries');

-- What each try brought; one whose process died between sending and here has no row.
CREATE TABLE webhook_tries (
    account_id uuid NOT NULL,
    webhook_delivery_id uuid NOT NULL,
    number integer NOT NULL CHECK (number >= 1),
    at timestamptz NOT NULL,
    duration_ms integer NOT NULL CHECK (duration_ms >= 0),
    status_code integer,
    -- The first 1,024 bytes, as text.
    answer text,
    error text,
    PRIMARY KEY (account_id, webhook_delivery_id, number),
    FOREIGN KEY (account_id, webhook_delivery_id) REFERENCES webhook_deliveries ON DELETE CASCADE
);
CALL protect_tenant_table('webhook_tries');

-- The object that an event is about: `invoice:<id>` for `invoice.paid`, else its account.
CREATE FUNCTION webhook_object(kind text, payload jsonb, account_id uuid) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT split_part(kind, '.', 1) || ':'
        || coalesce(payload ->> (split_part(kind, '.', 1) || '_id'), account_id::text)
$$;

-- In the transaction of the change itself, so no event is missed and none is told of what was
-- rolled back. SECURITY DEFINER: an account's transaction sees no endpoint of the business.
CREATE FUNCTION tell_webhook_endpoints() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO webhook_deliveries (account_id, webhook_delivery_id, webhook_endpoint_id,
        event_account_id, outbox_id, kind, payload, object_key, occurred_at, status, next_try_at,
        created_at)
    SELECT e.account_id, new_uuid7(), e.webhook_endpoint_id, t.account_id, t.outbox_id, t.kind,
        t.payload, webhook_object(t.kind, t.payload, t.account_id), t.created_at, 'waiting',
        t.created_at, t.created_at
    FROM told t JOIN webhook_endpoints e
        ON e.account_id IN (t.account_id, '00000000-0000-0000-0000-000000000000')
        AND e.is_enabled AND (e.event_types = '{}' OR t.kind = ANY (e.event_types));
    RETURN NULL;
END $$;
CREATE TRIGGER tells_webhook_endpoints AFTER INSERT ON outbox REFERENCING NEW TABLE AS told
    FOR EACH STATEMENT EXECUTE FUNCTION tell_webhook_endpoints();
