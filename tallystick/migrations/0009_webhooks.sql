-- What gateways told us, once per event, as it came but for client secrets; handled from here.
CREATE TABLE webhook_inbox (
    gateway text NOT NULL,
    event_id text NOT NULL,
    kind text NOT NULL,
    body bytea NOT NULL,
    received_at timestamptz NOT NULL,
    status text NOT NULL CHECK (status IN ('received', 'done', 'ignored', 'parked')),
    process_after timestamptz,
    try_count integer NOT NULL DEFAULT 0,
    error text,
    -- The gateway's customer whom nobody here knows yet; tried again when somebody links it.
    customer_token text,
    account_id uuid,
    done_at timestamptz,
    PRIMARY KEY (gateway, event_id)
);
CREATE INDEX webhook_inbox_due ON webhook_inbox (process_after) WHERE process_after IS NOT NULL;
CREATE INDEX webhook_inbox_parked ON webhook_inbox (gateway, customer_token)
    WHERE status = 'parked' AND customer_token IS NOT NULL;
CREATE INDEX webhook_inbox_by_time ON webhook_inbox (received_at DESC, gateway, event_id);
CREATE INDEX webhook_inbox_unfinished ON webhook_inbox (gateway, status, (error IS NOT NULL), received_at)
    WHERE status IN ('received', 'parked');
CREATE TRIGGER wakes_worker AFTER INSERT ON webhook_inbox
    FOR EACH STATEMENT EXECUTE FUNCTION wake_worker();
GRANT SELECT, INSERT, UPDATE ON webhook_inbox TO tallystick_writer;
GRANT SELECT ON webhook_inbox TO tallystick_staff;

-- How far a gateway's events are known to be complete, because it was asked for the list of them.
CREATE TABLE webhook_catch_ups (
    gateway text PRIMARY KEY,
    -- All that was told before was received or listed; NULL: it was never asked.
    checked_until timestamptz,
    -- Whoever asks has it for so long; after a failure nobody asks again before.
    lease_until timestamptz NOT NULL,
    finished_at timestamptz,
    error text,
    -- Of the last time.
    listed_count bigint NOT NULL DEFAULT 0,
    new_count bigint NOT NULL DEFAULT 0
);
GRANT SELECT, INSERT, UPDATE ON webhook_catch_ups TO tallystick_writer;
GRANT SELECT ON webhook_catch_ups TO tallystick_staff;
