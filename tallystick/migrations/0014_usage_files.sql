-- Usage in files: how far imports came, and what was archived.

-- One for each file and way of reading it; `position` is in bytes of the unpacked text.
CREATE TABLE usage_imports (
    import_id uuid PRIMARY KEY,
    file_name text NOT NULL,
    position bigint NOT NULL,
    line bigint NOT NULL,
    errors_bytes bigint NOT NULL,
    accepted bigint NOT NULL,
    duplicate bigint NOT NULL,
    conflict bigint NOT NULL,
    unmatched bigint NOT NULL,
    invalid bigint NOT NULL,
    began_at timestamptz NOT NULL,
    finished_at timestamptz
);
GRANT SELECT, INSERT, UPDATE ON usage_imports TO tallystick_writer;
GRANT SELECT ON usage_imports TO tallystick_staff;

-- Old events go from usage_events into files; what stays is the memory of their ids and contents.
-- `at` and the two digests are those of the event, so that one that is sent again is told to be a
-- duplicate or a conflict.
CREATE TABLE usage_archived_keys (
    account_id uuid NOT NULL,
    key uuid NOT NULL,
    at timestamptz NOT NULL,
    digest_one bigint NOT NULL,
    digest_two bigint NOT NULL,
    PRIMARY KEY (account_id, key)
);
CALL protect_tenant_table('usage_archived_keys');
CALL make_append_only('usage_archived_keys');

-- How many events are gone of which hour: a period that begins or ends inside it can not be read.
CREATE TABLE usage_archived_hours (
    account_id uuid NOT NULL,
    event_type text NOT NULL,
    hour timestamptz NOT NULL,
    event_count bigint NOT NULL,
    PRIMARY KEY (account_id, event_type, hour)
);
CALL protect_tenant_table('usage_archived_hours');

-- The files. First the keys of a file are written (`remembered_at`), then its events are dropped.
CREATE TABLE usage_archives (
    account_id uuid NOT NULL,
    usage_archive_id uuid NOT NULL,
    month timestamptz NOT NULL,
    number integer NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    -- Of transactions before this one, the events are those of the file.
    upto xid8 NOT NULL,
    file_name text NOT NULL,
    sha256 text NOT NULL,
    event_count bigint NOT NULL,
    remembered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    dropped_at timestamptz,
    PRIMARY KEY (account_id, usage_archive_id),
    UNIQUE (account_id, month, number)
);
CREATE INDEX usage_archives_pending ON usage_archives (remembered_at) WHERE dropped_at IS NULL;
CALL protect_tenant_table('usage_archives');
REVOKE INSERT, UPDATE, DELETE ON usage_archived_keys, usage_archived_hours, usage_archives
    FROM tallystick_account, tallystick_writer;

-- What an event says beside its instant, as two hashes; equal for equal JSON, 1 and 1.0 alike.
CREATE FUNCTION usage_digests(
    event_type text, source text, event_id text, properties jsonb,
    OUT digest_one bigint, OUT digest_two bigint
) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT jsonb_hash_extended(c, 1), jsonb_hash_extended(c, 2)
    FROM jsonb_build_array(event_type, source, event_id, properties) AS c
$$;

