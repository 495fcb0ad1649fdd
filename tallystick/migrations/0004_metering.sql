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

-- What one event is for a meter. `metering/values.py` refuses what gives nothing here; yet events
-- older than their meter may hold anything, and what is no value counts nothing.

-- A property as text, by which filters, groups and unique values go; lists and objects are none.
CREATE FUNCTION usage_text(properties jsonb, property text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    CASE WHEN jsonb_typeof(properties -> property) NOT IN ('object', 'array')
         THEN properties ->> property END;

CREATE FUNCTION usage_matches_all(filters jsonb, properties jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT bool_and(CASE f.value ->> 'operator'
        WHEN 'is' THEN coalesce(f.value -> 'values' ? v.value, false)
        WHEN 'is_not' THEN v.value IS NULL OR NOT f.value -> 'values' ? v.value
        WHEN 'exists' THEN v.value IS NOT NULL
        ELSE v.value IS NULL END)
    FROM jsonb_array_elements(filters) AS f,
         usage_text(properties, f.value ->> 'property') AS v (value);
END;

-- The commonest filter, and the commonest groups below, without a query for each event.
CREATE FUNCTION usage_matches(filters jsonb, properties jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    CASE WHEN jsonb_array_length(filters) = 1 AND filters #>> '{0,operator}' = 'is'
         THEN coalesce(filters #> '{0,values}'
                       ? usage_text(properties, filters #>> '{0,property}'), false)
         ELSE usage_matches_all(filters, properties) END;

-- A program of catalog/expression.py. Nothing is rounded but quotients (12 decimals, a tie away
-- from zero; div() is exact where / is not) and the result; NULL where it has none.
CREATE FUNCTION usage_compute(program jsonb, signed boolean, properties jsonb) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    stack numeric[] := '{}';
    height integer := 0;
    step jsonb;
    kind text;
    argument text;
    one numeric;
    other numeric;
    unit numeric;
BEGIN
    FOR step IN SELECT jsonb_array_elements(program) LOOP
        kind := step ->> 0;
        argument := step ->> 1;
        IF kind = 'number' OR kind = 'property' THEN
            IF kind = 'property' THEN argument := properties ->> argument; END IF;
            IF argument IS NULL OR argument !~ '^-?[0-9]{1,15}(\.[0-9]{1,12}0*)?$' THEN
                RETURN NULL;
            END IF;
            height := height + 1;
            stack[height] := argument::numeric;
            CONTINUE;
        END IF;
        other := stack[height];
        IF kind IN ('add', 'subtract', 'multiply', 'divide', 'min', 'max') THEN
            height := height - 1;
            one := stack[height];
        ELSIF kind IN ('round', 'ceil', 'floor') THEN
            unit := ('1e' || argument)::numeric;
        END IF;
        IF kind = 'divide' AND other = 0 THEN RETURN NULL; END IF;
        stack[height] := CASE kind
            WHEN 'add' THEN one + other
            WHEN 'subtract' THEN one - other
            WHEN 'multiply' THEN one * other
            WHEN 'divide' THEN sign(one) * sign(other) * 0.000000000001
                * div(abs(one) * 2000000000000 + abs(other), 2 * abs(other))
            WHEN 'min' THEN least(one, other)
            WHEN 'max' THEN greatest(one, other)
            WHEN 'negate' THEN -other
            WHEN 'abs' THEN abs(other)
            WHEN 'round' THEN round(other, argument::integer)
            WHEN 'ceil' THEN ceil(other * unit) * ('1e' || -argument::integer)::numeric
            WHEN 'floor' THEN floor(other * unit) * ('1e' || -argument::integer)::numeric
        END;
    END LOOP;
    one := round(stack[1], 12);
    IF abs(one) >= 1e15 OR (one < 0 AND NOT signed) THEN RETURN NULL; END IF;
    RETURN one;
END $$;

-- The number that a meter takes from an event: 1, its property if that is a plain decimal number,
-- or what its program makes of several.
CREATE FUNCTION usage_number(
    aggregation text, property text, program jsonb, signed boolean, properties jsonb
) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    CASE WHEN aggregation = 'count' THEN 1
         WHEN program IS NOT NULL THEN usage_compute(program, signed, properties)
         WHEN properties ->> property ~ '^[0-9]{1,15}(\.[0-9]{1,12}0*)?$'
         THEN (properties ->> property)::numeric
         WHEN signed AND properties ->> property ~ '^-[0-9]{1,15}(\.[0-9]{1,12}0*)?$'
         THEN (properties ->> property)::numeric END;

-- What is counted once however often it comes. New ones have 255 characters at most; of an older
-- event's longer one a hash stands for it, for it would not fit into an index.
CREATE FUNCTION usage_unique(property text, properties jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    CASE WHEN length(usage_text(properties, property)) <= 255
         THEN usage_text(properties, property)
         ELSE encode(sha256(convert_to(usage_text(properties, property), 'UTF8')), 'hex') END;

-- The values by which totals are kept apart, null where an event has none.
CREATE FUNCTION usage_dimensions_all(names text[], properties jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(jsonb_object_agg(n.name, left(usage_text(properties, n.name), 255)), '{}')
    FROM unnest(names) AS n (name);
END;
CREATE FUNCTION usage_dimensions(names text[], properties jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    CASE cardinality(names)
        WHEN 0 THEN '{}'
        WHEN 1 THEN jsonb_build_object(names[1], left(usage_text(properties, names[1]), 255))
        WHEN 2 THEN jsonb_build_object(names[1], left(usage_text(properties, names[1]), 255),
                                       names[2], left(usage_text(properties, names[2]), 255))
        ELSE usage_dimensions_all(names, properties) END;

-- 16 bytes of SHA-256: an index holds them, however many dimensions there are.
CREATE FUNCTION usage_dimension_key(dimensions jsonb) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    encode(substring(sha256(convert_to(dimensions::text, 'UTF8')) FOR 16), 'hex')::uuid;

-- A value with its instant; the greatest is the last, at one instant that of the greater key.
CREATE TYPE usage_point AS (at timestamptz, key uuid, value numeric);
-- In PL/pgSQL, for an aggregate can not inline SQL: half a microsecond a call, not one and a half.
CREATE FUNCTION usage_later(one usage_point, other usage_point) RETURNS usage_point
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF one >= other THEN RETURN one; END IF;
    RETURN other;
END $$;
CREATE AGGREGATE usage_last (usage_point) (
    SFUNC = usage_later, STYPE = usage_point, COMBINEFUNC = usage_later, PARALLEL = SAFE);

-- All that any aggregation needs of an hour's events with a value, so that hours can be merged;
-- `low`, `high`, `last` and `held` where the meter's does. `held` is the sum of value times seconds
-- to the hour's end: the integral of what the hour's events added, from which that of any period
-- follows (`held` + `total` x seconds from the hour's end to the period's).
CREATE TABLE usage_totals (
    account_id uuid NOT NULL,
    meter_id uuid NOT NULL REFERENCES meters,
    hour timestamptz NOT NULL,
    event_count bigint NOT NULL,
    total numeric NOT NULL,
    low numeric,
    high numeric,
    last usage_point,
    held numeric,
    PRIMARY KEY (account_id, meter_id, hour)
);

-- The same of recurring meters by months of UTC: what was before a period is a few rows. Neither
-- here nor below is the meter looked up for each row: usage_totals does it for the same events.
CREATE TABLE usage_months (
    account_id uuid NOT NULL,
    meter_id uuid NOT NULL,
    month timestamptz NOT NULL,
    event_count bigint NOT NULL,
    total numeric NOT NULL,
    last usage_point,
    PRIMARY KEY (account_id, meter_id, month)
);

-- The hours of meters with group_by once more, by the values of those properties. Beside
-- usage_totals, not in it: a total costs the same however many groups there are.
CREATE TABLE usage_groups (
    account_id uuid NOT NULL,
    meter_id uuid NOT NULL,
    hour timestamptz NOT NULL,
    dimension_key uuid NOT NULL,
    dimensions jsonb NOT NULL,
    event_count bigint NOT NULL,
    total numeric NOT NULL,
    low numeric,
    high numeric,
    last usage_point,
    held numeric,
    PRIMARY KEY (account_id, meter_id, hour, dimension_key)
);

-- The unique values of an hour; the value of `last` is 0 when the last event of the hour removed it.
CREATE TABLE usage_values (
    account_id uuid NOT NULL,
    meter_id uuid NOT NULL,
    hour timestamptz NOT NULL,
    dimension_key uuid NOT NULL,
    value text NOT NULL,
    dimensions jsonb NOT NULL,
    last usage_point NOT NULL,
    PRIMARY KEY (account_id, meter_id, hour, dimension_key, value)
);

-- Events that a correction took out; they stay stored and count nowhere.
CREATE TABLE usage_voids (
    account_id uuid NOT NULL,
    key uuid NOT NULL,
    voided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, key)
);
CALL protect_tenant_table('usage_totals');
CALL protect_tenant_table('usage_months');
CALL protect_tenant_table('usage_groups');
CALL protect_tenant_table('usage_values');
CALL protect_tenant_table('usage_voids');
REVOKE INSERT, UPDATE, DELETE ON usage_totals, usage_months, usage_groups, usage_values, usage_voids
    FROM tallystick_account;

-- All events of transactions before `upto` are in the totals, none after it is. Of the hours before
-- `archived_before`, the beginning of a month, the events may be gone: their totals stand, and
-- nothing makes them anew.
CREATE TABLE usage_fold (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    upto xid8 NOT NULL,
    archived_before timestamptz NOT NULL DEFAULT '-infinity'
        CHECK (archived_before = date_trunc('month', archived_before, 'UTC'))
);
INSERT INTO usage_fold (upto) VALUES ('0');
CALL share_reference_table('usage_fold');
