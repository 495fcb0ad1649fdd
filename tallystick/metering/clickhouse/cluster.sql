-- Usage in ClickHouse on a cluster: make these once, before `tallystick migrate`, with the name of
-- your cluster for `tallystick`. Every node needs the macros {shard} and {replica}, and Keeper.
-- An account's events are on one shard, so an event's rows meet there and a period is read there.

CREATE TABLE IF NOT EXISTS usage_events_local ON CLUSTER tallystick (
    account_id UUID,
    key UUID,
    at Int64,
    event_type LowCardinality(String),
    source String,
    event_id String,
    properties String,
    texts Map(String, String),
    numbers Map(String, Int128),
    content UUID,
    fence UInt64
) ENGINE = ReplicatedReplacingMergeTree(
    '/clickhouse/tables/{shard}/{database}/usage_events_local', '{replica}', fence)
ORDER BY (account_id, key)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS usage_events ON CLUSTER tallystick AS usage_events_local
ENGINE = Distributed(tallystick, currentDatabase(), usage_events_local, cityHash64(account_id));
