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
CREATE TRIGGER wakes_worker AFTER INSERT ON webhook_inbox
    FOR EACH STATEMENT EXECUTE FUNCTION wake_worker();
GRANT SELECT, INSERT, UPDATE ON webhook_inbox TO tallystick_writer;
GRANT SELECT ON webhook_inbox TO tallystick_staff;
