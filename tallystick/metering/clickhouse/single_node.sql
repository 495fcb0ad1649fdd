-- Usage in ClickHouse on one server; `tallystick migrate` makes it. For several: cluster.sql.

-- One row for each event. `at` is microseconds since 1970, UTC. `texts` and `numbers` are the event's
-- properties as meters read them: as text, and as whole numbers of 0.000000000001. `content` is a
-- digest by which the same event sent again is known. Of two rows of one key that of the greater
-- `fence` is the event: see docs/decisions/0008-usage-in-clickhouse.md.
CREATE TABLE IF NOT EXISTS usage_events (
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
) ENGINE = ReplacingMergeTree(fence)
ORDER BY (account_id, key)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