-- An event as a line of a file, which `import usage` reads.
CREATE FUNCTION usage_line(subject text, event usage_events) RETURNS text LANGUAGE sql STABLE
RETURN jsonb_build_object('id', event.event_id, 'source', event.source, 'type', event.event_type,
    'subject', subject, 'properties', event.properties,
    'time', to_char(event.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text;

-- Half of a file's check sum: 8 bytes of SHA-256 of each line, added up.
CREATE FUNCTION usage_line_sum(line text) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ('x' || encode(substring(sha256(convert_to(line, 'UTF8')) FOR 8), 'hex'))::bit(64)::bigint;

-- The events of [since, until) that may go: folded, not voided, not in another file already.
CREATE FUNCTION usage_archivable(
    owner_id uuid, since timestamptz, until timestamptz, upto xid8
) RETURNS SETOF usage_events LANGUAGE sql STABLE AS $$
    SELECT e.* FROM usage_events e
    WHERE e.account_id = owner_id AND e.at >= since AND e.at < until AND e.tx < upto
      AND NOT EXISTS (SELECT FROM usage_voids v
                      WHERE v.account_id = e.account_id AND v.key = e.key)
      AND NOT EXISTS (SELECT FROM usage_archived_keys k
                      WHERE k.account_id = e.account_id AND k.key = e.key)
$$;

-- Remember the events of a file, which must be exactly those that may go. SECURITY DEFINER: no
-- role may write these tables, so nothing is remembered or dropped that no file was checked for.
CREATE FUNCTION remember_archived_usage(
    owner_id uuid, archive_id uuid, subject text, of_month timestamptz, file_number integer,
    since timestamptz, until timestamptz, upto xid8,
    name text, file_sha256 text, told_count bigint, told_sum numeric
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    found_count bigint;
    found_sum numeric;
BEGIN
    SELECT count(*), coalesce(sum(usage_line_sum(usage_line(subject, e))), 0)
    INTO found_count, found_sum FROM usage_archivable(owner_id, since, until, upto) AS e;
    IF (found_count, found_sum) IS DISTINCT FROM (told_count, told_sum) THEN
        RAISE EXCEPTION 'file % does not hold these events', name
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    INSERT INTO usage_archived_keys (account_id, key, at, digest_one, digest_two)
    SELECT e.account_id, e.key, e.at, d.digest_one, d.digest_two
    FROM usage_archivable(owner_id, since, until, upto) AS e,
        usage_digests(e.event_type, e.source, e.event_id, e.properties) AS d;
    INSERT INTO usage_archives (account_id, usage_archive_id, month, number, since, until,
        upto, file_name, sha256, event_count)
    VALUES (owner_id, archive_id, of_month, file_number, since, until, upto, name, file_sha256,
        told_count);
END $$;

-- Drop the events of a file whose keys are remembered, those voided meanwhile excepted.
CREATE FUNCTION drop_archived_usage(owner_id uuid, archive_id uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    file usage_archives;
    gone_count bigint;
BEGIN
    UPDATE usage_archives SET dropped_at = clock_timestamp()
    WHERE account_id = owner_id AND usage_archive_id = archive_id AND dropped_at IS NULL
    RETURNING * INTO file;
    IF NOT FOUND THEN RETURN 0; END IF;
    WITH gone AS (
        DELETE FROM usage_events e USING usage_archived_keys k
        WHERE e.account_id = owner_id AND e.at >= file.since AND e.at < file.until
          AND k.account_id = owner_id AND k.key = e.key
          AND NOT EXISTS (SELECT FROM usage_voids v
                          WHERE v.account_id = owner_id AND v.key = e.key)
        RETURNING e.event_type, date_trunc('hour', e.at, 'UTC') AS hour),
    counted AS (
        INSERT INTO usage_archived_hours AS h (account_id, event_type, hour, event_count)
        SELECT owner_id, event_type, hour, count(*) FROM gone GROUP BY 2, 3
        ON CONFLICT (account_id, event_type, hour)
        DO UPDATE SET event_count = h.event_count + excluded.event_count)
    SELECT count(*) INTO gone_count FROM gone;
    RETURN gone_count;
END $$;
REVOKE EXECUTE ON FUNCTION remember_archived_usage, drop_archived_usage FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remember_archived_usage, drop_archived_usage TO tallystick_writer;

-- Events stay as they are, and may go only when their keys are remembered: the owner too is bound.
CREATE FUNCTION refuse_usage_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND EXISTS (SELECT FROM usage_archived_keys k
                                    WHERE k.account_id = OLD.account_id AND k.key = OLD.key) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
DROP TRIGGER append_only ON usage_events;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON usage_events
    FOR EACH ROW EXECUTE FUNCTION refuse_usage_change();
