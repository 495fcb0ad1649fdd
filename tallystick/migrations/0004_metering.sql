-- Usage: every event once, and hourly totals that are exact at every read.

-- Partitioned by account, never by time: the unique key must not contain the time, or the same
-- event sent again with another time would count twice. `key` is the first 16 bytes of a BLAKE2b
-- over source and id; `tx` is the transaction that wrote the row, by which the fold walks.
CREATE TABLE usage_events (
    account_id uuid NOT NULL,
    key uuid NOT NULL,
    at timestamptz NOT NULL,
    event_type text NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    properties jsonb NOT NULL,
    tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (account_id, key)
) PARTITION BY HASH (account_id);
DO $$ BEGIN
    FOR part IN 0..7 LOOP
        EXECUTE format('CREATE TABLE usage_events_%s PARTITION OF usage_events
            FOR VALUES WITH (MODULUS 8, REMAINDER %s)', part, part);
    END LOOP;
END $$;
-- The edges of a period inside an hour are read from events.
CREATE INDEX usage_events_by_time ON usage_events (account_id, at);
-- An account's live tail. The fold walks all accounts: with (tx, account_id) for both, the planner
-- can not know how short the tail is and reads the account's whole history instead.
CREATE INDEX usage_events_tail ON usage_events (account_id, tx);
CREATE INDEX usage_events_by_tx ON usage_events (tx);
CALL protect_tenant_table('usage_events');
CALL make_append_only('usage_events');
-- Row triggers reach the partitions by themselves, statement triggers do not.
DO $$ BEGIN
    FOR part IN 0..7 LOOP
        EXECUTE format('CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON usage_events_%s
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', part);
    END LOOP;
END $$;

-- How much one event counts for a meter: 1, or its property if that is a plain decimal number, as
-- metering/quantity.py demands of new events. Events older than their meter may hold anything
-- there; what is no quantity counts nothing.
CREATE FUNCTION usage_quantity(aggregation text, property text, properties jsonb) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    CASE WHEN aggregation = 'count' THEN 1
         WHEN properties ->> property ~ '^[0-9]{1,15}(\.[0-9]{1,12}0*)?$'
         THEN (properties ->> property)::numeric
         ELSE 0 END;

CREATE TABLE usage_totals (
    account_id uuid NOT NULL,
    meter_id uuid NOT NULL REFERENCES meters,
    hour timestamptz NOT NULL,
    quantity numeric NOT NULL,
    event_count bigint NOT NULL,
    PRIMARY KEY (account_id, meter_id, hour)
);
CALL protect_tenant_table('usage_totals');
REVOKE INSERT, UPDATE, DELETE ON usage_totals FROM tallystick_account;

-- All events of transactions before `upto` are in the totals, none after it is.
CREATE TABLE usage_fold (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    upto xid8 NOT NULL
);
INSERT INTO usage_fold (upto) VALUES ('0');
CALL share_reference_table('usage_fold');
