-- What all migrations make together; `make schema` writes it, a test compares it.

CREATE TYPE public.usage_point AS (
	at timestamp with time zone,
	key uuid,
	value numeric
);
CREATE FUNCTION public.answer_replays(entry_accounts uuid[], entry_ids uuid[], entry_keys text[], entry_kinds text[], entry_references text[], posting_entries integer[], posting_ledger_accounts text[], posting_units text[], posting_amounts bigint[]) RETURNS text[]
    LANGUAGE sql
    AS $$
    SELECT array_agg(CASE
        WHEN e.ledger_entry_id IS NULL THEN 'posted'
        WHEN e.ledger_entry_id = k.id THEN 'kept'
        WHEN (e.kind, e.reference) = (k.kind, k.reference)
             AND (SELECT array_agg(ROW (p.ledger_account, p.unit, p.amount) ORDER BY p.line)
                  FROM ledger_postings AS p
                  WHERE p.account_id = e.account_id AND p.ledger_entry_id = e.ledger_entry_id)
               = (SELECT array_agg(ROW (p.ledger_account, p.unit, p.amount) ORDER BY p.line)
                  FROM unnest(posting_entries, posting_ledger_accounts, posting_units,
                              posting_amounts)
                       WITH ORDINALITY AS p (entry, ledger_account, unit, amount, line)
                  WHERE p.entry = k.position)
        THEN 'replayed' ELSE 'conflict' END ORDER BY k.position)
    FROM unnest(entry_accounts, entry_ids, entry_keys, entry_kinds, entry_references)
         WITH ORDINALITY AS k (account_id, id, key, kind, reference, position)
    LEFT JOIN LATERAL (
         SELECT * FROM ledger_entries AS o
         WHERE o.account_id = k.account_id AND o.idempotency_key >= k.key
         ORDER BY o.idempotency_key LIMIT 1) AS e ON e.idempotency_key = k.key
$$;
CREATE PROCEDURE public.audit_table(IN audited regclass, VARIADIC secret_columns text[] DEFAULT '{}'::text[])
    LANGUAGE plpgsql
    AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON %s
        FOR EACH ROW EXECUTE FUNCTION write_audit(%s)', audited,
        (SELECT coalesce(string_agg(quote_literal(name), ', '), '')
         FROM unnest(secret_columns) AS name));
END $$;
CREATE FUNCTION public.carries_balance(ledger_account text) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    AS $$ SELECT ledger_account IN ('receivable', 'prepaid', 'customer_credit', 'credits') $$;
CREATE FUNCTION public.count_cost_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE credit_cost_epoch SET epoch = epoch + 1;
    RETURN NULL;
END $$;
CREATE FUNCTION public.current_account_id() RETURNS uuid
    LANGUAGE sql STABLE
    AS $$ SELECT nullif(current_setting('tallystick.account_id', true), '')::uuid $$;
CREATE FUNCTION public.debit_credits(accounts uuid[], item_slots integer[], item_keys text[], item_entries uuid[], item_ats timestamp with time zone[], item_kinds text[], item_counter_accounts text[], item_amounts bigint[], item_operations text[], item_models text[], item_quantities numeric[], item_descriptions text[], item_metadata text[], item_costs uuid[], item_epochs bigint[], OUT answer_outcomes text[], OUT answer_entries uuid[], OUT answer_credits bigint[], OUT answer_availables bigint[], OUT answer_ats timestamp with time zone[]) RETURNS record
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    item_count integer := cardinality(item_keys);
    epoch_now bigint;
    locked_count integer;
    debts bigint[]; debts_before bigint[]; holds bigint[]; overdrafts bigint[];
    alerts bigint[]; top_ups bigint[]; lows boolean[]; dues boolean[];
    grant_ids uuid[]; grant_places tid[];  -- nothing moves a grant while its account is locked
    grant_slots integer[]; remainings bigint[]; remainings_before bigint[];
    effectives timestamptz[]; expiries timestamptz[]; cap_ats timestamptz[]; caps bigint[];
    grant_count integer := 0;
    firsts integer[] := array_fill(0, ARRAY[cardinality(accounts)]);
    event_accounts uuid[]; event_kinds text[]; event_availables bigint[];
    debited_count integer := 0;
    allocation_count integer := 0;
    allocation_items integer[]; allocation_grants integer[]; allocation_amounts bigint[];
    debited integer[];
    slot integer;
    g integer;
    at timestamptz;
    usable bigint; total bigint; held bigint; wanted bigint; taken bigint;
    posted text[];
BEGIN
    LOOP
        SELECT array_agg(a.owed), array_agg(a.reserved), array_agg(a.overdraft_max),
               array_agg(a.alert_below), array_agg(a.top_up_below), array_agg(a.is_low),
               array_agg(a.is_top_up_due), count(*)
        INTO debts, holds, overdrafts, alerts, top_ups, lows, dues, locked_count
        FROM (SELECT c.owed, c.reserved, c.overdraft_max, c.alert_below, c.top_up_below, c.is_low,
                     c.is_top_up_due
              FROM credit_accounts AS c WHERE c.account_id = ANY (accounts)
              ORDER BY c.account_id FOR NO KEY UPDATE) AS a;
        EXIT WHEN locked_count = cardinality(accounts);
        INSERT INTO credit_accounts (account_id)
        SELECT u.id FROM unnest(accounts) AS u (id) ORDER BY 1 ON CONFLICT DO NOTHING;
    END LOOP;
    debts_before := debts;
    -- After the locks: these statements see what others committed meanwhile.
    SELECT e.epoch INTO epoch_now FROM credit_cost_epoch AS e;
    SELECT array_agg(CASE
               WHEN l.ledger_entry_id IS NULL AND i.epoch <> epoch_now THEN 'stale'
               WHEN l.ledger_entry_id IS NULL OR l.ledger_entry_id = i.entry THEN 'debited'
               WHEN l.kind = i.kind AND l.operation = i.operation
                    AND l.model IS NOT DISTINCT FROM i.model
                    AND l.quantity IS NOT DISTINCT FROM i.quantity
                    AND (l.credits = i.amount
                         OR (l.credit_cost_id IS NOT NULL AND i.cost IS NOT NULL))
               THEN 'replayed' ELSE 'conflict' END ORDER BY i.n),
           array_agg(coalesce(l.ledger_entry_id, i.entry) ORDER BY i.n),
           array_agg(coalesce(l.credits, i.amount) ORDER BY i.n),
           array_agg(l.available_after ORDER BY i.n),
           array_agg(coalesce(l.at, i.at) ORDER BY i.n)
    INTO answer_outcomes, answer_entries, answer_credits, answer_availables, answer_ats
    FROM unnest(item_slots, item_keys, item_entries, item_ats, item_kinds, item_amounts,
                item_operations, item_models, item_quantities, item_costs, item_epochs)
         WITH ORDINALITY AS i (slot, key, entry, at, kind, amount, operation, model, quantity,
                               cost, epoch, n)
    LEFT JOIN LATERAL (
         SELECT * FROM credit_usage_log AS o
         WHERE o.account_id = accounts[i.slot] AND o.idempotency_key >= i.key
         ORDER BY o.idempotency_key LIMIT 1) AS l ON l.idempotency_key = i.key;
    SELECT array_agg(s.credit_grant_id), array_agg(s.place), array_agg(s.slot),
           array_agg(s.remaining),
           array_agg(s.effective_at), array_agg(s.expires_at), array_agg(s.cap_at),
           array_agg(s.cap), count(*)
    INTO grant_ids, grant_places, grant_slots, remainings, effectives, expiries, cap_ats,
         caps, grant_count
    FROM (SELECT a.slot::integer AS slot, c.ctid AS place, c.*
          FROM unnest(accounts) WITH ORDINALITY AS a (id, slot)
          JOIN credit_grants AS c ON c.account_id = a.id AND NOT c.is_spent
          ORDER BY a.slot, c.priority, c.expires_at, c.created_at, c.credit_grant_id) AS s;
    remainings_before := remainings;
    FOR n IN REVERSE grant_count .. 1 LOOP
        firsts[grant_slots[n]] := n;
    END LOOP;
    FOR n IN 1 .. item_count LOOP
        CONTINUE WHEN answer_outcomes[n] <> 'debited' OR answer_availables[n] IS NOT NULL;
        slot := item_slots[n];
        at := item_ats[n];
        total := 0;
        g := firsts[slot];
        WHILE g > 0 AND g <= grant_count AND grant_slots[g] = slot LOOP
            IF remainings[g] > 0 AND at >= effectives[g]
               AND (expiries[g] IS NULL OR at < expiries[g]) THEN
                IF at >= cap_ats[g] THEN
                    total := total + least(remainings[g], caps[g]);
                ELSE
                    total := total + remainings[g];
                END IF;
            END IF;
            g := g + 1;
        END LOOP;
        total := total - debts[slot];
        IF holds[slot] > 0 THEN
            SELECT coalesce(sum(r.amount), 0) INTO held FROM credit_reservations AS r
            WHERE r.account_id = accounts[slot] AND r.status = 'active' AND r.expires_at > at;
            total := total - held;
        END IF;
        wanted := item_amounts[n];
        IF wanted > total + overdrafts[slot] THEN
            answer_outcomes[n] := 'insufficient';
            answer_availables[n] := total + overdrafts[slot];
            CONTINUE;
        END IF;
        debited_count := debited_count + 1;
        debited[debited_count] := n;
        answer_availables[n] := total - wanted;
        g := firsts[slot];
        WHILE wanted > 0 AND g > 0 AND g <= grant_count AND grant_slots[g] = slot LOOP
            IF remainings[g] > 0 AND at >= effectives[g]
               AND (expiries[g] IS NULL OR at < expiries[g]) THEN
                usable := remainings[g];
                IF at >= cap_ats[g] THEN
                    usable := least(usable, caps[g]);
                END IF;
                taken := least(usable, wanted);
                IF taken > 0 THEN
                    remainings[g] := remainings[g] - taken;
                    IF at >= cap_ats[g] THEN
                        caps[g] := caps[g] - taken;
                    END IF;
                    wanted := wanted - taken;
                    allocation_count := allocation_count + 1;
                    allocation_items[allocation_count] := n;
                    allocation_grants[allocation_count] := g;
                    allocation_amounts[allocation_count] := taken;
                END IF;
            END IF;
            g := g + 1;
        END LOOP;
        debts[slot] := debts[slot] + wanted;
        IF answer_availables[n] < alerts[slot] AND NOT lows[slot] THEN
            lows[slot] := true;
            event_accounts := event_accounts || accounts[slot];
            event_kinds := event_kinds || 'credits.low'::text;
            event_availables := event_availables || answer_availables[n];
        END IF;
        IF answer_availables[n] < top_ups[slot] AND NOT dues[slot] THEN
            dues[slot] := true;
            event_accounts := event_accounts || accounts[slot];
            event_kinds := event_kinds || 'credits.top_up_due'::text;
            event_availables := event_availables || answer_availables[n];
        END IF;
    END LOOP;
    IF debited_count = 0 THEN
        RETURN;
    END IF;
    SELECT post_entries(
               array_agg(accounts[item_slots[d.n]] ORDER BY d.place),
               array_agg(item_entries[d.n] ORDER BY d.place),
               array_agg('credits:' || item_kinds[d.n] || ':' || item_keys[d.n] ORDER BY d.place),
               array_agg('credit_' || item_kinds[d.n] ORDER BY d.place),
               array_agg(item_operations[d.n] || coalesce(':' || item_models[d.n], '')
                         ORDER BY d.place),
               array_agg(item_descriptions[d.n] ORDER BY d.place),
               array_agg(item_ats[d.n] ORDER BY d.place),
               -- Two postings for each entry: from the customer's credits to the house.
               (SELECT array_agg((p + 1) / 2) FROM generate_series(1, 2 * debited_count) AS p),
               (SELECT array_agg(CASE WHEN p % 2 = 1 THEN 'credits' ELSE
                                 item_counter_accounts[debited[(p + 1) / 2]] END)
                FROM generate_series(1, 2 * debited_count) AS p),
               array_fill('CREDIT'::text, ARRAY[2 * debited_count]),
               (SELECT array_agg(CASE WHEN p % 2 = 1 THEN item_amounts[debited[(p + 1) / 2]]
                                 ELSE -item_amounts[debited[(p + 1) / 2]] END)
                FROM generate_series(1, 2 * debited_count) AS p))
    INTO posted FROM unnest(debited) WITH ORDINALITY AS d (n, place);
    IF array_positions(posted, 'posted') IS DISTINCT FROM
       (SELECT array_agg(p) FROM generate_series(1, debited_count) AS p) THEN
        RAISE EXCEPTION 'the books refused a debit of credits: %', posted
            USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO credit_usage_log (account_id, idempotency_key, ledger_entry_id, kind, operation,
                                  model, quantity, credits, credit_cost_id, description, metadata,
                                  at, available_after)
    SELECT accounts[item_slots[d.n]], item_keys[d.n], item_entries[d.n], item_kinds[d.n],
           item_operations[d.n], item_models[d.n], item_quantities[d.n], item_amounts[d.n],
           item_costs[d.n], item_descriptions[d.n], item_metadata[d.n]::jsonb, item_ats[d.n],
           answer_availables[d.n]
    FROM unnest(debited) AS d (n);
    IF allocation_count > 0 THEN
        INSERT INTO credit_allocations (account_id, ledger_entry_id, credit_grant_id, amount)
        SELECT accounts[item_slots[t.item]], item_entries[t.item], grant_ids[t.taken_from], t.amount
        FROM unnest(allocation_items, allocation_grants, allocation_amounts)
             AS t (item, taken_from, amount);
        UPDATE credit_grants AS c SET remaining = m.remaining, cap = m.cap,
               is_spent = m.remaining = 0,
               due_at = CASE WHEN m.remaining > 0 THEN c.due_at END
        FROM unnest(grant_places, remainings, remainings_before, caps)
             AS m (place, remaining, was, cap)
        WHERE c.ctid = m.place AND m.remaining < m.was;
    END IF;
    IF event_accounts IS NOT NULL THEN
        INSERT INTO outbox (account_id, kind, payload)
        SELECT e.account_id, e.kind, jsonb_build_object('available_units', e.available)
        FROM unnest(event_accounts, event_kinds, event_availables)
             AS e (account_id, kind, available);
    END IF;
    IF event_accounts IS NOT NULL OR debts <> debts_before THEN
        UPDATE credit_accounts AS c SET owed = m.owed, is_low = m.is_low, is_top_up_due = m.is_due
        FROM unnest(accounts, debts, lows, dues) AS m (id, owed, is_low, is_due)
        WHERE c.account_id = m.id AND (c.owed, c.is_low, c.is_top_up_due)
              IS DISTINCT FROM (m.owed, m.is_low, m.is_due);
    END IF;
END $$;
CREATE FUNCTION public.drop_archived_usage(owner_id uuid, archive_id uuid) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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
CREATE FUNCTION public.follow_payment() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE payment_invoices
    SET live = NEW.status IN ('pending', 'pending_approval', 'processing')
    WHERE account_id = NEW.account_id AND payment_id = NEW.payment_id
        AND live <> (NEW.status IN ('pending', 'pending_approval', 'processing'));
    RETURN NULL;
END $$;
CREATE FUNCTION public.hashed_text(value text) RETURNS bytea
    LANGUAGE sql STABLE
    AS $$ SELECT int4send(octet_length(convert_to(value, 'UTF8'))) || convert_to(value, 'UTF8') $$;
CREATE FUNCTION public.is_ledger_account(ledger_account text, unit text) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    AS $_$ SELECT CASE WHEN unit = 'CREDIT'
    THEN ledger_account IN ('credits', 'credits_issued', 'credits_used', 'credits_transferred',
                            'breakage')
    ELSE (ledger_account IN ('receivable', 'prepaid', 'customer_credit', 'revenue',
                             'deferred_revenue', 'tax_payable', 'gateway_fees', 'refunds', 'chargebacks', 'bad_debt',
                             'breakage')
          OR ledger_account ~ '^clearing:[a-z][a-z0-9_]*$')
         AND length(unit) = 3 AND upper(unit) = unit END $_$;
CREATE FUNCTION public.keep_but_for_status() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE moving text[] := '{status,activated_at,retired_at}';
BEGIN
    IF TG_OP <> 'UPDATE' OR to_jsonb(OLD) - moving <> to_jsonb(NEW) - moving
        OR (OLD.status, NEW.status) NOT IN (('draft', 'active'), ('draft', 'retired'),
            ('active', 'retired')) THEN
        RAISE EXCEPTION 'a % only changes its status, from draft to active to retired',
            TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION public.keep_but_for_the_end() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP <> 'UPDATE' OR OLD.valid_until IS NOT NULL
        OR to_jsonb(OLD) - 'valid_until' <> to_jsonb(NEW) - 'valid_until' THEN
        RAISE EXCEPTION 'a row of % is only ended, once', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE PROCEDURE public.keep_versions(IN versions regclass)
    LANGUAGE plpgsql
    AS $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %s
        FROM tallystick_account, tallystick_writer, tallystick_staff', versions);
    EXECUTE format('GRANT UPDATE (status, activated_at, retired_at) ON %s TO tallystick_writer',
        versions);
    EXECUTE format('CREATE TRIGGER kept BEFORE UPDATE OR DELETE ON %s
        FOR EACH ROW EXECUTE FUNCTION keep_but_for_status()', versions);
    EXECUTE format('CREATE TRIGGER kept_whole BEFORE TRUNCATE ON %s
        FOR EACH STATEMENT EXECUTE FUNCTION keep_but_for_status()', versions);
END $$;
CREATE PROCEDURE public.make_append_only(IN grown_table regclass)
    LANGUAGE plpgsql
    AS $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %s
        FROM tallystick_account, tallystick_writer, tallystick_staff', grown_table);
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %s
        FOR EACH ROW EXECUTE FUNCTION refuse_change()', grown_table);
    EXECUTE format('CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON %s
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', grown_table);
END $$;
CREATE FUNCTION public.new_uuid7() RETURNS uuid
    LANGUAGE sql
    AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
        PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
        FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;
CREATE FUNCTION public.note_usage(accounts uuid[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO usage_alert_due (account_id)
    SELECT u.id FROM unnest(accounts) AS u (id)
    WHERE (SELECT true FROM usage_watches AS w WHERE w.account_id = u.id);
    IF FOUND THEN PERFORM pg_notify('tallystick_due', 'kind:usage_alerts'); END IF;
END $$;
CREATE FUNCTION public.note_written_usage() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF EXISTS (SELECT FROM usage_watches) THEN
        INSERT INTO usage_alert_due (account_id)
        SELECT n.account_id FROM (SELECT DISTINCT account_id FROM written) AS n
        WHERE (SELECT true FROM usage_watches AS w WHERE w.account_id = n.account_id);
        IF FOUND THEN PERFORM pg_notify('tallystick_due', 'kind:usage_alerts'); END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION public.post_entries(entry_accounts uuid[], entry_ids uuid[], entry_keys text[], entry_kinds text[], entry_references text[], entry_reasons text[], entry_ats timestamp with time zone[], posting_entries integer[], posting_ledger_accounts text[], posting_units text[], posting_amounts bigint[]) RETURNS text[]
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_sort TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    recorded timestamptz := clock_timestamp();
    entry_count integer := cardinality(entry_ids);
    posting_count integer := cardinality(posting_entries);
    outcomes text[];
    posting_bytes bytea[];  -- of each entry: its postings as they are hashed
    digests bytea[];  -- of each entry
    slots integer[];  -- of each posting: which balance it moves; NULL on a house account
    slot_count integer;
    places tid[];  -- of each balance; a locked row stays where it is
    balances bigint[];
    sequences bigint[];
    floors bigint[];
    hashes bytea[];
    posting_sequences bigint[] := array_fill(NULL::bigint, ARRAY[posting_count]);
    posting_balances bigint[] := array_fill(NULL::bigint, ARRAY[posting_count]);
    posting_hashes bytea[] := array_fill(NULL::bytea, ARRAY[posting_count]);
    last_posting integer := 0;
    first_posting integer;
    slot integer;
    may_be_short boolean := false;
    new_count integer := 0;
    written_count integer;
BEGIN
    SELECT array_agg(s.slot ORDER BY s.line), coalesce(max(s.slot), 0) INTO slots, slot_count
    FROM (SELECT p.line, CASE WHEN carries_balance(p.ledger_account) THEN dense_rank() OVER (
                     PARTITION BY carries_balance(p.ledger_account)
                     ORDER BY entry_accounts[p.entry], p.ledger_account, p.unit) END AS slot
          FROM unnest(posting_entries, posting_ledger_accounts, posting_units)
               WITH ORDINALITY AS p (entry, ledger_account, unit, line)) AS s;
    -- Everybody locks in this order, so nobody waits in a circle. Two rounds at most: the second
    -- when a balance had to be opened.
    WHILE slot_count > 0 LOOP
        SELECT array_agg(b.place), array_agg(b.balance), array_agg(b.sequence),
               array_agg(b.floor), array_agg(b.hash)
        INTO places, balances, sequences, floors, hashes
        FROM (SELECT DISTINCT entry_accounts[p.entry] AS account_id, p.ledger_account, p.unit
              FROM unnest(posting_entries, posting_ledger_accounts, posting_units)
                   AS p (entry, ledger_account, unit)
              WHERE carries_balance(p.ledger_account) ORDER BY 1, 2, 3) AS wanted
        CROSS JOIN LATERAL (
              SELECT o.ctid AS place, o.balance, o.sequence, o.floor, o.hash
              FROM ledger_balances AS o
              WHERE o.account_id = wanted.account_id AND o.ledger_account = wanted.ledger_account
                    AND o.unit = wanted.unit
              FOR NO KEY UPDATE) AS b;
        EXIT WHEN cardinality(balances) = slot_count;
        INSERT INTO ledger_balances (account_id, ledger_account, unit, balance, sequence, floor)
        SELECT DISTINCT entry_accounts[p.entry], p.ledger_account, p.unit, 0, 0,
                        CASE WHEN p.ledger_account <> 'receivable' THEN 0 END
        FROM unnest(posting_entries, posting_ledger_accounts, posting_units)
             AS p (entry, ledger_account, unit)
        WHERE carries_balance(p.ledger_account)
        ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING;
    END LOOP;
    -- Replays are looked up after the locks: this statement sees what others committed meanwhile.
    IF EXISTS (SELECT FROM unnest(entry_accounts, entry_keys) AS k (account_id, key)
               WHERE k.key = (SELECT e.idempotency_key FROM ledger_entries AS e
                              WHERE e.account_id = k.account_id AND e.idempotency_key >= k.key
                              ORDER BY e.idempotency_key LIMIT 1)) THEN
        outcomes := answer_replays(entry_accounts, entry_ids, entry_keys, entry_kinds,
                                   entry_references, posting_entries, posting_ledger_accounts,
                                   posting_units, posting_amounts);
    ELSE
        outcomes := array_fill('posted'::text, ARRAY[entry_count]);
    END IF;
    SELECT array_agg(b.bytes ORDER BY b.entry) INTO posting_bytes
    FROM (SELECT p.entry, string_agg(hashed_text(p.ledger_account) || hashed_text(p.unit)
                                     || int8send(p.amount), ''::bytea ORDER BY p.line) AS bytes
          FROM unnest(posting_entries, posting_ledger_accounts, posting_units, posting_amounts)
               WITH ORDINALITY AS p (entry, ledger_account, unit, amount, line)
          GROUP BY p.entry) AS b;
    SELECT array_agg(sha256(uuid_send(e.account_id) || uuid_send(e.id) || timestamptz_send(e.at)
                            || timestamptz_send(recorded) || hashed_text(e.key)
                            || hashed_text(e.kind) || hashed_text(e.reference)
                            || hashed_text(e.reason) || posting_bytes[e.position])
                     ORDER BY e.position) INTO digests
    FROM unnest(entry_accounts, entry_ids, entry_keys, entry_kinds, entry_references,
                entry_reasons, entry_ats)
         WITH ORDINALITY AS e (account_id, id, key, kind, reference, reason, at, position);
    FOR entry IN 1 .. entry_count LOOP
        first_posting := last_posting + 1;
        WHILE last_posting < posting_count AND posting_entries[last_posting + 1] = entry LOOP
            last_posting := last_posting + 1;
        END LOOP;
        CONTINUE WHEN outcomes[entry] <> 'posted';
        FOR line IN first_posting .. last_posting LOOP
            slot := slots[line];
            CONTINUE WHEN slot IS NULL;
            balances[slot] := balances[slot] + posting_amounts[line];
            sequences[slot] := sequences[slot] + 1;
            posting_balances[line] := balances[slot];
            posting_sequences[line] := sequences[slot];
            may_be_short := may_be_short OR -balances[slot] < floors[slot];
        END LOOP;
        IF may_be_short THEN  -- judged behind the whole entry, which may take and give
            FOR line IN first_posting .. last_posting LOOP
                slot := slots[line];
                IF -balances[slot] < floors[slot] THEN
                    outcomes[entry] := 'overdrawn';
                END IF;
            END LOOP;
            may_be_short := false;
        END IF;
        IF outcomes[entry] = 'posted' THEN
            new_count := new_count + 1;
            FOR line IN first_posting .. last_posting LOOP
                slot := slots[line];
                CONTINUE WHEN slot IS NULL;
                hashes[slot] := sha256(hashes[slot] || digests[entry]
                    || int2send((line - first_posting + 1)::smallint)
                    || int8send(posting_sequences[line]) || int8send(posting_balances[line]));
                posting_hashes[line] := hashes[slot];
            END LOOP;
        ELSE
            FOR line IN first_posting .. last_posting LOOP
                slot := slots[line];
                CONTINUE WHEN slot IS NULL;
                balances[slot] := balances[slot] - posting_amounts[line];
                sequences[slot] := sequences[slot] - 1;
            END LOOP;
        END IF;
    END LOOP;
    IF new_count = 0 THEN
        RETURN array_replace(outcomes, 'kept', 'posted');
    END IF;
    -- One statement, so that the triggers of both tables see the whole.
    WITH written AS (
        INSERT INTO ledger_entries (account_id, ledger_entry_id, idempotency_key, kind, reference,
                                    reason, at, recorded_at)
        SELECT e.account_id, e.id, e.key, e.kind, e.reference, e.reason, e.at, recorded
        FROM unnest(entry_accounts, entry_ids, entry_keys, entry_kinds, entry_references,
                    entry_reasons, entry_ats, outcomes)
             AS e (account_id, id, key, kind, reference, reason, at, outcome)
        WHERE e.outcome = 'posted'
        ON CONFLICT (account_id, idempotency_key) DO NOTHING RETURNING 1)
    INSERT INTO ledger_postings (account_id, ledger_entry_id, line, ledger_account, unit, amount,
                                 sequence, balance_after, hash)
    SELECT entry_accounts[p.entry], entry_ids[p.entry],
           row_number() OVER (PARTITION BY p.entry ORDER BY p.line), p.ledger_account, p.unit,
           p.amount, p.sequence, p.balance, p.hash
    FROM unnest(posting_entries, posting_ledger_accounts, posting_units, posting_amounts,
                posting_sequences, posting_balances, posting_hashes)
         WITH ORDINALITY AS p (entry, ledger_account, unit, amount, sequence, balance, hash, line)
    WHERE outcomes[p.entry] = 'posted'
          AND (SELECT wrote_all(count(*), new_count) FROM written);
    GET DIAGNOSTICS written_count = ROW_COUNT;
    IF written_count = 0 THEN
        RETURN array_replace(
            answer_replays(entry_accounts, entry_ids, entry_keys, entry_kinds, entry_references,
                           posting_entries, posting_ledger_accounts, posting_units,
                           posting_amounts), 'kept', 'posted');
    END IF;
    UPDATE ledger_balances AS b SET balance = m.balance, sequence = m.sequence, hash = m.hash
    FROM unnest(places, balances, sequences, hashes) AS m (place, balance, sequence, hash)
    WHERE b.ctid = m.place AND b.sequence < m.sequence;
    RETURN array_replace(outcomes, 'kept', 'posted');
END $$;
CREATE PROCEDURE public.protect_tenant_table(IN tenant_table regclass)
    LANGUAGE plpgsql
    AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('CREATE POLICY own_rows ON %s TO tallystick_account
        USING (account_id = current_account_id()) WITH CHECK (account_id = current_account_id())',
        tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO tallystick_account', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO tallystick_writer', tenant_table);
    EXECUTE format('GRANT SELECT ON %s TO tallystick_staff', tenant_table);
END $$;
CREATE FUNCTION public.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION public.refuse_change_of_line() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' AND 'draft' = (SELECT status FROM invoices
            WHERE account_id = OLD.account_id AND invoice_id = OLD.invoice_id) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'invoice_lines is append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION public.refuse_edit_of_final() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    moving CONSTANT text[] := ARRAY['status', 'paid_minor', 'paid_at', 'credited_minor',
                                    'offset_minor'];
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.status = 'draft' THEN RETURN OLD; END IF;
        RAISE EXCEPTION 'invoice % is kept', OLD.invoice_id USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.status <> 'draft' AND (to_jsonb(OLD) - moving) IS DISTINCT FROM (to_jsonb(NEW) - moving)
    THEN
        RAISE EXCEPTION 'invoice % is final', OLD.number USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION public.refuse_edit_of_note() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    moving CONSTANT text[] := ARRAY['status', 'voided_at'];
BEGIN
    IF TG_OP = 'DELETE' OR OLD.status = 'void'
            OR (to_jsonb(OLD) - moving) IS DISTINCT FROM (to_jsonb(NEW) - moving) THEN
        RAISE EXCEPTION 'credit note % is final', OLD.number
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION public.refuse_line_of_final() RETURNS trigger
    LANGUAGE plpgsql STABLE
    AS $$
BEGIN
    IF (SELECT status FROM invoices
        WHERE account_id = NEW.account_id AND invoice_id = NEW.invoice_id) <> 'draft' THEN
        RAISE EXCEPTION 'the invoice is final' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION public.refuse_move_of_bill() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' AND 'draft' = (SELECT status FROM invoices
            WHERE account_id = OLD.account_id AND invoice_id = OLD.invoice_id) THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE'
            AND (OLD.account_id, OLD.subscription_id, OLD.bill_index)
              = (NEW.account_id, NEW.subscription_id, NEW.bill_index)
            AND 'void' = (SELECT status FROM invoices WHERE account_id = OLD.account_id
                          AND invoice_id = OLD.invoice_id) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'bill % has its invoice', OLD.bill_index USING ERRCODE =
        CASE TG_OP WHEN 'UPDATE' THEN 'unique_violation' ELSE 'restrict_violation' END;
END $$;
CREATE FUNCTION public.refuse_other_line() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.amount_minor IS DISTINCT FROM (
            SELECT l.amount_minor FROM invoice_lines AS l
            WHERE l.account_id = NEW.account_id AND l.invoice_id = NEW.invoice_id
                  AND l.invoice_line_id = NEW.invoice_line_id) THEN
        RAISE EXCEPTION 'the line % has another amount', NEW.invoice_line_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION public.refuse_other_tax() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.amount_minor IS DISTINCT FROM (
            SELECT (i.document #>> ARRAY['taxes', NEW.place::text, 'amount_minor'])::bigint
            FROM invoices AS i
            WHERE i.account_id = NEW.account_id AND i.invoice_id = NEW.invoice_id) THEN
        RAISE EXCEPTION 'tax % of the invoice has another amount', NEW.place
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION public.refuse_unbalanced() RETURNS trigger
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_sort TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE off uuid;
BEGIN
    IF TG_TABLE_NAME = 'ledger_postings' THEN
        SELECT a.ledger_entry_id INTO off FROM added AS a
        GROUP BY a.account_id, a.ledger_entry_id, a.unit HAVING sum(a.amount) <> 0 LIMIT 1;
        IF off IS NULL THEN
            SELECT a.ledger_entry_id INTO off FROM added AS a
            WHERE a.line = 1 AND a.ledger_entry_id IS DISTINCT FROM (
                SELECT e.ledger_entry_id FROM ledger_entries AS e
                WHERE e.account_id = a.account_id AND e.ledger_entry_id >= a.ledger_entry_id
                ORDER BY e.ledger_entry_id LIMIT 1)
            LIMIT 1;
        END IF;
    ELSE
        SELECT a.ledger_entry_id INTO off FROM added AS a
        WHERE NOT EXISTS (
            SELECT FROM ledger_postings AS p
            WHERE p.account_id = a.account_id AND p.ledger_entry_id = a.ledger_entry_id
                  AND p.line = 1 OFFSET 0)
        LIMIT 1;
    END IF;
    IF off IS NOT NULL THEN
        RAISE EXCEPTION 'ledger entry % does not balance', off USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION public.refuse_usage_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' AND EXISTS (SELECT FROM usage_archived_keys k
                                    WHERE k.account_id = OLD.account_id AND k.key = OLD.key) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION public.remember_archived_usage(owner_id uuid, archive_id uuid, subject text, of_month timestamp with time zone, file_number integer, since timestamp with time zone, until timestamp with time zone, upto xid8, name text, file_sha256 text, told_count bigint, told_sum numeric) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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
CREATE PROCEDURE public.share_reference_table(IN reference_table regclass)
    LANGUAGE plpgsql
    AS $$
BEGIN
    EXECUTE format('GRANT SELECT ON %s TO tallystick_account, tallystick_staff', reference_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO tallystick_writer', reference_table);
END $$;
CREATE FUNCTION public.tell_webhook_endpoints() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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
CREATE FUNCTION public.usable_credits(remaining bigint, effective_at timestamp with time zone, expires_at timestamp with time zone, cap_at timestamp with time zone, cap bigint, at timestamp with time zone) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE WHEN at < effective_at OR at >= expires_at THEN 0
                WHEN at >= cap_at THEN least(remaining, cap)
                ELSE remaining END
$$;
CREATE TABLE public.usage_events (
    account_id uuid NOT NULL,
    key uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    event_type text NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    properties jsonb NOT NULL,
    tx xid8 DEFAULT pg_current_xact_id() NOT NULL
)
PARTITION BY HASH (account_id);
CREATE FUNCTION public.usage_archivable(owner_id uuid, since timestamp with time zone, until timestamp with time zone, upto xid8) RETURNS SETOF public.usage_events
    LANGUAGE sql STABLE
    AS $$
    SELECT e.* FROM usage_events e
    WHERE e.account_id = owner_id AND e.at >= since AND e.at < until AND e.tx < upto
      AND NOT EXISTS (SELECT FROM usage_voids v
                      WHERE v.account_id = e.account_id AND v.key = e.key)
      AND NOT EXISTS (SELECT FROM usage_archived_keys k
                      WHERE k.account_id = e.account_id AND k.key = e.key)
$$;
CREATE FUNCTION public.usage_compute(program jsonb, signed boolean, properties jsonb) RETURNS numeric
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $_$
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
END $_$;
CREATE FUNCTION public.usage_digests(event_type text, source text, event_id text, properties jsonb, OUT digest_one bigint, OUT digest_two bigint) RETURNS record
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT jsonb_hash_extended(c, 1), jsonb_hash_extended(c, 2)
    FROM jsonb_build_array(event_type, source, event_id, properties) AS c
$$;
CREATE FUNCTION public.usage_dimension_key(dimensions jsonb) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (encode(SUBSTRING(sha256(convert_to((dimensions)::text, 'UTF8'::name)) FROM 1 FOR 16), 'hex'::text))::uuid;
CREATE FUNCTION public.usage_text(properties jsonb, property text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (jsonb_typeof((properties -> property)) <> ALL (ARRAY['object'::text, 'array'::text])) THEN (properties ->> property) ELSE NULL::text END;
CREATE FUNCTION public.usage_dimensions_all(names text[], properties jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT COALESCE(jsonb_object_agg(n.name, "left"(public.usage_text(usage_dimensions_all.properties, n.name), 255)), '{}'::jsonb) AS "coalesce"
    FROM unnest(usage_dimensions_all.names) n(name);
END;
CREATE FUNCTION public.usage_dimensions(names text[], properties jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE cardinality(names) WHEN 0 THEN '{}'::jsonb WHEN 1 THEN jsonb_build_object((names)[1], "left"(public.usage_text(properties, (names)[1]), 255)) WHEN 2 THEN jsonb_build_object((names)[1], "left"(public.usage_text(properties, (names)[1]), 255), (names)[2], "left"(public.usage_text(properties, (names)[2]), 255)) ELSE public.usage_dimensions_all(names, properties) END;
CREATE FUNCTION public.usage_later(one public.usage_point, other public.usage_point) RETURNS public.usage_point
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
BEGIN
    IF one >= other THEN RETURN one; END IF;
    RETURN other;
END $$;
CREATE FUNCTION public.usage_line(subject text, event public.usage_events) RETURNS text
    LANGUAGE sql STABLE
    RETURN (jsonb_build_object('id', (event).event_id, 'source', (event).source, 'type', (event).event_type, 'subject', subject, 'properties', (event).properties, 'time', to_char(((event).at AT TIME ZONE 'UTC'::text), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'::text)))::text;
CREATE FUNCTION public.usage_line_sum(line text) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((('x'::text || encode(SUBSTRING(sha256(convert_to(line, 'UTF8'::name)) FROM 1 FOR 8), 'hex'::text)))::bit(64))::bigint;
CREATE FUNCTION public.usage_matches_all(filters jsonb, properties jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT bool_and(
         CASE (f.value ->> 'operator'::text)
             WHEN 'is'::text THEN COALESCE(((f.value -> 'values'::text) ? v.value), false)
             WHEN 'is_not'::text THEN ((v.value IS NULL) OR (NOT ((f.value -> 'values'::text) ? v.value)))
             WHEN 'exists'::text THEN (v.value IS NOT NULL)
             ELSE (v.value IS NULL)
         END) AS bool_and
    FROM jsonb_array_elements(usage_matches_all.filters) f(value),
     LATERAL public.usage_text(usage_matches_all.properties, (f.value ->> 'property'::text)) v(value);
END;
CREATE FUNCTION public.usage_matches(filters jsonb, properties jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN ((jsonb_array_length(filters) = 1) AND ((filters #>> '{0,operator}'::text[]) = 'is'::text)) THEN COALESCE(((filters #> '{0,values}'::text[]) ? public.usage_text(properties, (filters #>> '{0,property}'::text[]))), false) ELSE public.usage_matches_all(filters, properties) END;
CREATE FUNCTION public.usage_number(aggregation text, property text, program jsonb, signed boolean, properties jsonb) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (aggregation = 'count'::text) THEN (1)::numeric WHEN (program IS NOT NULL) THEN public.usage_compute(program, signed, properties) WHEN ((properties ->> property) ~ '^[0-9]{1,15}(\.[0-9]{1,12}0*)?$'::text) THEN ((properties ->> property))::numeric WHEN (signed AND ((properties ->> property) ~ '^-[0-9]{1,15}(\.[0-9]{1,12}0*)?$'::text)) THEN ((properties ->> property))::numeric ELSE NULL::numeric END;
CREATE FUNCTION public.usage_unique(property text, properties jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (length(public.usage_text(properties, property)) <= 255) THEN public.usage_text(properties, property) ELSE encode(sha256(convert_to(public.usage_text(properties, property), 'UTF8'::name)), 'hex'::text) END;
CREATE FUNCTION public.wake_worker() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_notify('tallystick_due', TG_TABLE_NAME);
    RETURN NULL;
END $$;
CREATE FUNCTION public.want_tax_number_check() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public'
    AS $$
BEGIN
    IF NEW.tax_number IS NULL THEN
        DELETE FROM tax_number_checks WHERE account_id = NEW.account_id;
    ELSE
        INSERT INTO tax_number_checks AS c
            (account_id, country, tax_number, outcome, try_count, next_check_at)
        VALUES (NEW.account_id, NEW.country, NEW.tax_number, 'unknown', 0, clock_timestamp())
        ON CONFLICT (account_id) DO UPDATE SET country = EXCLUDED.country,
            tax_number = EXCLUDED.tax_number, outcome = 'unknown', checked_at = NULL,
            try_count = 0, next_check_at = EXCLUDED.next_check_at
        WHERE (c.country, c.tax_number) <> (EXCLUDED.country, EXCLUDED.tax_number);
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION public.webhook_object(kind text, payload jsonb, account_id uuid) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT split_part(kind, '.', 1) || ':'
        || coalesce(payload ->> (split_part(kind, '.', 1) || '_id'), account_id::text)
$$;
CREATE FUNCTION public.write_audit() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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
CREATE FUNCTION public.wrote_all(written_count bigint, wanted_count integer) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF written_count < wanted_count AND wanted_count > 1 THEN
        RAISE EXCEPTION 'a key of this batch was posted at the same moment'
            USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN written_count = wanted_count;
END $$;
CREATE AGGREGATE public.usage_last(public.usage_point) (
    SFUNC = public.usage_later,
    STYPE = public.usage_point,
    COMBINEFUNC = public.usage_later,
    PARALLEL = safe
);
CREATE TABLE public.account_limits (
    account_id uuid NOT NULL,
    meter_id uuid NOT NULL,
    per text NOT NULL,
    quantity numeric,
    kind text NOT NULL,
    reason text NOT NULL,
    set_at timestamp with time zone NOT NULL,
    CONSTRAINT account_limits_kind_check CHECK ((kind = ANY (ARRAY['hard'::text, 'soft'::text]))),
    CONSTRAINT account_limits_per_check CHECK ((per = ANY (ARRAY['period'::text, 'day'::text, 'minute'::text]))),
    CONSTRAINT account_limits_quantity_check CHECK ((quantity >= (0)::numeric))
);
CREATE TABLE public.accounts (
    account_id uuid NOT NULL,
    external_id text,
    name text NOT NULL,
    email text NOT NULL,
    currency character(3) NOT NULL,
    timezone text NOT NULL,
    country character(2) NOT NULL,
    locale text NOT NULL,
    address text[] DEFAULT '{}'::text[] NOT NULL,
    region text,
    city text,
    postal_code text,
    tax_number text,
    tax_name text,
    tax_percent numeric,
    payment_due_days integer,
    grace_hours integer,
    minimum_amount_minor bigint,
    purchase_order text,
    memo text,
    custom_fields jsonb DEFAULT '[]'::jsonb NOT NULL,
    autopay boolean DEFAULT false NOT NULL,
    payment_fallback boolean DEFAULT false NOT NULL,
    test_clock_id uuid,
    issuer_id uuid,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT accounts_check CHECK (((tax_name IS NULL) = (tax_percent IS NULL))),
    CONSTRAINT accounts_country_check CHECK (((country)::text = upper((country)::text))),
    CONSTRAINT accounts_currency_check CHECK (((currency)::text = upper((currency)::text))),
    CONSTRAINT accounts_grace_hours_check CHECK (((grace_hours >= 0) AND (grace_hours <= 2160))),
    CONSTRAINT accounts_minimum_amount_minor_check CHECK ((minimum_amount_minor >= 0)),
    CONSTRAINT accounts_payment_due_days_check CHECK (((payment_due_days >= 0) AND (payment_due_days <= 365))),
    CONSTRAINT accounts_region_check CHECK ((region ~ '^[A-Z0-9]{1,3}$'::text)),
    CONSTRAINT accounts_tax_percent_check CHECK (((tax_percent >= (0)::numeric) AND (tax_percent <= (100)::numeric)))
);
CREATE TABLE public.add_ons (
    add_on_id uuid NOT NULL,
    code text NOT NULL,
    version integer NOT NULL,
    name text NOT NULL,
    charge text NOT NULL,
    amounts jsonb NOT NULL,
    features jsonb NOT NULL,
    status text NOT NULL,
    activated_at timestamp with time zone,
    retired_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT add_ons_charge_check CHECK ((charge = ANY (ARRAY['once'::text, 'per_period'::text]))),
    CONSTRAINT add_ons_check CHECK (((status = 'retired'::text) = (retired_at IS NOT NULL))),
    CONSTRAINT add_ons_code_check CHECK ((code ~ '^[a-z][a-z0-9_-]{0,62}$'::text)),
    CONSTRAINT add_ons_status_check CHECK ((status = ANY (ARRAY['draft'::text, 'active'::text, 'retired'::text]))),
    CONSTRAINT add_ons_version_check CHECK ((version >= 1))
);
CREATE TABLE public.mirrored_charges (
    account_id uuid NOT NULL,
    gateway text NOT NULL,
    reference text NOT NULL,
    payment_reference text,
    status text NOT NULL,
    currency character(3) NOT NULL,
    amount_minor bigint NOT NULL,
    refunded_minor bigint NOT NULL,
    description text,
    is_paid boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    read_at timestamp with time zone NOT NULL
);
CREATE TABLE public.payments (
    account_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    request_key text NOT NULL,
    gateway text NOT NULL,
    payment_method_id uuid,
    currency character(3) NOT NULL,
    amount_minor bigint NOT NULL,
    received_minor bigint DEFAULT 0 NOT NULL,
    refunded_minor bigint DEFAULT 0 NOT NULL,
    status text NOT NULL,
    reference text,
    failure_code text,
    note text,
    next_attempt_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    settled_at timestamp with time zone,
    method_code text,
    proof_note text,
    reference_key text,
    CONSTRAINT payments_amount_minor_check CHECK ((amount_minor > 0)),
    CONSTRAINT payments_check CHECK (((refunded_minor >= 0) AND (refunded_minor <= received_minor))),
    CONSTRAINT payments_received_minor_check CHECK ((received_minor >= 0)),
    CONSTRAINT payments_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'pending_approval'::text, 'processing'::text, 'succeeded'::text, 'failed'::text, 'cancelled'::text, 'refunded'::text, 'partially_refunded'::text, 'disputed'::text])))
);
CREATE VIEW public.all_charges WITH (security_invoker='true') AS
 SELECT payments.account_id,
    'tallystick'::text AS source,
    payments.payment_id,
    NULL::text AS reference,
    payments.gateway,
    payments.status,
    payments.currency,
    payments.amount_minor,
    NULL::text AS description,
    payments.created_at
   FROM public.payments
UNION ALL
 SELECT mirrored_charges.account_id,
    mirrored_charges.gateway AS source,
    NULL::uuid AS payment_id,
    mirrored_charges.reference,
    mirrored_charges.gateway,
        CASE
            WHEN (mirrored_charges.refunded_minor = 0) THEN mirrored_charges.status
            WHEN (mirrored_charges.refunded_minor < mirrored_charges.amount_minor) THEN 'partially_refunded'::text
            ELSE 'refunded'::text
        END AS status,
    mirrored_charges.currency,
    mirrored_charges.amount_minor,
    mirrored_charges.description,
    mirrored_charges.created_at
   FROM public.mirrored_charges;
CREATE TABLE public.mirrored_subscriptions (
    account_id uuid NOT NULL,
    gateway text NOT NULL,
    reference text NOT NULL,
    status text NOT NULL,
    tier text NOT NULL,
    currency character(3) NOT NULL,
    amount_minor bigint NOT NULL,
    monthly_minor numeric NOT NULL,
    "interval" text,
    interval_count integer,
    period_start timestamp with time zone,
    period_end timestamp with time zone,
    trial_ends_at timestamp with time zone,
    cancel_at_period_end boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    read_at timestamp with time zone NOT NULL
);
CREATE TABLE public.subscriptions (
    account_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    currency character(3) NOT NULL,
    plan_version_id uuid NOT NULL,
    plan_id uuid NOT NULL,
    quantity integer DEFAULT 1 NOT NULL,
    status text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    timezone text NOT NULL,
    billing_time text NOT NULL,
    anchor_on date,
    schedule_owner text NOT NULL,
    external_id text,
    standing_at timestamp with time zone,
    period_index integer NOT NULL,
    period_start timestamp with time zone NOT NULL,
    period_end timestamp with time zone NOT NULL,
    next_bill_at timestamp with time zone,
    bill_index integer DEFAULT 0 NOT NULL,
    flat_from timestamp with time zone NOT NULL,
    used_from timestamp with time zone NOT NULL,
    covered_from timestamp with time zone NOT NULL,
    advance_until timestamp with time zone,
    usage_bill_at timestamp with time zone,
    opens_at timestamp with time zone,
    trial_ends_at timestamp with time zone,
    trial_end text NOT NULL,
    change_at timestamp with time zone,
    next_plan_version_id uuid,
    next_plan_id uuid,
    next_quantity integer,
    paused_at timestamp with time zone,
    resumes_at timestamp with time zone,
    remainder text NOT NULL,
    bill_error text,
    bill_try_count integer DEFAULT 0 NOT NULL,
    bill_retry_at timestamp with time zone,
    cancel_at_period_end boolean DEFAULT false NOT NULL,
    invoice_separately boolean DEFAULT false NOT NULL,
    ends_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    revision integer DEFAULT 0 NOT NULL,
    CONSTRAINT subscriptions_bill_index_check CHECK ((bill_index >= 0)),
    CONSTRAINT subscriptions_billing_time_check CHECK ((billing_time = ANY (ARRAY['anniversary'::text, 'calendar'::text]))),
    CONSTRAINT subscriptions_check CHECK ((period_end > period_start)),
    CONSTRAINT subscriptions_check1 CHECK (((schedule_owner = 'tallystick'::text) = (external_id IS NULL))),
    CONSTRAINT subscriptions_check2 CHECK (((bill_error IS NULL) = (bill_retry_at IS NULL))),
    CONSTRAINT subscriptions_check3 CHECK (((ends_at IS NOT NULL) OR ((status <> 'canceled'::text) AND (NOT cancel_at_period_end)))),
    CONSTRAINT subscriptions_check4 CHECK ((num_nonnulls(change_at, next_plan_version_id, next_plan_id, next_quantity) = ANY (ARRAY[0, 4]))),
    CONSTRAINT subscriptions_currency_check CHECK (((currency)::text = upper((currency)::text))),
    CONSTRAINT subscriptions_external_id_check CHECK (((length(external_id) >= 1) AND (length(external_id) <= 255))),
    CONSTRAINT subscriptions_next_quantity_check CHECK (((next_quantity >= 1) AND (next_quantity <= 1000000))),
    CONSTRAINT subscriptions_period_index_check CHECK ((period_index >= 0)),
    CONSTRAINT subscriptions_quantity_check CHECK (((quantity >= 1) AND (quantity <= 1000000))),
    CONSTRAINT subscriptions_remainder_check CHECK ((remainder = ANY (ARRAY['credit'::text, 'refund'::text, 'none'::text]))),
    CONSTRAINT subscriptions_schedule_owner_check CHECK ((schedule_owner = ANY (ARRAY['tallystick'::text, 'ccbill'::text, 'stripe'::text]))),
    CONSTRAINT subscriptions_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'incomplete'::text, 'trialing'::text, 'active'::text, 'past_due'::text, 'paused'::text, 'canceled'::text]))),
    CONSTRAINT subscriptions_trial_end_check CHECK ((trial_end = ANY (ARRAY['bill'::text, 'pause'::text, 'cancel'::text])))
);
CREATE VIEW public.all_subscriptions WITH (security_invoker='true') AS
 SELECT subscriptions.account_id,
    'tallystick'::text AS source,
    subscriptions.subscription_id,
    NULL::text AS reference,
    subscriptions.schedule_owner AS gateway,
    subscriptions.status,
    subscriptions.currency,
    subscriptions.plan_version_id,
    subscriptions.quantity,
    NULL::text AS tier,
    NULL::bigint AS amount_minor,
    NULL::numeric AS monthly_minor,
    NULL::text AS "interval",
    NULL::integer AS interval_count,
    subscriptions.period_start,
    subscriptions.period_end,
    subscriptions.trial_ends_at,
    subscriptions.cancel_at_period_end,
    subscriptions.created_at
   FROM public.subscriptions
UNION ALL
 SELECT mirrored_subscriptions.account_id,
    mirrored_subscriptions.gateway AS source,
    NULL::uuid AS subscription_id,
    mirrored_subscriptions.reference,
    mirrored_subscriptions.gateway,
    mirrored_subscriptions.status,
    mirrored_subscriptions.currency,
    NULL::uuid AS plan_version_id,
    1 AS quantity,
    mirrored_subscriptions.tier,
    mirrored_subscriptions.amount_minor,
    mirrored_subscriptions.monthly_minor,
    mirrored_subscriptions."interval",
    mirrored_subscriptions.interval_count,
    mirrored_subscriptions.period_start,
    mirrored_subscriptions.period_end,
    mirrored_subscriptions.trial_ends_at,
    mirrored_subscriptions.cancel_at_period_end,
    mirrored_subscriptions.created_at
   FROM public.mirrored_subscriptions;
CREATE TABLE public.api_keys (
    api_key_id uuid NOT NULL,
    account_id uuid,
    name text NOT NULL,
    key_hash bytea NOT NULL,
    last_four text NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT api_keys_check CHECK (((account_id IS NULL) OR (NOT ('admin'::text = ANY (scopes))))),
    CONSTRAINT api_keys_scopes_check CHECK ((scopes <@ ARRAY['usage:write'::text, 'billing:read'::text, 'billing:write'::text, 'credits:write'::text, 'admin'::text]))
);
CREATE TABLE public.billing_audit (
    account_id uuid NOT NULL,
    audit_id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    request_id text NOT NULL,
    reason text NOT NULL,
    table_name text NOT NULL,
    action text NOT NULL,
    before jsonb,
    after jsonb,
    CONSTRAINT billing_audit_action_check CHECK ((action = ANY (ARRAY['INSERT'::text, 'UPDATE'::text, 'DELETE'::text])))
);
ALTER TABLE public.billing_audit ALTER COLUMN audit_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.billing_audit_audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.ccbill_charges (
    account_id uuid NOT NULL,
    idempotency_key text NOT NULL,
    payment_token_id text NOT NULL,
    state text NOT NULL,
    request jsonb NOT NULL,
    authenticated boolean NOT NULL,
    before_ids text[],
    sent_at timestamp with time zone,
    outcome jsonb,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT ccbill_charges_check CHECK (((state = 'done'::text) = (outcome IS NOT NULL))),
    CONSTRAINT ccbill_charges_check1 CHECK (((state <> 'sent'::text) OR ((before_ids IS NOT NULL) AND (sent_at IS NOT NULL)))),
    CONSTRAINT ccbill_charges_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'claimed'::text, 'sent'::text, 'done'::text])))
);
CREATE TABLE public.ccbill_extracts (
    username text NOT NULL,
    asked_at timestamp with time zone NOT NULL
);
CREATE TABLE public.ccbill_refunds (
    account_id uuid NOT NULL,
    idempotency_key text NOT NULL,
    refund_id uuid NOT NULL,
    subscription_id text NOT NULL,
    charge_reference text NOT NULL,
    currency character(3) NOT NULL,
    amount_minor bigint NOT NULL,
    reversed_before integer NOT NULL,
    sent_at timestamp with time zone NOT NULL,
    outcome jsonb,
    told_by text,
    CONSTRAINT ccbill_refunds_amount_minor_check CHECK ((amount_minor > 0))
);
CREATE TABLE public.checkouts (
    account_id uuid NOT NULL,
    checkout_id uuid NOT NULL,
    request_key text NOT NULL,
    gateway text NOT NULL,
    mode text NOT NULL,
    status text NOT NULL,
    reference text,
    description text NOT NULL,
    currency character(3) NOT NULL,
    amount_minor bigint,
    payment_id uuid,
    payment_attempt_id uuid,
    subscription_id uuid,
    success_url text NOT NULL,
    cancel_url text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT checkouts_amount_minor_check CHECK ((amount_minor > 0)),
    CONSTRAINT checkouts_check CHECK (((payment_id IS NULL) = (amount_minor IS NULL))),
    CONSTRAINT checkouts_check1 CHECK (((payment_id IS NULL) = (payment_attempt_id IS NULL))),
    CONSTRAINT checkouts_mode_check CHECK ((mode = ANY (ARRAY['payment'::text, 'setup'::text, 'subscription'::text]))),
    CONSTRAINT checkouts_status_check CHECK ((status = ANY (ARRAY['created'::text, 'open'::text, 'complete'::text, 'expired'::text])))
);
CREATE TABLE public.coupon_redemptions (
    account_id uuid NOT NULL,
    redemption_id uuid NOT NULL,
    coupon_id uuid NOT NULL,
    redeemed_at timestamp with time zone NOT NULL,
    periods_left integer,
    amount_left_minor bigint,
    ended_at timestamp with time zone,
    CONSTRAINT coupon_redemptions_amount_left_minor_check CHECK ((amount_left_minor >= 0)),
    CONSTRAINT coupon_redemptions_periods_left_check CHECK ((periods_left >= 0))
);
CREATE TABLE public.coupons (
    coupon_id uuid NOT NULL,
    code text NOT NULL,
    version integer NOT NULL,
    name text NOT NULL,
    percent numeric,
    amounts jsonb,
    duration text NOT NULL,
    periods integer,
    plans text[] NOT NULL,
    prices text[] NOT NULL,
    meters text[] NOT NULL,
    redemptions_max integer,
    redemptions_per_account_max integer,
    valid_from timestamp with time zone,
    valid_until timestamp with time zone,
    status text NOT NULL,
    activated_at timestamp with time zone,
    retired_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT coupons_check CHECK ((valid_until > valid_from)),
    CONSTRAINT coupons_check1 CHECK ((num_nonnulls(percent, amounts) = 1)),
    CONSTRAINT coupons_check2 CHECK (((duration = 'periods'::text) = (periods IS NOT NULL))),
    CONSTRAINT coupons_check3 CHECK (((status = 'retired'::text) = (retired_at IS NOT NULL))),
    CONSTRAINT coupons_code_check CHECK ((code ~ '^[A-Z0-9][A-Z0-9_-]{0,62}$'::text)),
    CONSTRAINT coupons_duration_check CHECK ((duration = ANY (ARRAY['once'::text, 'periods'::text, 'forever'::text]))),
    CONSTRAINT coupons_percent_check CHECK (((percent > (0)::numeric) AND (percent <= (100)::numeric))),
    CONSTRAINT coupons_periods_check CHECK (((periods >= 1) AND (periods <= 120))),
    CONSTRAINT coupons_redemptions_max_check CHECK ((redemptions_max >= 1)),
    CONSTRAINT coupons_redemptions_per_account_max_check CHECK ((redemptions_per_account_max >= 1)),
    CONSTRAINT coupons_status_check CHECK ((status = ANY (ARRAY['draft'::text, 'active'::text, 'retired'::text]))),
    CONSTRAINT coupons_version_check CHECK ((version >= 1))
);
CREATE TABLE public.credit_accounts (
    account_id uuid NOT NULL,
    owed bigint DEFAULT 0 NOT NULL,
    reserved bigint DEFAULT 0 NOT NULL,
    overdraft_max bigint DEFAULT 0 NOT NULL,
    alert_below bigint,
    top_up_below bigint,
    top_up_package_id uuid,
    top_up_month_max_minor bigint,
    is_low boolean DEFAULT false NOT NULL,
    is_top_up_due boolean DEFAULT false NOT NULL,
    CONSTRAINT credit_accounts_alert_below_check CHECK ((alert_below > 0)),
    CONSTRAINT credit_accounts_check CHECK (((top_up_below IS NULL) = (top_up_package_id IS NULL))),
    CONSTRAINT credit_accounts_check1 CHECK (((top_up_below IS NULL) = (top_up_month_max_minor IS NULL))),
    CONSTRAINT credit_accounts_overdraft_max_check CHECK ((overdraft_max >= 0)),
    CONSTRAINT credit_accounts_owed_check CHECK ((owed >= 0)),
    CONSTRAINT credit_accounts_reserved_check CHECK ((reserved >= 0)),
    CONSTRAINT credit_accounts_top_up_below_check CHECK ((top_up_below > 0)),
    CONSTRAINT credit_accounts_top_up_month_max_minor_check CHECK ((top_up_month_max_minor > 0))
)
WITH (fillfactor='50');
CREATE TABLE public.credit_allocations (
    account_id uuid NOT NULL,
    ledger_entry_id uuid NOT NULL,
    credit_grant_id uuid NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT credit_allocations_amount_check CHECK ((amount > 0))
);
CREATE TABLE public.credit_cost_epoch (
    only_row boolean DEFAULT true NOT NULL,
    epoch bigint NOT NULL,
    CONSTRAINT credit_cost_epoch_only_row_check CHECK (only_row)
);
CREATE TABLE public.credit_cost_overrides (
    credit_cost_id uuid CONSTRAINT credit_costs_credit_cost_id_not_null NOT NULL,
    operation text CONSTRAINT credit_costs_operation_not_null NOT NULL,
    model text,
    version integer CONSTRAINT credit_costs_version_not_null NOT NULL,
    unit text CONSTRAINT credit_costs_unit_not_null NOT NULL,
    unit_size numeric CONSTRAINT credit_costs_unit_size_not_null NOT NULL,
    credits_per_unit numeric CONSTRAINT credit_costs_credits_per_unit_not_null NOT NULL,
    minimum numeric CONSTRAINT credit_costs_minimum_not_null NOT NULL,
    rounding text CONSTRAINT credit_costs_rounding_not_null NOT NULL,
    step numeric CONSTRAINT credit_costs_step_not_null NOT NULL,
    effective_at timestamp with time zone CONSTRAINT credit_costs_effective_at_not_null NOT NULL,
    is_active boolean CONSTRAINT credit_costs_is_active_not_null NOT NULL,
    created_at timestamp with time zone CONSTRAINT credit_costs_created_at_not_null NOT NULL,
    account_id uuid NOT NULL,
    CONSTRAINT credit_costs_credits_per_unit_check CHECK ((credits_per_unit >= (0)::numeric)),
    CONSTRAINT credit_costs_minimum_check CHECK ((minimum >= (0)::numeric)),
    CONSTRAINT credit_costs_rounding_check CHECK ((rounding = ANY (ARRAY['up'::text, 'nearest'::text, 'down'::text]))),
    CONSTRAINT credit_costs_step_check CHECK ((step > (0)::numeric)),
    CONSTRAINT credit_costs_unit_size_check CHECK ((unit_size > (0)::numeric)),
    CONSTRAINT credit_costs_version_check CHECK ((version >= 1))
);
CREATE TABLE public.credit_costs (
    credit_cost_id uuid NOT NULL,
    operation text NOT NULL,
    model text,
    version integer NOT NULL,
    unit text NOT NULL,
    unit_size numeric NOT NULL,
    credits_per_unit numeric NOT NULL,
    minimum numeric NOT NULL,
    rounding text NOT NULL,
    step numeric NOT NULL,
    effective_at timestamp with time zone NOT NULL,
    is_active boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT credit_costs_credits_per_unit_check CHECK ((credits_per_unit >= (0)::numeric)),
    CONSTRAINT credit_costs_minimum_check CHECK ((minimum >= (0)::numeric)),
    CONSTRAINT credit_costs_rounding_check CHECK ((rounding = ANY (ARRAY['up'::text, 'nearest'::text, 'down'::text]))),
    CONSTRAINT credit_costs_step_check CHECK ((step > (0)::numeric)),
    CONSTRAINT credit_costs_unit_size_check CHECK ((unit_size > (0)::numeric)),
    CONSTRAINT credit_costs_version_check CHECK ((version >= 1))
);
CREATE TABLE public.credit_grants (
    account_id uuid NOT NULL,
    credit_grant_id uuid NOT NULL,
    idempotency_key text NOT NULL,
    ledger_entry_id uuid NOT NULL,
    source text NOT NULL,
    amount bigint NOT NULL,
    remaining bigint NOT NULL,
    priority smallint NOT NULL,
    effective_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    cap_at timestamp with time zone,
    cap bigint,
    due_at timestamp with time zone,
    is_spent boolean DEFAULT false NOT NULL,
    reference text NOT NULL,
    reason text NOT NULL,
    refunded_entry_id uuid,
    refunded_grant_id uuid,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT credit_grants_amount_check CHECK ((amount > 0)),
    CONSTRAINT credit_grants_check CHECK (((remaining >= 0) AND (remaining <= amount))),
    CONSTRAINT credit_grants_check1 CHECK ((expires_at > effective_at)),
    CONSTRAINT credit_grants_check2 CHECK ((((cap_at IS NULL) = (cap IS NULL)) AND (cap >= 0))),
    CONSTRAINT credit_grants_check3 CHECK ((is_spent = (remaining = 0))),
    CONSTRAINT credit_grants_check4 CHECK ((NOT (is_spent AND (due_at IS NOT NULL)))),
    CONSTRAINT credit_grants_source_check CHECK ((source = ANY (ARRAY['plan'::text, 'purchase'::text, 'promotion'::text, 'manual'::text, 'refund'::text, 'transfer'::text])))
)
WITH (fillfactor='50');
CREATE TABLE public.credit_note_files (
    account_id uuid NOT NULL,
    credit_note_id uuid NOT NULL,
    form text NOT NULL,
    source bytea NOT NULL,
    etag text NOT NULL,
    content bytea NOT NULL,
    CONSTRAINT credit_note_files_form_check CHECK ((form = ANY (ARRAY['pdf'::text, 'facturx'::text, 'cii'::text, 'ubl'::text, 'peppol'::text])))
);
ALTER TABLE ONLY public.credit_note_files ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE TABLE public.credit_note_lines (
    account_id uuid NOT NULL,
    credit_note_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    invoice_line_id uuid NOT NULL,
    "position" integer NOT NULL,
    description text NOT NULL,
    quantity numeric,
    amount_minor bigint NOT NULL,
    net_minor bigint NOT NULL,
    CONSTRAINT credit_note_lines_amount_minor_check CHECK ((amount_minor > 0)),
    CONSTRAINT credit_note_lines_net_minor_check CHECK ((net_minor >= 0)),
    CONSTRAINT credit_note_lines_quantity_check CHECK ((quantity > (0)::numeric))
);
CREATE TABLE public.credit_note_taxes (
    account_id uuid NOT NULL,
    credit_note_id uuid NOT NULL,
    place integer NOT NULL,
    name text NOT NULL,
    percent numeric NOT NULL,
    base_minor bigint NOT NULL,
    amount_minor bigint NOT NULL,
    CONSTRAINT credit_note_taxes_amount_minor_check CHECK ((amount_minor >= 0)),
    CONSTRAINT credit_note_taxes_base_minor_check CHECK ((base_minor >= 0))
);
CREATE TABLE public.credit_notes (
    account_id uuid NOT NULL,
    credit_note_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    issuer_id uuid NOT NULL,
    number text NOT NULL,
    status text NOT NULL,
    reason text NOT NULL,
    text text NOT NULL,
    currency character(3) NOT NULL,
    subtotal_minor bigint NOT NULL,
    tax_minor bigint NOT NULL,
    total_minor bigint NOT NULL,
    offset_minor bigint NOT NULL,
    credit_minor bigint NOT NULL,
    refund_minor bigint NOT NULL,
    request_key text,
    document jsonb NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    voided_at timestamp with time zone,
    CONSTRAINT credit_notes_check CHECK ((total_minor = (subtotal_minor + tax_minor))),
    CONSTRAINT credit_notes_check1 CHECK ((total_minor = ((offset_minor + credit_minor) + refund_minor))),
    CONSTRAINT credit_notes_check2 CHECK (((status = 'void'::text) = (voided_at IS NOT NULL))),
    CONSTRAINT credit_notes_credit_minor_check CHECK ((credit_minor >= 0)),
    CONSTRAINT credit_notes_offset_minor_check CHECK ((offset_minor >= 0)),
    CONSTRAINT credit_notes_reason_check CHECK ((reason = ANY (ARRAY['duplicate'::text, 'product_unsatisfactory'::text, 'order_change'::text, 'fraudulent'::text, 'late_usage'::text, 'other'::text]))),
    CONSTRAINT credit_notes_refund_minor_check CHECK ((refund_minor >= 0)),
    CONSTRAINT credit_notes_status_check CHECK ((status = ANY (ARRAY['issued'::text, 'void'::text]))),
    CONSTRAINT credit_notes_subtotal_minor_check CHECK ((subtotal_minor >= 0)),
    CONSTRAINT credit_notes_tax_minor_check CHECK ((tax_minor >= 0)),
    CONSTRAINT credit_notes_total_minor_check CHECK ((total_minor > 0))
);
CREATE TABLE public.credit_packages (
    credit_package_id uuid NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    credits bigint NOT NULL,
    currency character(3) NOT NULL,
    amount_minor bigint NOT NULL,
    priority smallint NOT NULL,
    expires_after_days integer,
    is_active boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT credit_packages_amount_minor_check CHECK ((amount_minor > 0)),
    CONSTRAINT credit_packages_code_check CHECK ((code ~ '^[a-z][a-z0-9_-]{0,62}$'::text)),
    CONSTRAINT credit_packages_credits_check CHECK ((credits > 0)),
    CONSTRAINT credit_packages_currency_check CHECK (((currency)::text = upper((currency)::text))),
    CONSTRAINT credit_packages_expires_after_days_check CHECK ((expires_after_days > 0))
);
CREATE TABLE public.credit_purchases (
    account_id uuid NOT NULL,
    credit_purchase_id uuid NOT NULL,
    request_key text NOT NULL,
    credit_package_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    credits bigint NOT NULL,
    currency character(3) NOT NULL,
    amount_minor bigint NOT NULL,
    priority smallint NOT NULL,
    expires_after_days integer,
    is_top_up boolean NOT NULL,
    status text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT credit_purchases_amount_minor_check CHECK ((amount_minor > 0)),
    CONSTRAINT credit_purchases_credits_check CHECK ((credits > 0)),
    CONSTRAINT credit_purchases_status_check CHECK ((status = ANY (ARRAY['open'::text, 'granted'::text, 'reversed'::text])))
);
CREATE TABLE public.credit_reservations (
    account_id uuid NOT NULL,
    credit_reservation_id uuid NOT NULL,
    idempotency_key text NOT NULL,
    amount bigint NOT NULL,
    operation text NOT NULL,
    model text,
    quantity numeric,
    status text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    settled_key text,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT credit_reservations_amount_check CHECK ((amount > 0)),
    CONSTRAINT credit_reservations_check CHECK (((status = 'settled'::text) = (settled_key IS NOT NULL))),
    CONSTRAINT credit_reservations_status_check CHECK ((status = ANY (ARRAY['active'::text, 'settled'::text, 'released'::text, 'expired'::text])))
);
CREATE TABLE public.credit_usage_log (
    account_id uuid NOT NULL,
    idempotency_key text NOT NULL,
    ledger_entry_id uuid NOT NULL,
    kind text NOT NULL,
    operation text NOT NULL,
    model text,
    quantity numeric,
    credits bigint NOT NULL,
    credit_cost_id uuid,
    description text NOT NULL,
    metadata jsonb,
    at timestamp with time zone NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    available_after bigint NOT NULL,
    CONSTRAINT credit_usage_log_credits_check CHECK ((credits > 0)),
    CONSTRAINT credit_usage_log_kind_check CHECK ((kind = ANY (ARRAY['usage'::text, 'adjustment'::text, 'transfer'::text])))
);
CREATE TABLE public.credited_lines (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    invoice_line_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    net_minor bigint NOT NULL,
    credited_minor bigint NOT NULL,
    credited_net_minor bigint NOT NULL,
    credited_quantity numeric NOT NULL,
    CONSTRAINT credited_lines_check CHECK (((net_minor >= 0) AND (net_minor <= amount_minor))),
    CONSTRAINT credited_lines_check1 CHECK (((credited_minor >= 0) AND (credited_minor <= amount_minor))),
    CONSTRAINT credited_lines_check2 CHECK (((credited_net_minor >= 0) AND (credited_net_minor <= net_minor))),
    CONSTRAINT credited_lines_check3 CHECK (((credited_minor < amount_minor) OR (credited_net_minor = net_minor))),
    CONSTRAINT credited_lines_credited_quantity_check CHECK ((credited_quantity >= (0)::numeric))
);
CREATE TABLE public.credited_taxes (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    place integer NOT NULL,
    base_minor bigint NOT NULL,
    amount_minor bigint NOT NULL,
    credited_base_minor bigint NOT NULL,
    credited_minor bigint NOT NULL,
    CONSTRAINT credited_taxes_check CHECK (((credited_base_minor >= 0) AND (credited_base_minor <= base_minor))),
    CONSTRAINT credited_taxes_check1 CHECK (((credited_minor >= 0) AND (credited_minor <= amount_minor)))
);
CREATE TABLE public.customer_credit_uses (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    customer_credit_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    used_at timestamp with time zone NOT NULL,
    CONSTRAINT customer_credit_uses_amount_minor_check CHECK ((amount_minor > 0))
);
CREATE TABLE public.customer_credits (
    account_id uuid NOT NULL,
    customer_credit_id uuid NOT NULL,
    number text NOT NULL,
    currency character(3) NOT NULL,
    amount_minor bigint NOT NULL,
    left_minor bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT customer_credits_amount_minor_check CHECK ((amount_minor > 0)),
    CONSTRAINT customer_credits_check CHECK (((left_minor >= 0) AND (left_minor <= amount_minor)))
);
CREATE TABLE public.disputes (
    account_id uuid NOT NULL,
    dispute_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    payment_id uuid,
    gateway text NOT NULL,
    reference text NOT NULL,
    kind text NOT NULL,
    code text,
    currency character(3) NOT NULL,
    amount_minor bigint NOT NULL,
    paid_minor bigint NOT NULL,
    status text NOT NULL,
    respond_by timestamp with time zone,
    opened_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT disputes_amount_minor_check CHECK ((amount_minor > 0)),
    CONSTRAINT disputes_check CHECK (((paid_minor >= 0) AND (paid_minor <= amount_minor))),
    CONSTRAINT disputes_check1 CHECK (((status = ANY (ARRAY['warning'::text, 'opened'::text])) = (ended_at IS NULL))),
    CONSTRAINT disputes_kind_check CHECK ((kind = ANY (ARRAY['dispute'::text, 'return'::text]))),
    CONSTRAINT disputes_status_check CHECK ((status = ANY (ARRAY['warning'::text, 'opened'::text, 'won'::text, 'lost'::text])))
);
CREATE TABLE public.exchange_rates (
    base character(3) NOT NULL,
    quote character(3) NOT NULL,
    rate_on date NOT NULL,
    rate numeric NOT NULL,
    source text NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    CONSTRAINT exchange_rates_base_check CHECK (((base)::text = upper((base)::text))),
    CONSTRAINT exchange_rates_check CHECK ((((quote)::text = upper((quote)::text)) AND (quote <> base))),
    CONSTRAINT exchange_rates_rate_check CHECK ((rate > (0)::numeric))
);
CREATE TABLE public.feature_overrides (
    account_id uuid NOT NULL,
    feature_id uuid NOT NULL,
    value jsonb NOT NULL,
    reason text NOT NULL,
    until timestamp with time zone,
    set_at timestamp with time zone NOT NULL
);
CREATE TABLE public.features (
    feature_id uuid NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    meter_id uuid,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT features_check CHECK (((kind = 'metered'::text) = (meter_id IS NOT NULL))),
    CONSTRAINT features_code_check CHECK ((code ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
    CONSTRAINT features_kind_check CHECK ((kind = ANY (ARRAY['boolean'::text, 'number'::text, 'text'::text, 'metered'::text])))
);
CREATE TABLE public.gateway_customers (
    account_id uuid NOT NULL,
    gateway text NOT NULL,
    token text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    removed_at timestamp with time zone
);
CREATE TABLE public.gateway_renewals (
    account_id uuid NOT NULL,
    gateway text NOT NULL,
    event_id text NOT NULL,
    subscription_id uuid NOT NULL,
    kind text NOT NULL,
    period_start timestamp with time zone NOT NULL,
    period_end timestamp with time zone NOT NULL,
    invoice_id uuid,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT gateway_renewals_event_id_check CHECK (((length(event_id) >= 1) AND (length(event_id) <= 255))),
    CONSTRAINT gateway_renewals_kind_check CHECK ((kind = ANY (ARRAY['renewed'::text, 'failed'::text, 'ended'::text])))
);
CREATE TABLE public.gateway_schedules (
    account_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    gateway text NOT NULL,
    initial_days integer NOT NULL,
    currency character(3) NOT NULL,
    recurring_minor bigint NOT NULL,
    period_days integer NOT NULL,
    rebills integer,
    reference text,
    next_renewal_at timestamp with time zone,
    retry_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT gateway_schedules_initial_days_check CHECK ((initial_days > 0)),
    CONSTRAINT gateway_schedules_period_days_check CHECK ((period_days > 0)),
    CONSTRAINT gateway_schedules_rebills_check CHECK ((rebills > 0)),
    CONSTRAINT gateway_schedules_recurring_minor_check CHECK ((recurring_minor > 0))
);
CREATE TABLE public.idempotency_keys (
    account_id uuid NOT NULL,
    caller text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    claimed_at timestamp with time zone NOT NULL,
    lease_until timestamp with time zone NOT NULL,
    status smallint,
    headers jsonb,
    body bytea,
    CONSTRAINT idempotency_keys_key_check CHECK (((length(key) >= 1) AND (length(key) <= 255)))
);
CREATE TABLE public.invoice_adjustment_uses (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    source_invoice_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    CONSTRAINT invoice_adjustment_uses_amount_minor_check CHECK ((amount_minor > 0))
);
CREATE TABLE public.invoice_adjustments (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    currency character(3) NOT NULL,
    kind text NOT NULL,
    amount_minor bigint NOT NULL,
    left_minor bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT invoice_adjustments_amount_minor_check CHECK ((amount_minor > 0)),
    CONSTRAINT invoice_adjustments_check CHECK (((left_minor >= 0) AND (left_minor <= amount_minor))),
    CONSTRAINT invoice_adjustments_kind_check CHECK ((kind = ANY (ARRAY['credit'::text, 'refund'::text, 'carried'::text])))
);
CREATE TABLE public.invoice_bills (
    account_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    bill_index integer NOT NULL,
    invoice_id uuid NOT NULL,
    drafted_from jsonb,
    CONSTRAINT invoice_bills_bill_index_check CHECK ((bill_index >= 0))
);
CREATE TABLE public.invoice_closings (
    account_id uuid NOT NULL,
    invoice_closing_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    kind text NOT NULL,
    amount_minor bigint NOT NULL,
    reason text NOT NULL,
    actor text NOT NULL,
    replaced_by uuid,
    closed_at timestamp with time zone NOT NULL,
    CONSTRAINT invoice_closings_amount_minor_check CHECK ((amount_minor >= 0)),
    CONSTRAINT invoice_closings_kind_check CHECK ((kind = ANY (ARRAY['void'::text, 'write_off'::text, 'reopen'::text]))),
    CONSTRAINT invoice_closings_reason_check CHECK ((reason <> ''::text))
);
CREATE TABLE public.invoice_files (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    form text NOT NULL,
    source bytea NOT NULL,
    etag text NOT NULL,
    content bytea NOT NULL,
    CONSTRAINT invoice_files_form_check CHECK ((form = ANY (ARRAY['pdf'::text, 'facturx'::text, 'cii'::text, 'ubl'::text, 'peppol'::text])))
);
ALTER TABLE ONLY public.invoice_files ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE TABLE public.invoice_lines (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    invoice_line_id uuid NOT NULL,
    "position" integer NOT NULL,
    kind text NOT NULL,
    description text NOT NULL,
    price_code text,
    meter_code text,
    quantity numeric NOT NULL,
    unit text,
    period_start timestamp with time zone,
    period_end timestamp with time zone,
    amount_minor bigint NOT NULL,
    derivation jsonb NOT NULL,
    subscription_id uuid,
    CONSTRAINT invoice_lines_kind_check CHECK ((kind = ANY (ARRAY['subscription'::text, 'usage'::text, 'adjustment'::text, 'minimum'::text, 'maximum'::text, 'one_off'::text, 'credit_purchase'::text, 'proration'::text, 'discount'::text]))),
    CONSTRAINT invoice_lines_position_check CHECK (("position" >= 1))
);
CREATE TABLE public.invoice_usage_changes (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    meter_code text NOT NULL,
    subscription_id uuid NOT NULL,
    period_start timestamp with time zone NOT NULL,
    period_end timestamp with time zone NOT NULL,
    changed_since timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL
);
CREATE TABLE public.invoices (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    number text,
    issuer_id uuid,
    status text NOT NULL,
    currency character(3) NOT NULL,
    subtotal_minor bigint NOT NULL,
    tax_minor bigint NOT NULL,
    total_minor bigint NOT NULL,
    paid_minor bigint DEFAULT 0 NOT NULL,
    credited_minor bigint DEFAULT 0 NOT NULL,
    offset_minor bigint DEFAULT 0 NOT NULL,
    subscription_ids uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    period_start timestamp with time zone,
    period_end timestamp with time zone,
    issued_at timestamp with time zone,
    due_at timestamp with time zone,
    paid_at timestamp with time zone,
    terms jsonb DEFAULT '{}'::jsonb NOT NULL,
    finalize_at timestamp with time zone,
    document jsonb,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT invoices_check CHECK (((paid_minor >= 0) AND (paid_minor <= total_minor))),
    CONSTRAINT invoices_check1 CHECK (((credited_minor >= 0) AND (credited_minor <= total_minor))),
    CONSTRAINT invoices_check2 CHECK (((offset_minor >= 0) AND (offset_minor <= credited_minor))),
    CONSTRAINT invoices_check3 CHECK ((total_minor = (subtotal_minor + tax_minor))),
    CONSTRAINT invoices_check4 CHECK (((status = 'draft'::text) = (number IS NULL))),
    CONSTRAINT invoices_check5 CHECK (((number IS NULL) = (issuer_id IS NULL))),
    CONSTRAINT invoices_check6 CHECK (((status = 'draft'::text) OR (finalize_at IS NULL))),
    CONSTRAINT invoices_check7 CHECK (((status <> 'paid'::text) OR ((paid_minor + offset_minor) = total_minor))),
    CONSTRAINT invoices_check8 CHECK (((paid_minor + offset_minor) <= total_minor)),
    CONSTRAINT invoices_check9 CHECK (((credited_minor - offset_minor) <= paid_minor)),
    CONSTRAINT invoices_status_check CHECK ((status = ANY (ARRAY['draft'::text, 'open'::text, 'paid'::text, 'void'::text, 'uncollectible'::text])))
);
CREATE TABLE public.issuers (
    issuer_id uuid NOT NULL,
    code text NOT NULL,
    legal_name text NOT NULL,
    address text[] DEFAULT '{}'::text[] NOT NULL,
    city text,
    postal_code text,
    region text,
    country character(2),
    vat_number text,
    tax_registrations jsonb DEFAULT '[]'::jsonb NOT NULL,
    registration_number text,
    email text,
    logo_id text,
    bank_name text,
    iban text,
    bic text,
    payment_instructions text,
    locale text DEFAULT 'en-US'::text NOT NULL,
    payment_due_days integer DEFAULT 14 NOT NULL,
    grace_hours integer DEFAULT 0 NOT NULL,
    invoice_format text DEFAULT 'INV-{year}-{number:06}'::text NOT NULL,
    credit_note_format text DEFAULT 'CN-{year}-{number:06}'::text NOT NULL,
    number_reset text DEFAULT 'yearly'::text NOT NULL,
    former_numbers jsonb DEFAULT '[]'::jsonb NOT NULL,
    minimum_amounts jsonb DEFAULT '{}'::jsonb NOT NULL,
    zero_rule text DEFAULT 'issue'::text NOT NULL,
    is_default boolean DEFAULT false NOT NULL,
    follows_settings boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone NOT NULL,
    retired_at timestamp with time zone,
    CONSTRAINT issuers_check CHECK ((NOT (is_default AND (retired_at IS NOT NULL)))),
    CONSTRAINT issuers_code_check CHECK ((code ~ '^[A-Z0-9]{1,12}$'::text)),
    CONSTRAINT issuers_country_check CHECK (((country)::text = upper((country)::text))),
    CONSTRAINT issuers_grace_hours_check CHECK (((grace_hours >= 0) AND (grace_hours <= 2160))),
    CONSTRAINT issuers_number_reset_check CHECK ((number_reset = ANY (ARRAY['yearly'::text, 'monthly'::text, 'never'::text]))),
    CONSTRAINT issuers_payment_due_days_check CHECK (((payment_due_days >= 0) AND (payment_due_days <= 365))),
    CONSTRAINT issuers_region_check CHECK ((region ~ '^[A-Z0-9]{1,3}$'::text)),
    CONSTRAINT issuers_zero_rule_check CHECK ((zero_rule = ANY (ARRAY['issue'::text, 'skip'::text])))
);
CREATE TABLE public.lago_comparisons (
    account_id uuid NOT NULL,
    compare_after timestamp with time zone NOT NULL,
    compared_at timestamp with time zone,
    problem text
);
CREATE TABLE public.lago_differences (
    account_id uuid NOT NULL,
    meter_id uuid NOT NULL,
    period_start timestamp with time zone NOT NULL,
    period_end timestamp with time zone NOT NULL,
    ours numeric NOT NULL,
    theirs numeric,
    found_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    gone_at timestamp with time zone
);
CREATE TABLE public.lago_marks (
    meter_id uuid NOT NULL,
    after_tx xid8 NOT NULL,
    after_account uuid NOT NULL,
    after_key uuid NOT NULL
);
CREATE TABLE public.lago_outbox (
    account_id uuid NOT NULL,
    transaction_id text NOT NULL,
    outbox_id bigint NOT NULL,
    event text NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
ALTER TABLE public.lago_outbox ALTER COLUMN outbox_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.lago_outbox_outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.lago_refused (
    account_id uuid NOT NULL,
    transaction_id text NOT NULL,
    event text NOT NULL,
    reason text NOT NULL,
    refused_at timestamp with time zone NOT NULL
);
CREATE TABLE public.lago_sync (
    one boolean DEFAULT true NOT NULL,
    lease_no bigint DEFAULT 0 NOT NULL,
    lease_until timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    next_try_at timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    failure_count integer DEFAULT 0 NOT NULL,
    sent_count bigint DEFAULT 0 NOT NULL,
    last_sent_at timestamp with time zone,
    last_error text,
    last_error_at timestamp with time zone,
    CONSTRAINT lago_sync_one_check CHECK (one)
);
CREATE TABLE public.ledger_balances (
    account_id uuid NOT NULL,
    ledger_account text NOT NULL,
    unit text NOT NULL,
    balance bigint NOT NULL,
    sequence bigint NOT NULL,
    floor bigint,
    hash bytea DEFAULT decode(repeat('00'::text, 32), 'hex'::text) NOT NULL,
    CONSTRAINT ledger_balances_check CHECK (public.is_ledger_account(ledger_account, unit)),
    CONSTRAINT ledger_balances_check1 CHECK (
CASE ledger_account
    WHEN 'receivable'::text THEN (floor IS NULL)
    WHEN 'prepaid'::text THEN ((floor IS NOT NULL) AND (floor = 0))
    WHEN 'customer_credit'::text THEN ((floor IS NOT NULL) AND (floor = 0))
    ELSE ((floor IS NOT NULL) AND (floor <= 0))
END),
    CONSTRAINT ledger_balances_ledger_account_check CHECK (public.carries_balance(ledger_account)),
    CONSTRAINT not_under_floor CHECK (((- balance) >= floor))
)
WITH (fillfactor='50');
CREATE TABLE public.ledger_entries (
    account_id uuid NOT NULL,
    ledger_entry_id uuid NOT NULL,
    idempotency_key text NOT NULL,
    kind text NOT NULL,
    reference text NOT NULL,
    reason text NOT NULL,
    at timestamp with time zone NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
CREATE TABLE public.ledger_postings (
    account_id uuid NOT NULL,
    ledger_entry_id uuid NOT NULL,
    line smallint NOT NULL,
    ledger_account text NOT NULL,
    unit text NOT NULL,
    amount bigint NOT NULL,
    sequence bigint,
    balance_after bigint,
    hash bytea,
    CONSTRAINT ledger_postings_amount_check CHECK ((amount <> 0)),
    CONSTRAINT ledger_postings_check CHECK (public.is_ledger_account(ledger_account, unit)),
    CONSTRAINT ledger_postings_check1 CHECK ((((sequence IS NOT NULL) AND (balance_after IS NOT NULL) AND (hash IS NOT NULL)) = public.carries_balance(ledger_account)))
);
CREATE TABLE public.logos (
    logo_id text NOT NULL,
    media_type text NOT NULL,
    content bytea NOT NULL,
    CONSTRAINT logos_content_check CHECK ((length(content) <= 262144)),
    CONSTRAINT logos_logo_id_check CHECK ((logo_id ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT logos_media_type_check CHECK ((media_type = ANY (ARRAY['image/png'::text, 'image/svg+xml'::text])))
);
CREATE TABLE public.mails (
    account_id uuid NOT NULL,
    mail_id uuid NOT NULL,
    invoice_id uuid,
    payment_method_id uuid,
    request_key text NOT NULL,
    addresses text[] NOT NULL,
    status text NOT NULL,
    try_count integer DEFAULT 0 NOT NULL,
    try_after timestamp with time zone NOT NULL,
    error text,
    created_at timestamp with time zone NOT NULL,
    sent_at timestamp with time zone,
    CONSTRAINT mails_addresses_check CHECK ((cardinality(addresses) <= 10)),
    CONSTRAINT mails_check CHECK ((num_nonnulls(invoice_id, payment_method_id) = 1)),
    CONSTRAINT mails_check1 CHECK (((status = 'sent'::text) = (sent_at IS NOT NULL))),
    CONSTRAINT mails_status_check CHECK ((status = ANY (ARRAY['waiting'::text, 'sending'::text, 'sent'::text, 'failed'::text])))
);
CREATE TABLE public.memberships (
    account_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT memberships_role_check CHECK ((role = ANY (ARRAY['member'::text, 'owner'::text])))
);
CREATE TABLE public.meters (
    meter_id uuid NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    unit text NOT NULL,
    event_type text NOT NULL,
    aggregation text NOT NULL,
    property text,
    created_at timestamp with time zone NOT NULL,
    expression text,
    program jsonb,
    filters jsonb,
    group_by text[] DEFAULT '{}'::text[] NOT NULL,
    rounding jsonb,
    recurring boolean DEFAULT false NOT NULL,
    allow_negative boolean DEFAULT false NOT NULL,
    CONSTRAINT meters_aggregation_check CHECK ((aggregation = ANY (ARRAY['count'::text, 'sum'::text, 'max'::text, 'min'::text, 'average'::text, 'latest'::text, 'unique_count'::text, 'weighted_sum'::text]))),
    CONSTRAINT meters_check CHECK (((expression IS NULL) = (program IS NULL))),
    CONSTRAINT meters_check1 CHECK ((num_nonnulls(property, expression) =
CASE aggregation
    WHEN 'count'::text THEN 0
    ELSE 1
END)),
    CONSTRAINT meters_check2 CHECK (((NOT recurring) OR (aggregation = ANY (ARRAY['sum'::text, 'unique_count'::text, 'latest'::text, 'weighted_sum'::text])))),
    CONSTRAINT meters_code_check CHECK ((code ~ '^[a-z][a-z0-9_]{0,62}$'::text))
);
CREATE TABLE public.mirror_progress (
    gateway text NOT NULL,
    kind text NOT NULL,
    cursor text,
    object_count bigint DEFAULT 0 NOT NULL,
    started_at timestamp with time zone NOT NULL,
    done_at timestamp with time zone
);
CREATE TABLE public.mirrored_invoices (
    account_id uuid NOT NULL,
    gateway text NOT NULL,
    reference text NOT NULL,
    number text,
    status text NOT NULL,
    currency character(3) NOT NULL,
    total_minor bigint NOT NULL,
    due_minor bigint NOT NULL,
    paid_minor bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone,
    paid_at timestamp with time zone,
    read_at timestamp with time zone NOT NULL
);
CREATE TABLE public.number_series (
    issuer_id uuid NOT NULL,
    kind text NOT NULL,
    period text NOT NULL,
    is_test boolean NOT NULL,
    next_number bigint NOT NULL,
    CONSTRAINT number_series_kind_check CHECK ((kind = ANY (ARRAY['invoice'::text, 'credit_note'::text]))),
    CONSTRAINT number_series_next_number_check CHECK ((next_number >= 1))
);
CREATE TABLE public.one_time_charges (
    account_id uuid NOT NULL,
    request_key text NOT NULL,
    invoice_id uuid NOT NULL,
    payment_id uuid,
    created_at timestamp with time zone NOT NULL,
    end_after timestamp with time zone,
    CONSTRAINT one_time_charges_request_key_check CHECK (((length(request_key) >= 1) AND (length(request_key) <= 300)))
);
CREATE TABLE public.outbox (
    account_id uuid NOT NULL,
    outbox_id bigint NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    request_id text DEFAULT COALESCE(current_setting('tallystick.request_id'::text, true), ''::text) NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    deliver_after timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    try_count integer DEFAULT 0 NOT NULL,
    error text
);
CREATE TABLE public.outbox_done (
    account_id uuid NOT NULL,
    outbox_id bigint NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    request_id text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    done_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
ALTER TABLE public.outbox ALTER COLUMN outbox_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.outbox_outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.payment_attempts (
    account_id uuid NOT NULL,
    payment_attempt_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    number integer NOT NULL,
    idempotency_key text NOT NULL,
    gateway text NOT NULL,
    outcome text NOT NULL,
    gateway_reference text,
    code text,
    hard boolean DEFAULT false NOT NULL,
    resolve_after timestamp with time zone,
    resolve_count integer DEFAULT 0 NOT NULL,
    sweep_after timestamp with time zone DEFAULT (now() + '01:00:00'::interval) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT payment_attempts_number_check CHECK ((number >= 1)),
    CONSTRAINT payment_attempts_outcome_check CHECK ((outcome = ANY (ARRAY['created'::text, 'succeeded'::text, 'declined'::text, 'needs_action'::text, 'pending'::text, 'unknown'::text])))
);
CREATE TABLE public.payment_invoices (
    account_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    place integer NOT NULL,
    amount_minor bigint NOT NULL,
    paid_minor bigint DEFAULT 0 NOT NULL,
    live boolean NOT NULL,
    CONSTRAINT payment_invoices_amount_minor_check CHECK ((amount_minor > 0)),
    CONSTRAINT payment_invoices_paid_minor_check CHECK ((paid_minor >= 0)),
    CONSTRAINT payment_invoices_place_check CHECK ((place >= 1))
);
CREATE TABLE public.payment_method_config_accounts (
    account_id uuid NOT NULL,
    code text NOT NULL
);
CREATE TABLE public.payment_method_configs (
    code text NOT NULL,
    gateway text NOT NULL,
    type text NOT NULL,
    name text NOT NULL,
    instructions text,
    countries text[] NOT NULL,
    currencies text[] NOT NULL,
    is_restricted boolean NOT NULL,
    "position" integer NOT NULL,
    is_active boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT payment_method_configs_code_check CHECK ((code ~ '^[a-z][a-z0-9_-]{0,62}$'::text)),
    CONSTRAINT payment_method_configs_position_check CHECK (("position" >= 0)),
    CONSTRAINT payment_method_configs_type_check CHECK ((type ~ '^[a-z][a-z0-9_-]{0,62}$'::text))
);
CREATE TABLE public.payment_methods (
    account_id uuid NOT NULL,
    payment_method_id uuid NOT NULL,
    gateway text NOT NULL,
    token text NOT NULL,
    type text NOT NULL,
    card jsonb,
    bank jsonb,
    label text,
    details jsonb,
    priority integer NOT NULL,
    is_default boolean NOT NULL,
    status text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    watch_at timestamp with time zone,
    CONSTRAINT payment_methods_priority_check CHECK ((priority >= 1)),
    CONSTRAINT payment_methods_status_check CHECK ((status = ANY (ARRAY['active'::text, 'removed'::text])))
);
CREATE TABLE public.plan_migration_rows (
    account_id uuid NOT NULL,
    plan_migration_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    plan_version_id uuid NOT NULL,
    quantity integer NOT NULL,
    state text NOT NULL,
    at timestamp with time zone,
    until timestamp with time zone,
    currency character(3),
    now_minor bigint,
    then_minor bigint,
    reason text,
    detail text,
    check_at timestamp with time zone,
    CONSTRAINT plan_migration_rows_check CHECK ((num_nonnulls(currency, now_minor, then_minor) = ANY (ARRAY[0, 3]))),
    CONSTRAINT plan_migration_rows_check1 CHECK (((state = 'refused'::text) = (reason IS NOT NULL))),
    CONSTRAINT plan_migration_rows_check2 CHECK (((state <> 'scheduled'::text) OR (at IS NOT NULL))),
    CONSTRAINT plan_migration_rows_state_check CHECK ((state = ANY (ARRAY['foreseen'::text, 'refused'::text, 'scheduled'::text, 'moved'::text, 'canceled'::text])))
);
CREATE TABLE public.plan_migrations (
    plan_migration_id uuid NOT NULL,
    wanted jsonb NOT NULL,
    status text NOT NULL,
    account_count bigint NOT NULL,
    done_count bigint DEFAULT 0 NOT NULL,
    after_account_id uuid DEFAULT '00000000-0000-0000-0000-000000000000'::uuid NOT NULL,
    summaries jsonb DEFAULT '[]'::jsonb NOT NULL,
    confirmation text,
    error text,
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    previewed_at timestamp with time zone,
    confirmed_by text,
    confirmed_at timestamp with time zone,
    finished_at timestamp with time zone,
    CONSTRAINT plan_migrations_check CHECK (((confirmed_at IS NULL) = (confirmed_by IS NULL))),
    CONSTRAINT plan_migrations_check1 CHECK (((previewed_at IS NULL) = (confirmation IS NULL))),
    CONSTRAINT plan_migrations_check2 CHECK (((finished_at IS NOT NULL) = (status = ANY (ARRAY['done'::text, 'canceled'::text, 'failed'::text])))),
    CONSTRAINT plan_migrations_status_check CHECK ((status = ANY (ARRAY['previewing'::text, 'previewed'::text, 'scheduling'::text, 'scheduled'::text, 'done'::text, 'canceling'::text, 'canceled'::text, 'failed'::text])))
);
CREATE TABLE public.plan_versions (
    plan_version_id uuid NOT NULL,
    plan_id uuid NOT NULL,
    version integer NOT NULL,
    currency character(3) NOT NULL,
    "interval" text NOT NULL,
    interval_count integer NOT NULL,
    prices jsonb NOT NULL,
    limits jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    credits jsonb,
    name text NOT NULL,
    tier text,
    billing text DEFAULT 'in_arrears'::text NOT NULL,
    trial_days integer DEFAULT 0 NOT NULL,
    proration text DEFAULT 'by_day'::text NOT NULL,
    fixed_months boolean DEFAULT false NOT NULL,
    usage_interval text,
    minimum_commitment jsonb DEFAULT '{}'::jsonb NOT NULL,
    features jsonb DEFAULT '{}'::jsonb NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    activated_at timestamp with time zone,
    retired_at timestamp with time zone,
    CONSTRAINT plan_versions_billing_check CHECK ((billing = ANY (ARRAY['in_advance'::text, 'in_arrears'::text]))),
    CONSTRAINT plan_versions_check CHECK (((status = 'retired'::text) = (retired_at IS NOT NULL))),
    CONSTRAINT plan_versions_currency_check CHECK (((currency)::text = upper((currency)::text))),
    CONSTRAINT plan_versions_interval_check CHECK (("interval" = ANY (ARRAY['day'::text, 'week'::text, 'month'::text, 'quarter'::text, 'half_year'::text, 'year'::text]))),
    CONSTRAINT plan_versions_interval_count_check CHECK (((interval_count >= 1) AND (interval_count <= 120))),
    CONSTRAINT plan_versions_proration_check CHECK ((proration = ANY (ARRAY['by_day'::text, 'by_second'::text, 'none'::text]))),
    CONSTRAINT plan_versions_status_check CHECK ((status = ANY (ARRAY['draft'::text, 'active'::text, 'retired'::text]))),
    CONSTRAINT plan_versions_tier_check CHECK ((tier ~ '^[a-z][a-z0-9_-]{0,62}$'::text)),
    CONSTRAINT plan_versions_trial_days_check CHECK (((trial_days >= 0) AND (trial_days <= 3650))),
    CONSTRAINT plan_versions_usage_interval_check CHECK ((usage_interval = ANY (ARRAY['day'::text, 'week'::text, 'month'::text, 'quarter'::text, 'half_year'::text, 'year'::text]))),
    CONSTRAINT plan_versions_version_check CHECK ((version >= 1))
);
CREATE TABLE public.plans (
    plan_id uuid NOT NULL,
    code text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT plans_code_check CHECK ((code ~ '^[a-z][a-z0-9_-]{0,62}$'::text))
);
CREATE TABLE public.refund_attempts (
    account_id uuid NOT NULL,
    refund_attempt_id uuid NOT NULL,
    refund_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    number integer NOT NULL,
    idempotency_key text,
    gateway text NOT NULL,
    charge_reference text NOT NULL,
    currency character(3) NOT NULL,
    amount_minor bigint NOT NULL,
    outcome text NOT NULL,
    gateway_reference text,
    code text,
    resolve_after timestamp with time zone,
    resolve_count integer DEFAULT 0 NOT NULL,
    sweep_after timestamp with time zone DEFAULT (now() + '01:00:00'::interval) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT refund_attempts_amount_minor_check CHECK ((amount_minor > 0)),
    CONSTRAINT refund_attempts_number_check CHECK ((number >= 1)),
    CONSTRAINT refund_attempts_outcome_check CHECK ((outcome = ANY (ARRAY['created'::text, 'succeeded'::text, 'declined'::text, 'pending'::text, 'unknown'::text])))
);
CREATE TABLE public.refund_parts (
    account_id uuid NOT NULL,
    refund_part_id uuid NOT NULL,
    refund_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    through text NOT NULL,
    reference text NOT NULL,
    made_at timestamp with time zone NOT NULL,
    failed_at timestamp with time zone,
    CONSTRAINT refund_parts_amount_minor_check CHECK ((amount_minor > 0))
);
CREATE TABLE public.refunds (
    account_id uuid NOT NULL,
    refund_id uuid NOT NULL,
    credit_note_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    currency character(3) NOT NULL,
    amount_minor bigint NOT NULL,
    made_minor bigint DEFAULT 0 NOT NULL,
    status text NOT NULL,
    problem text,
    made_through text,
    reference text,
    requested_at timestamp with time zone NOT NULL,
    made_at timestamp with time zone,
    CONSTRAINT refunds_amount_minor_check CHECK ((amount_minor > 0)),
    CONSTRAINT refunds_check CHECK (((made_minor >= 0) AND (made_minor <= amount_minor))),
    CONSTRAINT refunds_check1 CHECK (((status = 'made'::text) = ((made_at IS NOT NULL) AND (made_through IS NOT NULL)))),
    CONSTRAINT refunds_check2 CHECK (((status = 'made'::text) = (made_minor = amount_minor))),
    CONSTRAINT refunds_check3 CHECK (((status <> 'canceled'::text) OR (made_minor = 0))),
    CONSTRAINT refunds_check4 CHECK (((problem IS NULL) OR (status = 'requested'::text))),
    CONSTRAINT refunds_status_check CHECK ((status = ANY (ARRAY['requested'::text, 'processing'::text, 'made'::text, 'canceled'::text])))
);
CREATE TABLE public.schema_migrations (
    number integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.sessions (
    token_hash bytea NOT NULL,
    user_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone
);
CREATE TABLE public.stripe_meter_decisions (
    account_id uuid NOT NULL,
    stripe_meter_event_id uuid NOT NULL,
    decided_at timestamp with time zone NOT NULL,
    decision text NOT NULL,
    reason text NOT NULL,
    CONSTRAINT stripe_meter_decisions_decision_check CHECK ((decision = ANY (ARRAY['counted'::text, 'not_counted'::text, 'settled'::text])))
);
CREATE TABLE public.stripe_meter_events (
    account_id uuid NOT NULL,
    stripe_meter_event_id uuid NOT NULL,
    meter_id uuid NOT NULL,
    reference text NOT NULL,
    event_name text NOT NULL,
    hour timestamp with time zone NOT NULL,
    revision integer NOT NULL,
    value numeric NOT NULL,
    at timestamp with time zone NOT NULL,
    customer text,
    status text NOT NULL,
    reason text,
    created_at timestamp with time zone NOT NULL,
    try_after timestamp with time zone NOT NULL,
    try_count integer DEFAULT 0 NOT NULL,
    first_tried_at timestamp with time zone,
    sent_at timestamp with time zone,
    CONSTRAINT stripe_meter_events_check CHECK (((value >= (0)::numeric) OR (status = ANY (ARRAY['held'::text, 'replaced'::text, 'settled'::text])))),
    CONSTRAINT stripe_meter_events_revision_check CHECK ((revision > 0)),
    CONSTRAINT stripe_meter_events_status_check CHECK ((status = ANY (ARRAY['parked'::text, 'queued'::text, 'unknown'::text, 'sent'::text, 'refused'::text, 'held'::text, 'canceling'::text, 'canceled'::text, 'replaced'::text, 'settled'::text])))
);
CREATE TABLE public.stripe_meter_hours (
    account_id uuid NOT NULL,
    meter_id uuid NOT NULL,
    hour timestamp with time zone NOT NULL,
    look_after timestamp with time zone NOT NULL
);
CREATE TABLE public.stripe_meter_reports (
    report text NOT NULL,
    code text NOT NULL,
    reference text,
    event_count integer NOT NULL,
    named_count integer NOT NULL,
    told_at timestamp with time zone NOT NULL
);
CREATE TABLE public.stripe_meter_sync (
    one boolean DEFAULT true NOT NULL,
    upto xid8 DEFAULT '0'::xid8 NOT NULL,
    lease_no bigint DEFAULT 0 NOT NULL,
    lease_until timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    next_try_at timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    failure_count integer DEFAULT 0 NOT NULL,
    last_sent_at timestamp with time zone,
    last_error text,
    last_error_at timestamp with time zone,
    CONSTRAINT stripe_meter_sync_one_check CHECK (one)
);
CREATE TABLE public.stripe_meters (
    meter_id uuid NOT NULL,
    event_name text NOT NULL,
    reference text NOT NULL,
    formula text NOT NULL,
    customer_key text NOT NULL,
    value_key text NOT NULL,
    sends_from timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT stripe_meters_formula_check CHECK ((formula = ANY (ARRAY['sum'::text, 'last'::text])))
);
CREATE TABLE public.subscription_add_ons (
    account_id uuid NOT NULL,
    subscription_add_on_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    add_on_id uuid NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    charge text NOT NULL,
    amount numeric NOT NULL,
    features jsonb NOT NULL,
    quantity integer NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone,
    attached_at timestamp with time zone NOT NULL,
    CONSTRAINT subscription_add_ons_amount_check CHECK ((amount >= (0)::numeric)),
    CONSTRAINT subscription_add_ons_charge_check CHECK ((charge = ANY (ARRAY['once'::text, 'per_period'::text]))),
    CONSTRAINT subscription_add_ons_check CHECK ((ends_at >= starts_at)),
    CONSTRAINT subscription_add_ons_quantity_check CHECK (((quantity >= 1) AND (quantity <= 1000000)))
);
CREATE TABLE public.subscription_terms (
    account_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    bill_index integer NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    plan_version_id uuid NOT NULL,
    quantity integer NOT NULL,
    CONSTRAINT subscription_terms_bill_index_check CHECK ((bill_index >= 0))
);
CREATE TABLE public.tax_exemptions (
    account_id uuid NOT NULL,
    tax_exemption_id uuid NOT NULL,
    reason text NOT NULL,
    certificate text,
    country character(2),
    region text,
    valid_from date NOT NULL,
    valid_until date,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT tax_exemptions_check CHECK ((valid_until >= valid_from)),
    CONSTRAINT tax_exemptions_check1 CHECK (((region IS NULL) OR (country IS NOT NULL))),
    CONSTRAINT tax_exemptions_country_check CHECK (((country)::text = upper((country)::text))),
    CONSTRAINT tax_exemptions_region_check CHECK ((region ~ '^[A-Z0-9]{1,3}$'::text))
);
CREATE TABLE public.tax_number_checks (
    account_id uuid NOT NULL,
    country character(2) NOT NULL,
    tax_number text NOT NULL,
    outcome text NOT NULL,
    checked_at timestamp with time zone,
    try_count integer NOT NULL,
    next_check_at timestamp with time zone NOT NULL,
    CONSTRAINT tax_number_checks_check CHECK (((outcome = 'unknown'::text) OR (checked_at IS NOT NULL))),
    CONSTRAINT tax_number_checks_outcome_check CHECK ((outcome = ANY (ARRAY['confirmed'::text, 'refused'::text, 'unknown'::text]))),
    CONSTRAINT tax_number_checks_try_count_check CHECK ((try_count >= 0))
);
CREATE TABLE public.tax_rates (
    tax_rate_id uuid NOT NULL,
    country character(2) NOT NULL,
    region text,
    tax_code text NOT NULL,
    name text NOT NULL,
    percent numeric NOT NULL,
    category text NOT NULL,
    reason text,
    inclusive boolean NOT NULL,
    replaces_national boolean NOT NULL,
    valid_from date NOT NULL,
    valid_until date,
    source text NOT NULL,
    looked_up_on date NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT tax_rates_category_check CHECK ((category = ANY (ARRAY['S'::text, 'Z'::text, 'E'::text, 'AE'::text, 'K'::text, 'G'::text, 'O'::text]))),
    CONSTRAINT tax_rates_check CHECK (((NOT replaces_national) OR (region IS NOT NULL))),
    CONSTRAINT tax_rates_check1 CHECK ((valid_until >= valid_from)),
    CONSTRAINT tax_rates_country_check CHECK (((country)::text = upper((country)::text))),
    CONSTRAINT tax_rates_percent_check CHECK (((percent >= (0)::numeric) AND (percent <= (100)::numeric))),
    CONSTRAINT tax_rates_region_check CHECK ((region ~ '^[A-Z0-9]{1,3}$'::text)),
    CONSTRAINT tax_rates_tax_code_check CHECK ((tax_code ~ '^[a-z][a-z0-9_]{0,62}$'::text))
);
CREATE TABLE public.test_clocks (
    test_clock_id uuid NOT NULL,
    name text NOT NULL,
    now_at timestamp with time zone NOT NULL,
    target_at timestamp with time zone NOT NULL,
    from_at timestamp with time zone NOT NULL,
    is_advancing boolean DEFAULT false NOT NULL,
    work_count bigint DEFAULT 0 NOT NULL,
    error text,
    created_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT test_clocks_check CHECK (((from_at <= now_at) AND (now_at <= target_at))),
    CONSTRAINT test_clocks_check1 CHECK ((is_advancing OR (now_at = target_at)))
);
CREATE TABLE public.usage_advance_marks (
    clock_id uuid NOT NULL,
    snapshot text
);
CREATE TABLE public.usage_alert_due (
    account_id uuid NOT NULL,
    due_id bigint NOT NULL,
    due_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    try_count integer DEFAULT 0 NOT NULL
);
ALTER TABLE public.usage_alert_due ALTER COLUMN due_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.usage_alert_due_due_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.usage_alert_rules (
    account_id uuid NOT NULL,
    alert_rule_id uuid NOT NULL,
    name text NOT NULL,
    watch text NOT NULL,
    meter_code text,
    unit text NOT NULL,
    thresholds numeric[] NOT NULL,
    is_active boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT usage_alert_rules_check CHECK (((watch = 'meter'::text) = (meter_code IS NOT NULL))),
    CONSTRAINT usage_alert_rules_thresholds_check CHECK (((cardinality(thresholds) >= 1) AND (cardinality(thresholds) <= 20))),
    CONSTRAINT usage_alert_rules_unit_check CHECK ((unit = ANY (ARRAY['percent'::text, 'quantity'::text, 'cents'::text, 'credits_left'::text]))),
    CONSTRAINT usage_alert_rules_watch_check CHECK ((watch = ANY (ARRAY['meter'::text, 'spend'::text, 'credits'::text])))
);
CREATE TABLE public.usage_alerts (
    account_id uuid NOT NULL,
    usage_alert_id uuid NOT NULL,
    source_id uuid NOT NULL,
    source text NOT NULL,
    name text NOT NULL,
    basis text NOT NULL,
    watch text NOT NULL,
    meter_code text,
    unit text NOT NULL,
    threshold numeric NOT NULL,
    period_start timestamp with time zone NOT NULL,
    period_end timestamp with time zone NOT NULL,
    quantity numeric NOT NULL,
    limit_quantity numeric,
    currency character(3),
    fired_at timestamp with time zone NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT usage_alerts_basis_check CHECK ((basis = ANY (ARRAY['actual'::text, 'forecast'::text]))),
    CONSTRAINT usage_alerts_source_check CHECK ((source = ANY (ARRAY['rule'::text, 'budget'::text])))
);
CREATE TABLE public.usage_archived_hours (
    account_id uuid NOT NULL,
    event_type text NOT NULL,
    hour timestamp with time zone NOT NULL,
    event_count bigint NOT NULL
);
CREATE TABLE public.usage_archived_keys (
    account_id uuid NOT NULL,
    key uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    digest_one bigint NOT NULL,
    digest_two bigint NOT NULL
);
CREATE TABLE public.usage_archives (
    account_id uuid NOT NULL,
    usage_archive_id uuid NOT NULL,
    month timestamp with time zone NOT NULL,
    number integer NOT NULL,
    since timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL,
    upto xid8 NOT NULL,
    file_name text NOT NULL,
    sha256 text NOT NULL,
    event_count bigint NOT NULL,
    remembered_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    dropped_at timestamp with time zone
);
CREATE TABLE public.usage_budgets (
    account_id uuid NOT NULL,
    budget_id uuid NOT NULL,
    name text NOT NULL,
    watch text NOT NULL,
    meter_code text,
    amount numeric NOT NULL,
    actual_percents numeric[] NOT NULL,
    forecast_percents numeric[] NOT NULL,
    is_active boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT usage_budgets_actual_percents_check CHECK ((cardinality(actual_percents) <= 20)),
    CONSTRAINT usage_budgets_amount_check CHECK ((amount > (0)::numeric)),
    CONSTRAINT usage_budgets_check CHECK (((watch = 'meter'::text) = (meter_code IS NOT NULL))),
    CONSTRAINT usage_budgets_forecast_percents_check CHECK ((cardinality(forecast_percents) <= 20)),
    CONSTRAINT usage_budgets_watch_check CHECK ((watch = ANY (ARRAY['meter'::text, 'spend'::text])))
);
CREATE TABLE public.usage_conflicts (
    account_id uuid NOT NULL,
    usage_conflict_id uuid NOT NULL,
    digest uuid NOT NULL,
    key uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    event_type text NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    properties jsonb NOT NULL,
    received_at timestamp with time zone NOT NULL,
    status text DEFAULT 'open'::text NOT NULL,
    settled_at timestamp with time zone,
    CONSTRAINT usage_conflicts_status_check CHECK ((status = ANY (ARRAY['open'::text, 'dismissed'::text])))
);
CREATE TABLE public.usage_corrections (
    account_id uuid NOT NULL,
    usage_correction_id uuid NOT NULL,
    kind text NOT NULL,
    root_key uuid NOT NULL,
    "position" integer NOT NULL,
    key uuid,
    new_key uuid,
    source text NOT NULL,
    event_id text NOT NULL,
    old jsonb,
    new jsonb,
    reason text NOT NULL,
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    request_id text NOT NULL,
    corrected_at timestamp with time zone NOT NULL,
    effect jsonb NOT NULL,
    CONSTRAINT usage_corrections_check CHECK (((kind = 'backfill'::text) = (key IS NULL))),
    CONSTRAINT usage_corrections_check1 CHECK (((kind = 'reverse'::text) = (new_key IS NULL))),
    CONSTRAINT usage_corrections_check2 CHECK ((((key IS NULL) = (old IS NULL)) AND ((new_key IS NULL) = (new IS NULL)))),
    CONSTRAINT usage_corrections_kind_check CHECK ((kind = ANY (ARRAY['amend'::text, 'reverse'::text, 'backfill'::text]))),
    CONSTRAINT usage_corrections_position_check CHECK (("position" >= 1))
);
CREATE TABLE public.usage_counters (
    account_id uuid NOT NULL,
    meter_id uuid NOT NULL,
    epoch bigint DEFAULT 0 NOT NULL,
    is_outside boolean DEFAULT false NOT NULL
);
CREATE TABLE public.usage_decisions (
    account_id uuid NOT NULL,
    key uuid NOT NULL,
    content bytea NOT NULL,
    is_allowed boolean NOT NULL,
    answer jsonb NOT NULL,
    until timestamp with time zone,
    decided_at timestamp with time zone NOT NULL
);
CREATE TABLE public.usage_events_0 (
    account_id uuid CONSTRAINT usage_events_account_id_not_null NOT NULL,
    key uuid CONSTRAINT usage_events_key_not_null NOT NULL,
    at timestamp with time zone CONSTRAINT usage_events_at_not_null NOT NULL,
    event_type text CONSTRAINT usage_events_event_type_not_null NOT NULL,
    source text CONSTRAINT usage_events_source_not_null NOT NULL,
    event_id text CONSTRAINT usage_events_event_id_not_null NOT NULL,
    properties jsonb CONSTRAINT usage_events_properties_not_null NOT NULL,
    tx xid8 DEFAULT pg_current_xact_id() CONSTRAINT usage_events_tx_not_null NOT NULL
);
CREATE TABLE public.usage_events_1 (
    account_id uuid CONSTRAINT usage_events_account_id_not_null NOT NULL,
    key uuid CONSTRAINT usage_events_key_not_null NOT NULL,
    at timestamp with time zone CONSTRAINT usage_events_at_not_null NOT NULL,
    event_type text CONSTRAINT usage_events_event_type_not_null NOT NULL,
    source text CONSTRAINT usage_events_source_not_null NOT NULL,
    event_id text CONSTRAINT usage_events_event_id_not_null NOT NULL,
    properties jsonb CONSTRAINT usage_events_properties_not_null NOT NULL,
    tx xid8 DEFAULT pg_current_xact_id() CONSTRAINT usage_events_tx_not_null NOT NULL
);
CREATE TABLE public.usage_events_2 (
    account_id uuid CONSTRAINT usage_events_account_id_not_null NOT NULL,
    key uuid CONSTRAINT usage_events_key_not_null NOT NULL,
    at timestamp with time zone CONSTRAINT usage_events_at_not_null NOT NULL,
    event_type text CONSTRAINT usage_events_event_type_not_null NOT NULL,
    source text CONSTRAINT usage_events_source_not_null NOT NULL,
    event_id text CONSTRAINT usage_events_event_id_not_null NOT NULL,
    properties jsonb CONSTRAINT usage_events_properties_not_null NOT NULL,
    tx xid8 DEFAULT pg_current_xact_id() CONSTRAINT usage_events_tx_not_null NOT NULL
);
CREATE TABLE public.usage_events_3 (
    account_id uuid CONSTRAINT usage_events_account_id_not_null NOT NULL,
    key uuid CONSTRAINT usage_events_key_not_null NOT NULL,
    at timestamp with time zone CONSTRAINT usage_events_at_not_null NOT NULL,
    event_type text CONSTRAINT usage_events_event_type_not_null NOT NULL,
    source text CONSTRAINT usage_events_source_not_null NOT NULL,
    event_id text CONSTRAINT usage_events_event_id_not_null NOT NULL,
    properties jsonb CONSTRAINT usage_events_properties_not_null NOT NULL,
    tx xid8 DEFAULT pg_current_xact_id() CONSTRAINT usage_events_tx_not_null NOT NULL
);
CREATE TABLE public.usage_events_4 (
    account_id uuid CONSTRAINT usage_events_account_id_not_null NOT NULL,
    key uuid CONSTRAINT usage_events_key_not_null NOT NULL,
    at timestamp with time zone CONSTRAINT usage_events_at_not_null NOT NULL,
    event_type text CONSTRAINT usage_events_event_type_not_null NOT NULL,
    source text CONSTRAINT usage_events_source_not_null NOT NULL,
    event_id text CONSTRAINT usage_events_event_id_not_null NOT NULL,
    properties jsonb CONSTRAINT usage_events_properties_not_null NOT NULL,
    tx xid8 DEFAULT pg_current_xact_id() CONSTRAINT usage_events_tx_not_null NOT NULL
);
CREATE TABLE public.usage_events_5 (
    account_id uuid CONSTRAINT usage_events_account_id_not_null NOT NULL,
    key uuid CONSTRAINT usage_events_key_not_null NOT NULL,
    at timestamp with time zone CONSTRAINT usage_events_at_not_null NOT NULL,
    event_type text CONSTRAINT usage_events_event_type_not_null NOT NULL,
    source text CONSTRAINT usage_events_source_not_null NOT NULL,
    event_id text CONSTRAINT usage_events_event_id_not_null NOT NULL,
    properties jsonb CONSTRAINT usage_events_properties_not_null NOT NULL,
    tx xid8 DEFAULT pg_current_xact_id() CONSTRAINT usage_events_tx_not_null NOT NULL
);
CREATE TABLE public.usage_events_6 (
    account_id uuid CONSTRAINT usage_events_account_id_not_null NOT NULL,
    key uuid CONSTRAINT usage_events_key_not_null NOT NULL,
    at timestamp with time zone CONSTRAINT usage_events_at_not_null NOT NULL,
    event_type text CONSTRAINT usage_events_event_type_not_null NOT NULL,
    source text CONSTRAINT usage_events_source_not_null NOT NULL,
    event_id text CONSTRAINT usage_events_event_id_not_null NOT NULL,
    properties jsonb CONSTRAINT usage_events_properties_not_null NOT NULL,
    tx xid8 DEFAULT pg_current_xact_id() CONSTRAINT usage_events_tx_not_null NOT NULL
);
CREATE TABLE public.usage_events_7 (
    account_id uuid CONSTRAINT usage_events_account_id_not_null NOT NULL,
    key uuid CONSTRAINT usage_events_key_not_null NOT NULL,
    at timestamp with time zone CONSTRAINT usage_events_at_not_null NOT NULL,
    event_type text CONSTRAINT usage_events_event_type_not_null NOT NULL,
    source text CONSTRAINT usage_events_source_not_null NOT NULL,
    event_id text CONSTRAINT usage_events_event_id_not_null NOT NULL,
    properties jsonb CONSTRAINT usage_events_properties_not_null NOT NULL,
    tx xid8 DEFAULT pg_current_xact_id() CONSTRAINT usage_events_tx_not_null NOT NULL
);
CREATE TABLE public.usage_fees (
    account_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    bill_index integer NOT NULL,
    "position" integer NOT NULL,
    price_code text NOT NULL,
    part text NOT NULL,
    period_start timestamp with time zone NOT NULL,
    period_end timestamp with time zone NOT NULL,
    quantity numeric NOT NULL,
    amount_minor bigint NOT NULL,
    currency character(3) NOT NULL,
    is_invoiced boolean NOT NULL,
    billed_at timestamp with time zone NOT NULL,
    CONSTRAINT usage_fees_bill_index_check CHECK ((bill_index >= 0)),
    CONSTRAINT usage_fees_currency_check CHECK (((currency)::text = upper((currency)::text))),
    CONSTRAINT usage_fees_position_check CHECK (("position" >= 1))
);
CREATE TABLE public.usage_fold (
    one boolean DEFAULT true NOT NULL,
    upto xid8 NOT NULL,
    archived_before timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    CONSTRAINT usage_fold_archived_before_check CHECK ((archived_before = date_trunc('month'::text, archived_before, 'UTC'::text))),
    CONSTRAINT usage_fold_one_check CHECK (one)
);
CREATE TABLE public.usage_groups (
    account_id uuid NOT NULL,
    meter_id uuid NOT NULL,
    hour timestamp with time zone NOT NULL,
    dimension_key uuid NOT NULL,
    dimensions jsonb NOT NULL,
    event_count bigint NOT NULL,
    total numeric NOT NULL,
    low numeric,
    high numeric,
    last public.usage_point,
    held numeric
);
CREATE TABLE public.usage_imports (
    import_id uuid NOT NULL,
    file_name text NOT NULL,
    "position" bigint NOT NULL,
    line bigint NOT NULL,
    errors_bytes bigint NOT NULL,
    accepted bigint NOT NULL,
    duplicate bigint NOT NULL,
    conflict bigint NOT NULL,
    unmatched bigint NOT NULL,
    invalid bigint NOT NULL,
    began_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone
);
CREATE TABLE public.usage_late_mark (
    one boolean DEFAULT true NOT NULL,
    upto xid8 NOT NULL,
    next_upto xid8 NOT NULL,
    next_after xid8 NOT NULL,
    CONSTRAINT usage_late_mark_one_check CHECK (one)
);
CREATE TABLE public.usage_months (
    account_id uuid NOT NULL,
    meter_id uuid NOT NULL,
    month timestamp with time zone NOT NULL,
    event_count bigint NOT NULL,
    total numeric NOT NULL,
    last public.usage_point
);
CREATE TABLE public.usage_totals (
    account_id uuid NOT NULL,
    meter_id uuid NOT NULL,
    hour timestamp with time zone NOT NULL,
    event_count bigint NOT NULL,
    total numeric NOT NULL,
    low numeric,
    high numeric,
    last public.usage_point,
    held numeric
);
CREATE TABLE public.usage_unmatched (
    account_id uuid NOT NULL,
    unmatched_event_id uuid NOT NULL,
    digest uuid NOT NULL,
    subject text NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    event_type text NOT NULL,
    meter text,
    stated_at timestamp with time zone,
    received_at timestamp with time zone NOT NULL,
    properties jsonb NOT NULL,
    reason text NOT NULL,
    status text DEFAULT 'parked'::text NOT NULL,
    settled_at timestamp with time zone,
    claimed_account_id uuid,
    CONSTRAINT usage_unmatched_status_check CHECK ((status = ANY (ARRAY['parked'::text, 'claimed'::text, 'discarded'::text])))
);
CREATE TABLE public.usage_values (
    account_id uuid NOT NULL,
    meter_id uuid NOT NULL,
    hour timestamp with time zone NOT NULL,
    dimension_key uuid NOT NULL,
    value text NOT NULL,
    dimensions jsonb NOT NULL,
    last public.usage_point NOT NULL
);
CREATE TABLE public.usage_voids (
    account_id uuid NOT NULL,
    key uuid NOT NULL,
    voided_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
CREATE TABLE public.usage_watches (
    account_id uuid NOT NULL,
    tick_at timestamp with time zone NOT NULL
);
CREATE TABLE public.users (
    user_id uuid NOT NULL,
    external_id text,
    email text NOT NULL,
    name text NOT NULL,
    password_hash text,
    staff_role text,
    created_at timestamp with time zone NOT NULL,
    disabled_at timestamp with time zone,
    CONSTRAINT users_email_check CHECK ((email = lower(email))),
    CONSTRAINT users_staff_role_check CHECK ((staff_role = ANY (ARRAY['support'::text, 'finance'::text, 'admin'::text])))
);
CREATE TABLE public.webhook_catch_ups (
    gateway text NOT NULL,
    checked_until timestamp with time zone,
    lease_until timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    error text,
    listed_count bigint DEFAULT 0 NOT NULL,
    new_count bigint DEFAULT 0 NOT NULL
);
CREATE TABLE public.webhook_deliveries (
    account_id uuid NOT NULL,
    webhook_delivery_id uuid NOT NULL,
    webhook_endpoint_id uuid NOT NULL,
    event_account_id uuid NOT NULL,
    outbox_id bigint NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    object_key text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    body bytea,
    status text NOT NULL,
    next_try_at timestamp with time zone,
    try_count integer DEFAULT 0 NOT NULL,
    round_count integer DEFAULT 0 NOT NULL,
    status_code integer,
    error text,
    created_at timestamp with time zone NOT NULL,
    done_at timestamp with time zone,
    CONSTRAINT webhook_deliveries_check CHECK (((status = 'waiting'::text) = (next_try_at IS NOT NULL))),
    CONSTRAINT webhook_deliveries_check1 CHECK (((status = 'waiting'::text) = (done_at IS NULL))),
    CONSTRAINT webhook_deliveries_status_check CHECK ((status = ANY (ARRAY['waiting'::text, 'delivered'::text, 'failed'::text])))
);
CREATE TABLE public.webhook_endpoints (
    account_id uuid NOT NULL,
    webhook_endpoint_id uuid NOT NULL,
    url text NOT NULL,
    description text NOT NULL,
    event_types text[] NOT NULL,
    is_enabled boolean NOT NULL,
    disabled_reason text,
    failing_since timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT webhook_endpoints_check CHECK ((is_enabled = (disabled_reason IS NULL))),
    CONSTRAINT webhook_endpoints_disabled_reason_check CHECK ((disabled_reason = ANY (ARRAY['by_hand'::text, 'failing'::text, 'gone'::text]))),
    CONSTRAINT webhook_endpoints_url_check CHECK (((length(url) >= 1) AND (length(url) <= 2048)))
);
CREATE TABLE public.webhook_inbox (
    gateway text NOT NULL,
    event_id text NOT NULL,
    kind text NOT NULL,
    body bytea NOT NULL,
    received_at timestamp with time zone NOT NULL,
    status text NOT NULL,
    process_after timestamp with time zone,
    try_count integer DEFAULT 0 NOT NULL,
    error text,
    customer_token text,
    account_id uuid,
    done_at timestamp with time zone,
    CONSTRAINT webhook_inbox_status_check CHECK ((status = ANY (ARRAY['received'::text, 'done'::text, 'ignored'::text, 'parked'::text])))
);
CREATE TABLE public.webhook_secrets (
    account_id uuid NOT NULL,
    webhook_secret_id uuid NOT NULL,
    webhook_endpoint_id uuid NOT NULL,
    secret bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    CONSTRAINT webhook_secrets_secret_check CHECK (((length(secret) >= 24) AND (length(secret) <= 64)))
);
CREATE TABLE public.webhook_tries (
    account_id uuid NOT NULL,
    webhook_delivery_id uuid NOT NULL,
    number integer NOT NULL,
    at timestamp with time zone NOT NULL,
    duration_ms integer NOT NULL,
    status_code integer,
    answer text,
    error text,
    CONSTRAINT webhook_tries_duration_ms_check CHECK ((duration_ms >= 0)),
    CONSTRAINT webhook_tries_number_check CHECK ((number >= 1))
);
CREATE TABLE public.what_if_rows (
    account_id uuid NOT NULL,
    what_if_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    period_start timestamp with time zone NOT NULL,
    period_end timestamp with time zone NOT NULL,
    plan_version_id uuid NOT NULL,
    currency character(3) NOT NULL,
    now_minor bigint NOT NULL,
    then_minor bigint NOT NULL,
    lines jsonb NOT NULL
);
CREATE TABLE public.what_ifs (
    what_if_id uuid NOT NULL,
    question jsonb NOT NULL,
    status text NOT NULL,
    account_count bigint NOT NULL,
    done_count bigint DEFAULT 0 NOT NULL,
    after_account_id uuid DEFAULT '00000000-0000-0000-0000-000000000000'::uuid NOT NULL,
    skipped jsonb DEFAULT '{}'::jsonb NOT NULL,
    result jsonb,
    error text,
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT what_ifs_check CHECK (((status = 'running'::text) = (finished_at IS NULL))),
    CONSTRAINT what_ifs_check1 CHECK (((status = 'done'::text) = (result IS NOT NULL))),
    CONSTRAINT what_ifs_check2 CHECK (((status = 'failed'::text) = (error IS NOT NULL))),
    CONSTRAINT what_ifs_status_check CHECK ((status = ANY (ARRAY['running'::text, 'done'::text, 'failed'::text])))
);
ALTER TABLE ONLY public.usage_events ATTACH PARTITION public.usage_events_0 FOR VALUES WITH (modulus 8, remainder 0);
ALTER TABLE ONLY public.usage_events ATTACH PARTITION public.usage_events_1 FOR VALUES WITH (modulus 8, remainder 1);
ALTER TABLE ONLY public.usage_events ATTACH PARTITION public.usage_events_2 FOR VALUES WITH (modulus 8, remainder 2);
ALTER TABLE ONLY public.usage_events ATTACH PARTITION public.usage_events_3 FOR VALUES WITH (modulus 8, remainder 3);
ALTER TABLE ONLY public.usage_events ATTACH PARTITION public.usage_events_4 FOR VALUES WITH (modulus 8, remainder 4);
ALTER TABLE ONLY public.usage_events ATTACH PARTITION public.usage_events_5 FOR VALUES WITH (modulus 8, remainder 5);
ALTER TABLE ONLY public.usage_events ATTACH PARTITION public.usage_events_6 FOR VALUES WITH (modulus 8, remainder 6);
ALTER TABLE ONLY public.usage_events ATTACH PARTITION public.usage_events_7 FOR VALUES WITH (modulus 8, remainder 7);
ALTER TABLE ONLY public.account_limits
    ADD CONSTRAINT account_limits_pkey PRIMARY KEY (account_id, meter_id, per);
ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_external_id_key UNIQUE (external_id);
ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (account_id);
ALTER TABLE ONLY public.add_ons
    ADD CONSTRAINT add_ons_code_version_key UNIQUE (code, version);
ALTER TABLE ONLY public.add_ons
    ADD CONSTRAINT add_ons_pkey PRIMARY KEY (add_on_id);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_key_hash_key UNIQUE (key_hash);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (api_key_id);
ALTER TABLE ONLY public.billing_audit
    ADD CONSTRAINT billing_audit_pkey PRIMARY KEY (account_id, audit_id);
ALTER TABLE ONLY public.ccbill_charges
    ADD CONSTRAINT ccbill_charges_pkey PRIMARY KEY (account_id, idempotency_key);
ALTER TABLE ONLY public.ccbill_extracts
    ADD CONSTRAINT ccbill_extracts_pkey PRIMARY KEY (username);
ALTER TABLE ONLY public.ccbill_refunds
    ADD CONSTRAINT ccbill_refunds_pkey PRIMARY KEY (account_id, idempotency_key);
ALTER TABLE ONLY public.checkouts
    ADD CONSTRAINT checkouts_account_id_payment_attempt_id_key UNIQUE (account_id, payment_attempt_id);
ALTER TABLE ONLY public.checkouts
    ADD CONSTRAINT checkouts_account_id_request_key_key UNIQUE (account_id, request_key);
ALTER TABLE ONLY public.checkouts
    ADD CONSTRAINT checkouts_pkey PRIMARY KEY (account_id, checkout_id);
ALTER TABLE ONLY public.coupon_redemptions
    ADD CONSTRAINT coupon_redemptions_pkey PRIMARY KEY (account_id, redemption_id);
ALTER TABLE ONLY public.coupons
    ADD CONSTRAINT coupons_code_version_key UNIQUE (code, version);
ALTER TABLE ONLY public.coupons
    ADD CONSTRAINT coupons_pkey PRIMARY KEY (coupon_id);
ALTER TABLE ONLY public.credit_accounts
    ADD CONSTRAINT credit_accounts_pkey PRIMARY KEY (account_id);
ALTER TABLE ONLY public.credit_allocations
    ADD CONSTRAINT credit_allocations_pkey PRIMARY KEY (account_id, ledger_entry_id, credit_grant_id);
ALTER TABLE ONLY public.credit_cost_epoch
    ADD CONSTRAINT credit_cost_epoch_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY public.credit_cost_overrides
    ADD CONSTRAINT credit_cost_overrides_account_id_operation_model_version_key UNIQUE NULLS NOT DISTINCT (account_id, operation, model, version);
ALTER TABLE ONLY public.credit_cost_overrides
    ADD CONSTRAINT credit_cost_overrides_pkey PRIMARY KEY (account_id, credit_cost_id);
ALTER TABLE ONLY public.credit_costs
    ADD CONSTRAINT credit_costs_operation_model_version_key UNIQUE NULLS NOT DISTINCT (operation, model, version);
ALTER TABLE ONLY public.credit_costs
    ADD CONSTRAINT credit_costs_pkey PRIMARY KEY (credit_cost_id);
ALTER TABLE ONLY public.credit_grants
    ADD CONSTRAINT credit_grants_account_id_idempotency_key_key UNIQUE (account_id, idempotency_key);
ALTER TABLE ONLY public.credit_grants
    ADD CONSTRAINT credit_grants_pkey PRIMARY KEY (account_id, credit_grant_id);
ALTER TABLE ONLY public.credit_note_files
    ADD CONSTRAINT credit_note_files_pkey PRIMARY KEY (account_id, credit_note_id, form);
ALTER TABLE ONLY public.credit_note_lines
    ADD CONSTRAINT credit_note_lines_pkey PRIMARY KEY (account_id, credit_note_id, invoice_line_id);
ALTER TABLE ONLY public.credit_note_taxes
    ADD CONSTRAINT credit_note_taxes_pkey PRIMARY KEY (account_id, credit_note_id, place);
ALTER TABLE ONLY public.credit_notes
    ADD CONSTRAINT credit_notes_account_id_request_key_key UNIQUE (account_id, request_key);
ALTER TABLE ONLY public.credit_notes
    ADD CONSTRAINT credit_notes_issuer_id_number_key UNIQUE (issuer_id, number);
ALTER TABLE ONLY public.credit_notes
    ADD CONSTRAINT credit_notes_pkey PRIMARY KEY (account_id, credit_note_id);
ALTER TABLE ONLY public.credit_packages
    ADD CONSTRAINT credit_packages_code_key UNIQUE (code);
ALTER TABLE ONLY public.credit_packages
    ADD CONSTRAINT credit_packages_pkey PRIMARY KEY (credit_package_id);
ALTER TABLE ONLY public.credit_purchases
    ADD CONSTRAINT credit_purchases_account_id_invoice_id_key UNIQUE (account_id, invoice_id);
ALTER TABLE ONLY public.credit_purchases
    ADD CONSTRAINT credit_purchases_account_id_request_key_key UNIQUE (account_id, request_key);
ALTER TABLE ONLY public.credit_purchases
    ADD CONSTRAINT credit_purchases_pkey PRIMARY KEY (account_id, credit_purchase_id);
ALTER TABLE ONLY public.credit_reservations
    ADD CONSTRAINT credit_reservations_account_id_idempotency_key_key UNIQUE (account_id, idempotency_key);
ALTER TABLE ONLY public.credit_reservations
    ADD CONSTRAINT credit_reservations_pkey PRIMARY KEY (account_id, credit_reservation_id);
ALTER TABLE ONLY public.credit_usage_log
    ADD CONSTRAINT credit_usage_log_pkey PRIMARY KEY (account_id, idempotency_key);
ALTER TABLE ONLY public.credited_lines
    ADD CONSTRAINT credited_lines_pkey PRIMARY KEY (account_id, invoice_id, invoice_line_id);
ALTER TABLE ONLY public.credited_taxes
    ADD CONSTRAINT credited_taxes_pkey PRIMARY KEY (account_id, invoice_id, place);
ALTER TABLE ONLY public.customer_credit_uses
    ADD CONSTRAINT customer_credit_uses_pkey PRIMARY KEY (account_id, invoice_id, customer_credit_id);
ALTER TABLE ONLY public.customer_credits
    ADD CONSTRAINT customer_credits_pkey PRIMARY KEY (account_id, customer_credit_id);
ALTER TABLE ONLY public.disputes
    ADD CONSTRAINT disputes_account_id_gateway_reference_invoice_id_key UNIQUE (account_id, gateway, reference, invoice_id);
ALTER TABLE ONLY public.disputes
    ADD CONSTRAINT disputes_pkey PRIMARY KEY (account_id, dispute_id);
ALTER TABLE ONLY public.exchange_rates
    ADD CONSTRAINT exchange_rates_pkey PRIMARY KEY (base, quote, rate_on);
ALTER TABLE ONLY public.feature_overrides
    ADD CONSTRAINT feature_overrides_pkey PRIMARY KEY (account_id, feature_id);
ALTER TABLE ONLY public.features
    ADD CONSTRAINT features_code_key UNIQUE (code);
ALTER TABLE ONLY public.features
    ADD CONSTRAINT features_pkey PRIMARY KEY (feature_id);
ALTER TABLE ONLY public.gateway_customers
    ADD CONSTRAINT gateway_customers_pkey PRIMARY KEY (account_id, gateway, token);
ALTER TABLE ONLY public.gateway_renewals
    ADD CONSTRAINT gateway_renewals_pkey PRIMARY KEY (account_id, gateway, event_id);
ALTER TABLE ONLY public.gateway_schedules
    ADD CONSTRAINT gateway_schedules_pkey PRIMARY KEY (account_id, subscription_id);
ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (account_id, caller, key);
ALTER TABLE ONLY public.invoice_adjustment_uses
    ADD CONSTRAINT invoice_adjustment_uses_pkey PRIMARY KEY (account_id, invoice_id, source_invoice_id);
ALTER TABLE ONLY public.invoice_adjustments
    ADD CONSTRAINT invoice_adjustments_pkey PRIMARY KEY (account_id, invoice_id);
ALTER TABLE ONLY public.invoice_bills
    ADD CONSTRAINT invoice_bills_pkey PRIMARY KEY (account_id, subscription_id, bill_index);
ALTER TABLE ONLY public.invoice_closings
    ADD CONSTRAINT invoice_closings_pkey PRIMARY KEY (account_id, invoice_closing_id);
ALTER TABLE ONLY public.invoice_files
    ADD CONSTRAINT invoice_files_pkey PRIMARY KEY (account_id, invoice_id, form);
ALTER TABLE ONLY public.invoice_lines
    ADD CONSTRAINT invoice_lines_account_id_invoice_id_position_key UNIQUE (account_id, invoice_id, "position");
ALTER TABLE ONLY public.invoice_lines
    ADD CONSTRAINT invoice_lines_pkey PRIMARY KEY (account_id, invoice_id, invoice_line_id);
ALTER TABLE ONLY public.invoice_usage_changes
    ADD CONSTRAINT invoice_usage_changes_pkey PRIMARY KEY (account_id, invoice_id, subscription_id, meter_code);
ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_issuer_id_number_key UNIQUE (issuer_id, number);
ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_pkey PRIMARY KEY (account_id, invoice_id);
ALTER TABLE ONLY public.issuers
    ADD CONSTRAINT issuers_code_key UNIQUE (code);
ALTER TABLE ONLY public.issuers
    ADD CONSTRAINT issuers_pkey PRIMARY KEY (issuer_id);
ALTER TABLE ONLY public.lago_comparisons
    ADD CONSTRAINT lago_comparisons_pkey PRIMARY KEY (account_id);
ALTER TABLE ONLY public.lago_differences
    ADD CONSTRAINT lago_differences_pkey PRIMARY KEY (account_id, meter_id, period_start);
ALTER TABLE ONLY public.lago_marks
    ADD CONSTRAINT lago_marks_pkey PRIMARY KEY (meter_id);
ALTER TABLE ONLY public.lago_outbox
    ADD CONSTRAINT lago_outbox_pkey PRIMARY KEY (account_id, transaction_id);
ALTER TABLE ONLY public.lago_refused
    ADD CONSTRAINT lago_refused_pkey PRIMARY KEY (account_id, transaction_id);
ALTER TABLE ONLY public.lago_sync
    ADD CONSTRAINT lago_sync_pkey PRIMARY KEY (one);
ALTER TABLE ONLY public.ledger_balances
    ADD CONSTRAINT ledger_balances_pkey PRIMARY KEY (account_id, ledger_account, unit);
ALTER TABLE ONLY public.ledger_entries
    ADD CONSTRAINT ledger_entries_account_id_idempotency_key_key UNIQUE (account_id, idempotency_key);
ALTER TABLE ONLY public.ledger_entries
    ADD CONSTRAINT ledger_entries_pkey PRIMARY KEY (account_id, ledger_entry_id);
ALTER TABLE ONLY public.ledger_postings
    ADD CONSTRAINT ledger_postings_pkey PRIMARY KEY (account_id, ledger_entry_id, line);
ALTER TABLE ONLY public.logos
    ADD CONSTRAINT logos_pkey PRIMARY KEY (logo_id);
ALTER TABLE ONLY public.mails
    ADD CONSTRAINT mails_account_id_invoice_id_request_key_key UNIQUE (account_id, invoice_id, request_key);
ALTER TABLE ONLY public.mails
    ADD CONSTRAINT mails_account_id_payment_method_id_request_key_key UNIQUE (account_id, payment_method_id, request_key);
ALTER TABLE ONLY public.mails
    ADD CONSTRAINT mails_pkey PRIMARY KEY (account_id, mail_id);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_pkey PRIMARY KEY (account_id, user_id);
ALTER TABLE ONLY public.meters
    ADD CONSTRAINT meters_code_key UNIQUE (code);
ALTER TABLE ONLY public.meters
    ADD CONSTRAINT meters_pkey PRIMARY KEY (meter_id);
ALTER TABLE ONLY public.mirror_progress
    ADD CONSTRAINT mirror_progress_pkey PRIMARY KEY (gateway, kind);
ALTER TABLE ONLY public.mirrored_charges
    ADD CONSTRAINT mirrored_charges_pkey PRIMARY KEY (account_id, gateway, reference);
ALTER TABLE ONLY public.mirrored_invoices
    ADD CONSTRAINT mirrored_invoices_pkey PRIMARY KEY (account_id, gateway, reference);
ALTER TABLE ONLY public.mirrored_subscriptions
    ADD CONSTRAINT mirrored_subscriptions_pkey PRIMARY KEY (account_id, gateway, reference);
ALTER TABLE ONLY public.number_series
    ADD CONSTRAINT number_series_pkey PRIMARY KEY (issuer_id, kind, period, is_test);
ALTER TABLE ONLY public.one_time_charges
    ADD CONSTRAINT one_time_charges_account_id_invoice_id_key UNIQUE (account_id, invoice_id);
ALTER TABLE ONLY public.one_time_charges
    ADD CONSTRAINT one_time_charges_pkey PRIMARY KEY (account_id, request_key);
ALTER TABLE ONLY public.outbox_done
    ADD CONSTRAINT outbox_done_pkey PRIMARY KEY (account_id, outbox_id);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (account_id, outbox_id);
ALTER TABLE ONLY public.payment_attempts
    ADD CONSTRAINT payment_attempts_account_id_idempotency_key_key UNIQUE (account_id, idempotency_key);
ALTER TABLE ONLY public.payment_attempts
    ADD CONSTRAINT payment_attempts_account_id_payment_id_number_key UNIQUE (account_id, payment_id, number);
ALTER TABLE ONLY public.payment_attempts
    ADD CONSTRAINT payment_attempts_pkey PRIMARY KEY (account_id, payment_attempt_id);
ALTER TABLE ONLY public.payment_invoices
    ADD CONSTRAINT payment_invoices_pkey PRIMARY KEY (account_id, payment_id, invoice_id);
ALTER TABLE ONLY public.payment_method_config_accounts
    ADD CONSTRAINT payment_method_config_accounts_pkey PRIMARY KEY (account_id, code);
ALTER TABLE ONLY public.payment_method_configs
    ADD CONSTRAINT payment_method_configs_pkey PRIMARY KEY (code);
ALTER TABLE ONLY public.payment_methods
    ADD CONSTRAINT payment_methods_account_id_gateway_token_key UNIQUE (account_id, gateway, token);
ALTER TABLE ONLY public.payment_methods
    ADD CONSTRAINT payment_methods_pkey PRIMARY KEY (account_id, payment_method_id);
ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_account_id_request_key_key UNIQUE (account_id, request_key);
ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_pkey PRIMARY KEY (account_id, payment_id);
ALTER TABLE ONLY public.plan_migration_rows
    ADD CONSTRAINT plan_migration_rows_pkey PRIMARY KEY (account_id, plan_migration_id, subscription_id);
ALTER TABLE ONLY public.plan_migrations
    ADD CONSTRAINT plan_migrations_pkey PRIMARY KEY (plan_migration_id);
ALTER TABLE ONLY public.plan_versions
    ADD CONSTRAINT plan_versions_pkey PRIMARY KEY (plan_version_id);
ALTER TABLE ONLY public.plan_versions
    ADD CONSTRAINT plan_versions_plan_id_version_key UNIQUE (plan_id, version);
ALTER TABLE ONLY public.plans
    ADD CONSTRAINT plans_code_key UNIQUE (code);
ALTER TABLE ONLY public.plans
    ADD CONSTRAINT plans_pkey PRIMARY KEY (plan_id);
ALTER TABLE ONLY public.refund_attempts
    ADD CONSTRAINT refund_attempts_account_id_idempotency_key_key UNIQUE (account_id, idempotency_key);
ALTER TABLE ONLY public.refund_attempts
    ADD CONSTRAINT refund_attempts_account_id_refund_id_number_key UNIQUE (account_id, refund_id, number);
ALTER TABLE ONLY public.refund_attempts
    ADD CONSTRAINT refund_attempts_pkey PRIMARY KEY (account_id, refund_attempt_id);
ALTER TABLE ONLY public.refund_parts
    ADD CONSTRAINT refund_parts_pkey PRIMARY KEY (account_id, refund_part_id);
ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_account_id_credit_note_id_key UNIQUE (account_id, credit_note_id);
ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_pkey PRIMARY KEY (account_id, refund_id);
ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (token_hash);
ALTER TABLE ONLY public.stripe_meter_decisions
    ADD CONSTRAINT stripe_meter_decisions_pkey PRIMARY KEY (account_id, stripe_meter_event_id, decided_at);
ALTER TABLE ONLY public.stripe_meter_events
    ADD CONSTRAINT stripe_meter_events_account_id_meter_id_hour_revision_key UNIQUE (account_id, meter_id, hour, revision);
ALTER TABLE ONLY public.stripe_meter_events
    ADD CONSTRAINT stripe_meter_events_pkey PRIMARY KEY (account_id, stripe_meter_event_id);
ALTER TABLE ONLY public.stripe_meter_hours
    ADD CONSTRAINT stripe_meter_hours_pkey PRIMARY KEY (account_id, meter_id, hour);
ALTER TABLE ONLY public.stripe_meter_reports
    ADD CONSTRAINT stripe_meter_reports_pkey PRIMARY KEY (report, code);
ALTER TABLE ONLY public.stripe_meter_sync
    ADD CONSTRAINT stripe_meter_sync_pkey PRIMARY KEY (one);
ALTER TABLE ONLY public.stripe_meters
    ADD CONSTRAINT stripe_meters_event_name_key UNIQUE (event_name);
ALTER TABLE ONLY public.stripe_meters
    ADD CONSTRAINT stripe_meters_pkey PRIMARY KEY (meter_id);
ALTER TABLE ONLY public.subscription_add_ons
    ADD CONSTRAINT subscription_add_ons_pkey PRIMARY KEY (account_id, subscription_add_on_id);
ALTER TABLE ONLY public.subscription_terms
    ADD CONSTRAINT subscription_terms_pkey PRIMARY KEY (account_id, subscription_id, bill_index);
ALTER TABLE ONLY public.subscriptions
    ADD CONSTRAINT subscriptions_pkey PRIMARY KEY (account_id, subscription_id);
ALTER TABLE ONLY public.tax_exemptions
    ADD CONSTRAINT tax_exemptions_pkey PRIMARY KEY (account_id, tax_exemption_id);
ALTER TABLE ONLY public.tax_number_checks
    ADD CONSTRAINT tax_number_checks_pkey PRIMARY KEY (account_id);
ALTER TABLE ONLY public.tax_rates
    ADD CONSTRAINT tax_rates_apart EXCLUDE USING gist (int8range(hashtextextended((((((((country)::text || '/'::text) || COALESCE(region, ''::text)) || '/'::text) || tax_code) || '/'::text) || name), (0)::bigint), hashtextextended((((((((country)::text || '/'::text) || COALESCE(region, ''::text)) || '/'::text) || tax_code) || '/'::text) || name), (0)::bigint), '[]'::text) WITH &&, daterange(valid_from, valid_until) WITH &&);
ALTER TABLE ONLY public.tax_rates
    ADD CONSTRAINT tax_rates_pkey PRIMARY KEY (tax_rate_id);
ALTER TABLE ONLY public.test_clocks
    ADD CONSTRAINT test_clocks_pkey PRIMARY KEY (test_clock_id);
ALTER TABLE ONLY public.usage_advance_marks
    ADD CONSTRAINT usage_advance_marks_pkey PRIMARY KEY (clock_id);
ALTER TABLE ONLY public.usage_alert_due
    ADD CONSTRAINT usage_alert_due_pkey PRIMARY KEY (account_id, due_id);
ALTER TABLE ONLY public.usage_alert_rules
    ADD CONSTRAINT usage_alert_rules_pkey PRIMARY KEY (account_id, alert_rule_id);
ALTER TABLE ONLY public.usage_alerts
    ADD CONSTRAINT usage_alerts_once UNIQUE (account_id, source_id, basis, threshold, period_start);
ALTER TABLE ONLY public.usage_alerts
    ADD CONSTRAINT usage_alerts_pkey PRIMARY KEY (account_id, usage_alert_id);
ALTER TABLE ONLY public.usage_archived_hours
    ADD CONSTRAINT usage_archived_hours_pkey PRIMARY KEY (account_id, event_type, hour);
ALTER TABLE ONLY public.usage_archived_keys
    ADD CONSTRAINT usage_archived_keys_pkey PRIMARY KEY (account_id, key);
ALTER TABLE ONLY public.usage_archives
    ADD CONSTRAINT usage_archives_account_id_month_number_key UNIQUE (account_id, month, number);
ALTER TABLE ONLY public.usage_archives
    ADD CONSTRAINT usage_archives_pkey PRIMARY KEY (account_id, usage_archive_id);
ALTER TABLE ONLY public.usage_budgets
    ADD CONSTRAINT usage_budgets_pkey PRIMARY KEY (account_id, budget_id);
ALTER TABLE ONLY public.usage_conflicts
    ADD CONSTRAINT usage_conflicts_account_id_digest_key UNIQUE (account_id, digest);
ALTER TABLE ONLY public.usage_conflicts
    ADD CONSTRAINT usage_conflicts_pkey PRIMARY KEY (account_id, usage_conflict_id);
ALTER TABLE ONLY public.usage_corrections
    ADD CONSTRAINT usage_corrections_account_id_key_key UNIQUE (account_id, key);
ALTER TABLE ONLY public.usage_corrections
    ADD CONSTRAINT usage_corrections_account_id_new_key_key UNIQUE (account_id, new_key);
ALTER TABLE ONLY public.usage_corrections
    ADD CONSTRAINT usage_corrections_account_id_root_key_position_key UNIQUE (account_id, root_key, "position");
ALTER TABLE ONLY public.usage_corrections
    ADD CONSTRAINT usage_corrections_pkey PRIMARY KEY (account_id, usage_correction_id);
ALTER TABLE ONLY public.usage_counters
    ADD CONSTRAINT usage_counters_pkey PRIMARY KEY (account_id, meter_id);
ALTER TABLE ONLY public.usage_decisions
    ADD CONSTRAINT usage_decisions_pkey PRIMARY KEY (account_id, key);
ALTER TABLE ONLY public.usage_events
    ADD CONSTRAINT usage_events_pkey PRIMARY KEY (account_id, key);
ALTER TABLE ONLY public.usage_events_0
    ADD CONSTRAINT usage_events_0_pkey PRIMARY KEY (account_id, key);
ALTER TABLE ONLY public.usage_events_1
    ADD CONSTRAINT usage_events_1_pkey PRIMARY KEY (account_id, key);
ALTER TABLE ONLY public.usage_events_2
    ADD CONSTRAINT usage_events_2_pkey PRIMARY KEY (account_id, key);
ALTER TABLE ONLY public.usage_events_3
    ADD CONSTRAINT usage_events_3_pkey PRIMARY KEY (account_id, key);
ALTER TABLE ONLY public.usage_events_4
    ADD CONSTRAINT usage_events_4_pkey PRIMARY KEY (account_id, key);
ALTER TABLE ONLY public.usage_events_5
    ADD CONSTRAINT usage_events_5_pkey PRIMARY KEY (account_id, key);
ALTER TABLE ONLY public.usage_events_6
    ADD CONSTRAINT usage_events_6_pkey PRIMARY KEY (account_id, key);
ALTER TABLE ONLY public.usage_events_7
    ADD CONSTRAINT usage_events_7_pkey PRIMARY KEY (account_id, key);
ALTER TABLE ONLY public.usage_fees
    ADD CONSTRAINT usage_fees_pkey PRIMARY KEY (account_id, subscription_id, bill_index, "position");
ALTER TABLE ONLY public.usage_fold
    ADD CONSTRAINT usage_fold_pkey PRIMARY KEY (one);
ALTER TABLE ONLY public.usage_groups
    ADD CONSTRAINT usage_groups_pkey PRIMARY KEY (account_id, meter_id, hour, dimension_key);
ALTER TABLE ONLY public.usage_imports
    ADD CONSTRAINT usage_imports_pkey PRIMARY KEY (import_id);
ALTER TABLE ONLY public.usage_late_mark
    ADD CONSTRAINT usage_late_mark_pkey PRIMARY KEY (one);
ALTER TABLE ONLY public.usage_months
    ADD CONSTRAINT usage_months_pkey PRIMARY KEY (account_id, meter_id, month);
ALTER TABLE ONLY public.usage_totals
    ADD CONSTRAINT usage_totals_pkey PRIMARY KEY (account_id, meter_id, hour);
ALTER TABLE ONLY public.usage_unmatched
    ADD CONSTRAINT usage_unmatched_account_id_digest_key UNIQUE (account_id, digest);
ALTER TABLE ONLY public.usage_unmatched
    ADD CONSTRAINT usage_unmatched_pkey PRIMARY KEY (account_id, unmatched_event_id);
ALTER TABLE ONLY public.usage_values
    ADD CONSTRAINT usage_values_pkey PRIMARY KEY (account_id, meter_id, hour, dimension_key, value);
ALTER TABLE ONLY public.usage_voids
    ADD CONSTRAINT usage_voids_pkey PRIMARY KEY (account_id, key);
ALTER TABLE ONLY public.usage_watches
    ADD CONSTRAINT usage_watches_pkey PRIMARY KEY (account_id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_external_id_key UNIQUE (external_id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (user_id);
ALTER TABLE ONLY public.webhook_catch_ups
    ADD CONSTRAINT webhook_catch_ups_pkey PRIMARY KEY (gateway);
ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_account_id_webhook_endpoint_id_outbox_id_key UNIQUE (account_id, webhook_endpoint_id, outbox_id);
ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (account_id, webhook_delivery_id);
ALTER TABLE ONLY public.webhook_endpoints
    ADD CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (account_id, webhook_endpoint_id);
ALTER TABLE ONLY public.webhook_inbox
    ADD CONSTRAINT webhook_inbox_pkey PRIMARY KEY (gateway, event_id);
ALTER TABLE ONLY public.webhook_secrets
    ADD CONSTRAINT webhook_secrets_pkey PRIMARY KEY (account_id, webhook_secret_id);
ALTER TABLE ONLY public.webhook_tries
    ADD CONSTRAINT webhook_tries_pkey PRIMARY KEY (account_id, webhook_delivery_id, number);
ALTER TABLE ONLY public.what_if_rows
    ADD CONSTRAINT what_if_rows_pkey PRIMARY KEY (account_id, what_if_id, subscription_id, period_start);
ALTER TABLE ONLY public.what_ifs
    ADD CONSTRAINT what_ifs_pkey PRIMARY KEY (what_if_id);
CREATE INDEX accounts_by_test_clock ON public.accounts USING btree (test_clock_id) WHERE (test_clock_id IS NOT NULL);
CREATE INDEX accounts_by_time ON public.accounts USING btree (created_at DESC, account_id DESC);
CREATE UNIQUE INDEX add_ons_active ON public.add_ons USING btree (code) WHERE (status = 'active'::text);
CREATE INDEX api_keys_by_time ON public.api_keys USING btree (created_at DESC, api_key_id DESC);
CREATE INDEX billing_audit_by_id ON public.billing_audit USING btree (audit_id);
CREATE UNIQUE INDEX ccbill_charges_live ON public.ccbill_charges USING btree (account_id, payment_token_id) WHERE (state = ANY (ARRAY['claimed'::text, 'sent'::text]));
CREATE UNIQUE INDEX ccbill_refunds_live ON public.ccbill_refunds USING btree (account_id, subscription_id) WHERE (outcome IS NULL);
CREATE INDEX coupon_redemptions_by_coupon ON public.coupon_redemptions USING btree (coupon_id);
CREATE UNIQUE INDEX coupons_active ON public.coupons USING btree (code) WHERE (status = 'active'::text);
CREATE INDEX credit_grants_burn ON public.credit_grants USING btree (account_id, priority, expires_at, created_at, credit_grant_id) WHERE (NOT is_spent);
CREATE INDEX credit_grants_by_reference ON public.credit_grants USING btree (account_id, reference);
CREATE INDEX credit_grants_by_time ON public.credit_grants USING btree (account_id, created_at, credit_grant_id);
CREATE INDEX credit_grants_due ON public.credit_grants USING btree (due_at, account_id) WHERE (due_at IS NOT NULL);
CREATE INDEX credit_grants_refunding ON public.credit_grants USING btree (account_id, refunded_entry_id) WHERE (refunded_entry_id IS NOT NULL);
CREATE INDEX credit_notes_by_time ON public.credit_notes USING btree (account_id, issued_at DESC, credit_note_id DESC);
CREATE INDEX credit_notes_of_invoice ON public.credit_notes USING btree (account_id, invoice_id);
CREATE INDEX credit_purchases_by_time ON public.credit_purchases USING btree (account_id, created_at);
CREATE UNIQUE INDEX credit_purchases_top_up_in_flight ON public.credit_purchases USING btree (account_id) WHERE (is_top_up AND (status = 'open'::text));
CREATE INDEX credit_reservations_active ON public.credit_reservations USING btree (account_id, expires_at) WHERE (status = 'active'::text);
CREATE INDEX credit_reservations_due ON public.credit_reservations USING btree (expires_at) WHERE (status = 'active'::text);
CREATE INDEX credit_usage_log_by_time ON public.credit_usage_log USING btree (account_id, at, ledger_entry_id);
CREATE INDEX customer_credits_open ON public.customer_credits USING btree (account_id, currency) WHERE (left_minor > 0);
CREATE INDEX disputes_by_time ON public.disputes USING btree (account_id, opened_at DESC, dispute_id DESC);
CREATE INDEX disputes_of_payment ON public.disputes USING btree (account_id, payment_id);
CREATE UNIQUE INDEX gateway_customers_by_token ON public.gateway_customers USING btree (gateway, token);
CREATE UNIQUE INDEX gateway_customers_live ON public.gateway_customers USING btree (account_id, gateway) WHERE (removed_at IS NULL);
CREATE INDEX gateway_renewals_by_period ON public.gateway_renewals USING btree (account_id, subscription_id, period_start);
CREATE INDEX idempotency_keys_by_age ON public.idempotency_keys USING btree (claimed_at);
CREATE INDEX invoice_adjustments_open ON public.invoice_adjustments USING btree (account_id, currency) WHERE (left_minor > 0);
CREATE INDEX invoice_closings_by_invoice ON public.invoice_closings USING btree (account_id, invoice_id);
CREATE INDEX invoice_usage_changes_by_end ON public.invoice_usage_changes USING btree (period_end, account_id);
CREATE INDEX invoices_by_time ON public.invoices USING btree (account_id, created_at DESC, invoice_id DESC);
CREATE INDEX invoices_drafts ON public.invoices USING btree (account_id) WHERE (status = 'draft'::text);
CREATE INDEX invoices_to_finalize ON public.invoices USING btree (finalize_at) WHERE (finalize_at IS NOT NULL);
CREATE UNIQUE INDEX issuers_default ON public.issuers USING btree (is_default) WHERE is_default;
CREATE INDEX lago_comparisons_due ON public.lago_comparisons USING btree (compare_after);
CREATE INDEX lago_differences_in_order ON public.lago_differences USING btree (found_at);
CREATE INDEX lago_outbox_in_order ON public.lago_outbox USING btree (outbox_id);
CREATE INDEX lago_refused_in_order ON public.lago_refused USING btree (refused_at);
CREATE INDEX ledger_postings_receivable ON public.ledger_postings USING btree (account_id) WHERE (ledger_account = 'receivable'::text);
CREATE INDEX mails_by_time ON public.mails USING btree (created_at DESC, mail_id DESC);
CREATE INDEX mails_due ON public.mails USING btree (try_after) WHERE (status = ANY (ARRAY['waiting'::text, 'sending'::text]));
CREATE INDEX memberships_by_user ON public.memberships USING btree (user_id);
CREATE INDEX meters_by_event_type ON public.meters USING btree (event_type);
CREATE INDEX mirrored_charges_by_payment ON public.mirrored_charges USING btree (gateway, payment_reference);
CREATE INDEX mirrored_charges_by_time ON public.mirrored_charges USING btree (created_at DESC, reference DESC);
CREATE INDEX mirrored_invoices_by_time ON public.mirrored_invoices USING btree (account_id, created_at DESC, reference DESC);
CREATE INDEX mirrored_subscriptions_by_time ON public.mirrored_subscriptions USING btree (created_at DESC, reference DESC);
CREATE INDEX one_time_charges_by_payment ON public.one_time_charges USING btree (account_id, payment_id);
CREATE INDEX one_time_charges_to_end ON public.one_time_charges USING btree (end_after) WHERE (end_after IS NOT NULL);
CREATE INDEX outbox_done_by_time ON public.outbox_done USING brin (created_at);
CREATE INDEX outbox_due ON public.outbox USING btree (deliver_after);
CREATE INDEX payment_attempts_by_reference ON public.payment_attempts USING btree (gateway, gateway_reference);
CREATE INDEX payment_attempts_due ON public.payment_attempts USING btree (resolve_after) WHERE (outcome = ANY (ARRAY['created'::text, 'needs_action'::text, 'pending'::text, 'unknown'::text]));
CREATE UNIQUE INDEX payment_attempts_live ON public.payment_attempts USING btree (account_id, payment_id) WHERE (outcome = ANY (ARRAY['created'::text, 'needs_action'::text, 'pending'::text, 'unknown'::text]));
CREATE INDEX payment_attempts_to_sweep ON public.payment_attempts USING btree (sweep_after) WHERE ((outcome = ANY (ARRAY['created'::text, 'unknown'::text])) OR ((resolve_after IS NULL) AND (outcome = ANY (ARRAY['needs_action'::text, 'pending'::text]))));
CREATE INDEX payment_invoices_by_invoice ON public.payment_invoices USING btree (account_id, invoice_id);
CREATE UNIQUE INDEX payment_invoices_live ON public.payment_invoices USING btree (account_id, invoice_id) WHERE live;
CREATE INDEX payment_method_config_accounts_by_code ON public.payment_method_config_accounts USING btree (code);
CREATE INDEX payment_methods_by_token ON public.payment_methods USING btree (gateway, token) WHERE (status = 'active'::text);
CREATE UNIQUE INDEX payment_methods_default ON public.payment_methods USING btree (account_id) WHERE (is_default AND (status = 'active'::text));
CREATE INDEX payment_methods_watched ON public.payment_methods USING btree (watch_at) WHERE ((watch_at IS NOT NULL) AND (status = 'active'::text));
CREATE INDEX payments_by_reference ON public.payments USING btree (gateway, reference);
CREATE INDEX payments_by_time ON public.payments USING btree (account_id, created_at DESC, payment_id DESC);
CREATE INDEX payments_due ON public.payments USING btree (next_attempt_at) WHERE (next_attempt_at IS NOT NULL);
CREATE UNIQUE INDEX payments_reference ON public.payments USING btree (account_id, reference_key) WHERE ((reference_key IS NOT NULL) AND (status <> ALL (ARRAY['failed'::text, 'cancelled'::text])));
CREATE INDEX plan_migration_rows_late ON public.plan_migration_rows USING btree (check_at) WHERE (state = 'scheduled'::text);
CREATE INDEX plan_migration_rows_newest ON public.plan_migration_rows USING btree (plan_migration_id, subscription_id DESC);
CREATE INDEX plan_migration_rows_state ON public.plan_migration_rows USING btree (plan_migration_id, state, account_id, subscription_id);
CREATE INDEX plan_migrations_newest ON public.plan_migrations USING btree (created_at DESC, plan_migration_id DESC);
CREATE INDEX plan_migrations_working ON public.plan_migrations USING btree (created_at) WHERE (finished_at IS NULL);
CREATE UNIQUE INDEX plan_versions_active ON public.plan_versions USING btree (plan_id) WHERE (status = 'active'::text);
CREATE INDEX refund_attempts_by_reference ON public.refund_attempts USING btree (gateway, gateway_reference);
CREATE INDEX refund_attempts_due ON public.refund_attempts USING btree (resolve_after) WHERE (outcome = ANY (ARRAY['created'::text, 'pending'::text, 'unknown'::text]));
CREATE UNIQUE INDEX refund_attempts_live ON public.refund_attempts USING btree (account_id, refund_id, payment_id) WHERE (outcome = ANY (ARRAY['created'::text, 'pending'::text, 'unknown'::text]));
CREATE INDEX refund_attempts_of_payment ON public.refund_attempts USING btree (account_id, payment_id, invoice_id);
CREATE INDEX refund_attempts_to_sweep ON public.refund_attempts USING btree (sweep_after) WHERE ((outcome = ANY (ARRAY['created'::text, 'unknown'::text])) OR ((resolve_after IS NULL) AND (outcome = ANY (ARRAY['needs_action'::text, 'pending'::text]))));
CREATE INDEX refund_parts_of_refund ON public.refund_parts USING btree (account_id, refund_id);
CREATE INDEX refunds_due ON public.refunds USING btree (requested_at) WHERE ((status = 'requested'::text) AND (problem IS NULL));
CREATE INDEX refunds_of_invoice ON public.refunds USING btree (account_id, invoice_id);
CREATE INDEX refunds_requested ON public.refunds USING btree (requested_at) WHERE (status = ANY (ARRAY['requested'::text, 'processing'::text]));
CREATE INDEX sessions_by_user ON public.sessions USING btree (user_id);
CREATE INDEX stripe_meter_events_by_id ON public.stripe_meter_events USING btree (stripe_meter_event_id);
CREATE INDEX stripe_meter_events_due ON public.stripe_meter_events USING btree (try_after) WHERE (status = ANY (ARRAY['parked'::text, 'queued'::text, 'unknown'::text, 'canceling'::text]));
CREATE INDEX stripe_meter_events_open ON public.stripe_meter_events USING btree (status, created_at) WHERE (status = ANY (ARRAY['parked'::text, 'queued'::text, 'unknown'::text, 'refused'::text, 'held'::text, 'canceling'::text]));
CREATE INDEX stripe_meter_hours_due ON public.stripe_meter_hours USING btree (look_after);
CREATE INDEX subscription_add_ons_by_subscription ON public.subscription_add_ons USING btree (account_id, subscription_id);
CREATE INDEX subscriptions_due ON public.subscriptions USING btree (next_bill_at, account_id, subscription_id) WHERE (next_bill_at IS NOT NULL);
CREATE UNIQUE INDEX subscriptions_external ON public.subscriptions USING btree (schedule_owner, external_id) WHERE (external_id IS NOT NULL);
CREATE UNIQUE INDEX subscriptions_live ON public.subscriptions USING btree (account_id, plan_id) WHERE (status <> 'canceled'::text);
CREATE INDEX subscriptions_standing ON public.subscriptions USING btree (standing_at, subscription_id) WHERE (standing_at IS NOT NULL);
CREATE INDEX tax_number_checks_due ON public.tax_number_checks USING btree (next_check_at);
CREATE INDEX tax_rates_by_country ON public.tax_rates USING btree (country, valid_from);
CREATE INDEX test_clocks_by_age ON public.test_clocks USING btree (created_at, test_clock_id) WHERE (deleted_at IS NULL);
CREATE INDEX usage_alert_due_order ON public.usage_alert_due USING btree (due_at, due_id);
CREATE INDEX usage_alerts_by_time ON public.usage_alerts USING btree (account_id, fired_at, usage_alert_id);
CREATE INDEX usage_alerts_of_all ON public.usage_alerts USING btree (fired_at, usage_alert_id);
CREATE INDEX usage_archives_pending ON public.usage_archives USING btree (remembered_at) WHERE (dropped_at IS NULL);
CREATE INDEX usage_conflicts_by_id ON public.usage_conflicts USING btree (usage_conflict_id);
CREATE INDEX usage_conflicts_newest ON public.usage_conflicts USING btree (received_at DESC, usage_conflict_id DESC);
CREATE INDEX usage_corrections_newest ON public.usage_corrections USING btree (corrected_at DESC, usage_correction_id DESC);
CREATE INDEX usage_decisions_by_age ON public.usage_decisions USING btree (decided_at);
CREATE INDEX usage_events_by_time ON ONLY public.usage_events USING btree (account_id, at);
CREATE INDEX usage_events_0_account_id_at_idx ON public.usage_events_0 USING btree (account_id, at);
CREATE INDEX usage_events_tail ON ONLY public.usage_events USING btree (account_id, tx);
CREATE INDEX usage_events_0_account_id_tx_idx ON public.usage_events_0 USING btree (account_id, tx);
CREATE INDEX usage_events_by_tx ON ONLY public.usage_events USING btree (tx);
CREATE INDEX usage_events_0_tx_idx ON public.usage_events_0 USING btree (tx);
CREATE INDEX usage_events_1_account_id_at_idx ON public.usage_events_1 USING btree (account_id, at);
CREATE INDEX usage_events_1_account_id_tx_idx ON public.usage_events_1 USING btree (account_id, tx);
CREATE INDEX usage_events_1_tx_idx ON public.usage_events_1 USING btree (tx);
CREATE INDEX usage_events_2_account_id_at_idx ON public.usage_events_2 USING btree (account_id, at);
CREATE INDEX usage_events_2_account_id_tx_idx ON public.usage_events_2 USING btree (account_id, tx);
CREATE INDEX usage_events_2_tx_idx ON public.usage_events_2 USING btree (tx);
CREATE INDEX usage_events_3_account_id_at_idx ON public.usage_events_3 USING btree (account_id, at);
CREATE INDEX usage_events_3_account_id_tx_idx ON public.usage_events_3 USING btree (account_id, tx);
CREATE INDEX usage_events_3_tx_idx ON public.usage_events_3 USING btree (tx);
CREATE INDEX usage_events_4_account_id_at_idx ON public.usage_events_4 USING btree (account_id, at);
CREATE INDEX usage_events_4_account_id_tx_idx ON public.usage_events_4 USING btree (account_id, tx);
CREATE INDEX usage_events_4_tx_idx ON public.usage_events_4 USING btree (tx);
CREATE INDEX usage_events_5_account_id_at_idx ON public.usage_events_5 USING btree (account_id, at);
CREATE INDEX usage_events_5_account_id_tx_idx ON public.usage_events_5 USING btree (account_id, tx);
CREATE INDEX usage_events_5_tx_idx ON public.usage_events_5 USING btree (tx);
CREATE INDEX usage_events_6_account_id_at_idx ON public.usage_events_6 USING btree (account_id, at);
CREATE INDEX usage_events_6_account_id_tx_idx ON public.usage_events_6 USING btree (account_id, tx);
CREATE INDEX usage_events_6_tx_idx ON public.usage_events_6 USING btree (tx);
CREATE INDEX usage_events_7_account_id_at_idx ON public.usage_events_7 USING btree (account_id, at);
CREATE INDEX usage_events_7_account_id_tx_idx ON public.usage_events_7 USING btree (account_id, tx);
CREATE INDEX usage_events_7_tx_idx ON public.usage_events_7 USING btree (tx);
CREATE INDEX usage_fees_by_period ON public.usage_fees USING btree (account_id, subscription_id, period_start);
CREATE INDEX usage_unmatched_by_id ON public.usage_unmatched USING btree (unmatched_event_id);
CREATE INDEX usage_unmatched_newest ON public.usage_unmatched USING btree (received_at DESC, unmatched_event_id DESC);
CREATE INDEX usage_unmatched_waiting ON public.usage_unmatched USING btree (subject, event_type, COALESCE(meter, ''::text)) WHERE ((status = 'parked'::text) AND (reason = ANY (ARRAY['unknown_subject'::text, 'unknown_type'::text])));
CREATE INDEX usage_watches_due ON public.usage_watches USING btree (tick_at);
CREATE UNIQUE INDEX users_by_email ON public.users USING btree (email);
CREATE INDEX webhook_deliveries_by_time ON public.webhook_deliveries USING btree (created_at DESC, webhook_delivery_id DESC);
CREATE INDEX webhook_deliveries_done ON public.webhook_deliveries USING btree (done_at) WHERE (done_at IS NOT NULL);
CREATE INDEX webhook_deliveries_due ON public.webhook_deliveries USING btree (account_id, webhook_endpoint_id, next_try_at) WHERE (status = 'waiting'::text);
CREATE INDEX webhook_deliveries_in_order ON public.webhook_deliveries USING btree (account_id, webhook_endpoint_id, object_key, outbox_id) WHERE (status = 'waiting'::text);
CREATE INDEX webhook_deliveries_of_endpoint ON public.webhook_deliveries USING btree (account_id, webhook_endpoint_id, created_at DESC, webhook_delivery_id DESC);
CREATE INDEX webhook_endpoints_by_time ON public.webhook_endpoints USING btree (created_at DESC, webhook_endpoint_id DESC);
CREATE INDEX webhook_inbox_by_time ON public.webhook_inbox USING btree (received_at DESC, gateway, event_id);
CREATE INDEX webhook_inbox_due ON public.webhook_inbox USING btree (process_after) WHERE (process_after IS NOT NULL);
CREATE INDEX webhook_inbox_parked ON public.webhook_inbox USING btree (gateway, customer_token) WHERE ((status = 'parked'::text) AND (customer_token IS NOT NULL));
CREATE INDEX webhook_inbox_unfinished ON public.webhook_inbox USING btree (gateway, status, ((error IS NOT NULL)), received_at) WHERE (status = ANY (ARRAY['received'::text, 'parked'::text]));
CREATE UNIQUE INDEX webhook_secrets_present ON public.webhook_secrets USING btree (account_id, webhook_endpoint_id) WHERE (expires_at IS NULL);
CREATE INDEX what_if_rows_newest ON public.what_if_rows USING btree (what_if_id, period_start DESC, subscription_id DESC);
CREATE INDEX what_ifs_newest ON public.what_ifs USING btree (created_at DESC, what_if_id DESC);
CREATE INDEX what_ifs_running ON public.what_ifs USING btree (created_at) WHERE (status = 'running'::text);
ALTER INDEX public.usage_events_by_time ATTACH PARTITION public.usage_events_0_account_id_at_idx;
ALTER INDEX public.usage_events_tail ATTACH PARTITION public.usage_events_0_account_id_tx_idx;
ALTER INDEX public.usage_events_pkey ATTACH PARTITION public.usage_events_0_pkey;
ALTER INDEX public.usage_events_by_tx ATTACH PARTITION public.usage_events_0_tx_idx;
ALTER INDEX public.usage_events_by_time ATTACH PARTITION public.usage_events_1_account_id_at_idx;
ALTER INDEX public.usage_events_tail ATTACH PARTITION public.usage_events_1_account_id_tx_idx;
ALTER INDEX public.usage_events_pkey ATTACH PARTITION public.usage_events_1_pkey;
ALTER INDEX public.usage_events_by_tx ATTACH PARTITION public.usage_events_1_tx_idx;
ALTER INDEX public.usage_events_by_time ATTACH PARTITION public.usage_events_2_account_id_at_idx;
ALTER INDEX public.usage_events_tail ATTACH PARTITION public.usage_events_2_account_id_tx_idx;
ALTER INDEX public.usage_events_pkey ATTACH PARTITION public.usage_events_2_pkey;
ALTER INDEX public.usage_events_by_tx ATTACH PARTITION public.usage_events_2_tx_idx;
ALTER INDEX public.usage_events_by_time ATTACH PARTITION public.usage_events_3_account_id_at_idx;
ALTER INDEX public.usage_events_tail ATTACH PARTITION public.usage_events_3_account_id_tx_idx;
ALTER INDEX public.usage_events_pkey ATTACH PARTITION public.usage_events_3_pkey;
ALTER INDEX public.usage_events_by_tx ATTACH PARTITION public.usage_events_3_tx_idx;
ALTER INDEX public.usage_events_by_time ATTACH PARTITION public.usage_events_4_account_id_at_idx;
ALTER INDEX public.usage_events_tail ATTACH PARTITION public.usage_events_4_account_id_tx_idx;
ALTER INDEX public.usage_events_pkey ATTACH PARTITION public.usage_events_4_pkey;
ALTER INDEX public.usage_events_by_tx ATTACH PARTITION public.usage_events_4_tx_idx;
ALTER INDEX public.usage_events_by_time ATTACH PARTITION public.usage_events_5_account_id_at_idx;
ALTER INDEX public.usage_events_tail ATTACH PARTITION public.usage_events_5_account_id_tx_idx;
ALTER INDEX public.usage_events_pkey ATTACH PARTITION public.usage_events_5_pkey;
ALTER INDEX public.usage_events_by_tx ATTACH PARTITION public.usage_events_5_tx_idx;
ALTER INDEX public.usage_events_by_time ATTACH PARTITION public.usage_events_6_account_id_at_idx;
ALTER INDEX public.usage_events_tail ATTACH PARTITION public.usage_events_6_account_id_tx_idx;
ALTER INDEX public.usage_events_pkey ATTACH PARTITION public.usage_events_6_pkey;
ALTER INDEX public.usage_events_by_tx ATTACH PARTITION public.usage_events_6_tx_idx;
ALTER INDEX public.usage_events_by_time ATTACH PARTITION public.usage_events_7_account_id_at_idx;
ALTER INDEX public.usage_events_tail ATTACH PARTITION public.usage_events_7_account_id_tx_idx;
ALTER INDEX public.usage_events_pkey ATTACH PARTITION public.usage_events_7_pkey;
ALTER INDEX public.usage_events_by_tx ATTACH PARTITION public.usage_events_7_tx_idx;
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.billing_audit FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.credit_allocations FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.credit_cost_overrides FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.credit_costs FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.credit_note_lines FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.credit_note_taxes FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.credit_usage_log FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.customer_credit_uses FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.gateway_renewals FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.invoice_adjustment_uses FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.invoice_closings FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.invoice_lines FOR EACH ROW EXECUTE FUNCTION public.refuse_change_of_line();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.ledger_entries FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.ledger_postings FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.logos FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.subscription_terms FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.usage_alerts FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.usage_archived_keys FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.usage_corrections FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.usage_events FOR EACH ROW EXECUTE FUNCTION public.refuse_usage_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.usage_fees FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.billing_audit FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.credit_allocations FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.credit_cost_overrides FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.credit_costs FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.credit_note_lines FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.credit_note_taxes FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.credit_usage_log FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.customer_credit_uses FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.gateway_renewals FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.invoice_adjustment_uses FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.invoice_closings FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.invoice_lines FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.ledger_entries FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.ledger_postings FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.logos FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.subscription_terms FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.usage_alerts FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.usage_archived_keys FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.usage_corrections FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.usage_events FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.usage_events_0 FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.usage_events_1 FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.usage_events_2 FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.usage_events_3 FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.usage_events_4 FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.usage_events_5 FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.usage_events_6 FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.usage_events_7 FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.usage_fees FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.account_limits FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.accounts FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.add_ons FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.api_keys FOR EACH ROW EXECUTE FUNCTION public.write_audit('key_hash');
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.checkouts FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.coupon_redemptions FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.coupons FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER UPDATE ON public.credit_accounts FOR EACH ROW WHEN ((((((old.overdraft_max IS DISTINCT FROM new.overdraft_max) OR (old.alert_below IS DISTINCT FROM new.alert_below)) OR (old.top_up_below IS DISTINCT FROM new.top_up_below)) OR (old.top_up_package_id IS DISTINCT FROM new.top_up_package_id)) OR (old.top_up_month_max_minor IS DISTINCT FROM new.top_up_month_max_minor))) EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.credit_cost_overrides FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.credit_costs FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT ON public.credit_grants FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.credit_notes FOR EACH ROW EXECUTE FUNCTION public.write_audit('document');
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.credit_packages FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.credit_purchases FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.customer_credits FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.disputes FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.exchange_rates FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.feature_overrides FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.features FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.gateway_customers FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.gateway_schedules FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.invoice_adjustments FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.invoices FOR EACH ROW EXECUTE FUNCTION public.write_audit('document');
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.issuers FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT ON public.mails FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.memberships FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.meters FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.payment_attempts FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.payment_invoices FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.payment_method_config_accounts FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.payment_method_configs FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.payment_methods FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.payments FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.plan_migrations FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.plan_versions FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.plans FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.refund_attempts FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.refund_parts FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.refunds FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.sessions FOR EACH ROW EXECUTE FUNCTION public.write_audit('token_hash');
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.stripe_meter_decisions FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.stripe_meters FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.subscription_add_ons FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.subscriptions FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.tax_exemptions FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.tax_rates FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.test_clocks FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.usage_alert_rules FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.usage_budgets FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER UPDATE ON public.usage_conflicts FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER UPDATE ON public.usage_unmatched FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.users FOR EACH ROW EXECUTE FUNCTION public.write_audit('password_hash');
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.webhook_endpoints FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.webhook_secrets FOR EACH ROW EXECUTE FUNCTION public.write_audit('secret');
CREATE TRIGGER balanced AFTER INSERT ON public.ledger_entries REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_unbalanced();
CREATE TRIGGER balanced AFTER INSERT ON public.ledger_postings REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_unbalanced();
CREATE TRIGGER counted AFTER INSERT ON public.credit_cost_overrides FOR EACH STATEMENT EXECUTE FUNCTION public.count_cost_change();
CREATE TRIGGER counted AFTER INSERT ON public.credit_costs FOR EACH STATEMENT EXECUTE FUNCTION public.count_cost_change();
CREATE TRIGGER final BEFORE DELETE OR UPDATE ON public.credit_notes FOR EACH ROW EXECUTE FUNCTION public.refuse_edit_of_note();
CREATE TRIGGER final BEFORE INSERT ON public.invoice_lines FOR EACH ROW EXECUTE FUNCTION public.refuse_line_of_final();
CREATE TRIGGER final BEFORE DELETE OR UPDATE ON public.invoices FOR EACH ROW EXECUTE FUNCTION public.refuse_edit_of_final();
CREATE TRIGGER keeps_parts_live AFTER UPDATE OF status ON public.payments FOR EACH ROW EXECUTE FUNCTION public.follow_payment();
CREATE TRIGGER kept BEFORE DELETE OR UPDATE ON public.add_ons FOR EACH ROW EXECUTE FUNCTION public.keep_but_for_status();
CREATE TRIGGER kept BEFORE DELETE OR UPDATE ON public.coupons FOR EACH ROW EXECUTE FUNCTION public.keep_but_for_status();
CREATE TRIGGER kept BEFORE DELETE OR UPDATE ON public.invoice_bills FOR EACH ROW EXECUTE FUNCTION public.refuse_move_of_bill();
CREATE TRIGGER kept BEFORE DELETE OR UPDATE ON public.plan_versions FOR EACH ROW EXECUTE FUNCTION public.keep_but_for_status();
CREATE TRIGGER kept BEFORE DELETE OR UPDATE ON public.tax_exemptions FOR EACH ROW EXECUTE FUNCTION public.keep_but_for_the_end();
CREATE TRIGGER kept BEFORE DELETE OR UPDATE ON public.tax_rates FOR EACH ROW EXECUTE FUNCTION public.keep_but_for_the_end();
CREATE TRIGGER kept_whole BEFORE TRUNCATE ON public.add_ons FOR EACH STATEMENT EXECUTE FUNCTION public.keep_but_for_status();
CREATE TRIGGER kept_whole BEFORE TRUNCATE ON public.coupons FOR EACH STATEMENT EXECUTE FUNCTION public.keep_but_for_status();
CREATE TRIGGER kept_whole BEFORE TRUNCATE ON public.plan_versions FOR EACH STATEMENT EXECUTE FUNCTION public.keep_but_for_status();
CREATE TRIGGER notes_usage AFTER UPDATE ON public.credit_accounts REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.note_written_usage();
CREATE TRIGGER notes_usage AFTER INSERT ON public.credit_usage_log REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.note_written_usage();
CREATE TRIGGER notes_usage AFTER INSERT ON public.usage_events REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.note_written_usage();
CREATE TRIGGER notes_usage AFTER INSERT ON public.usage_voids REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.note_written_usage();
CREATE TRIGGER of_invoice AFTER INSERT OR UPDATE ON public.credited_lines FOR EACH ROW EXECUTE FUNCTION public.refuse_other_line();
CREATE TRIGGER of_invoice AFTER INSERT OR UPDATE ON public.credited_taxes FOR EACH ROW EXECUTE FUNCTION public.refuse_other_tax();
CREATE TRIGGER tax_number_rewritten AFTER UPDATE OF tax_number, country ON public.accounts FOR EACH ROW WHEN (((old.tax_number IS DISTINCT FROM new.tax_number) OR (old.country IS DISTINCT FROM new.country))) EXECUTE FUNCTION public.want_tax_number_check();
CREATE TRIGGER tax_number_written AFTER INSERT ON public.accounts FOR EACH ROW WHEN ((new.tax_number IS NOT NULL)) EXECUTE FUNCTION public.want_tax_number_check();
CREATE TRIGGER tells_webhook_endpoints AFTER INSERT ON public.outbox REFERENCING NEW TABLE AS told FOR EACH STATEMENT EXECUTE FUNCTION public.tell_webhook_endpoints();
CREATE TRIGGER wakes_worker AFTER INSERT ON public.outbox FOR EACH STATEMENT EXECUTE FUNCTION public.wake_worker();
CREATE TRIGGER wakes_worker AFTER INSERT ON public.payments FOR EACH STATEMENT EXECUTE FUNCTION public.wake_worker();
CREATE TRIGGER wakes_worker AFTER INSERT OR UPDATE ON public.plan_migrations FOR EACH STATEMENT EXECUTE FUNCTION public.wake_worker();
CREATE TRIGGER wakes_worker AFTER INSERT ON public.refunds FOR EACH STATEMENT EXECUTE FUNCTION public.wake_worker();
CREATE TRIGGER wakes_worker AFTER INSERT OR UPDATE ON public.test_clocks FOR EACH STATEMENT EXECUTE FUNCTION public.wake_worker();
CREATE TRIGGER wakes_worker AFTER INSERT ON public.webhook_inbox FOR EACH STATEMENT EXECUTE FUNCTION public.wake_worker();
CREATE TRIGGER wakes_worker AFTER INSERT ON public.what_ifs FOR EACH STATEMENT EXECUTE FUNCTION public.wake_worker();
ALTER TABLE ONLY public.account_limits
    ADD CONSTRAINT account_limits_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.account_limits
    ADD CONSTRAINT account_limits_meter_id_fkey FOREIGN KEY (meter_id) REFERENCES public.meters(meter_id);
ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_issuer_id_fkey FOREIGN KEY (issuer_id) REFERENCES public.issuers(issuer_id);
ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_test_clock_id_fkey FOREIGN KEY (test_clock_id) REFERENCES public.test_clocks(test_clock_id);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.ccbill_charges
    ADD CONSTRAINT ccbill_charges_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.ccbill_refunds
    ADD CONSTRAINT ccbill_refunds_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.checkouts
    ADD CONSTRAINT checkouts_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.checkouts
    ADD CONSTRAINT checkouts_account_id_payment_attempt_id_fkey FOREIGN KEY (account_id, payment_attempt_id) REFERENCES public.payment_attempts(account_id, payment_attempt_id);
ALTER TABLE ONLY public.checkouts
    ADD CONSTRAINT checkouts_account_id_payment_id_fkey FOREIGN KEY (account_id, payment_id) REFERENCES public.payments(account_id, payment_id);
ALTER TABLE ONLY public.checkouts
    ADD CONSTRAINT checkouts_account_id_subscription_id_fkey FOREIGN KEY (account_id, subscription_id) REFERENCES public.subscriptions(account_id, subscription_id);
ALTER TABLE ONLY public.coupon_redemptions
    ADD CONSTRAINT coupon_redemptions_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.coupon_redemptions
    ADD CONSTRAINT coupon_redemptions_coupon_id_fkey FOREIGN KEY (coupon_id) REFERENCES public.coupons(coupon_id);
ALTER TABLE ONLY public.credit_accounts
    ADD CONSTRAINT credit_accounts_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.credit_accounts
    ADD CONSTRAINT credit_accounts_top_up_package_id_fkey FOREIGN KEY (top_up_package_id) REFERENCES public.credit_packages(credit_package_id);
ALTER TABLE ONLY public.credit_cost_overrides
    ADD CONSTRAINT credit_cost_overrides_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.credit_grants
    ADD CONSTRAINT credit_grants_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.credit_note_files
    ADD CONSTRAINT credit_note_files_account_id_credit_note_id_fkey FOREIGN KEY (account_id, credit_note_id) REFERENCES public.credit_notes(account_id, credit_note_id);
ALTER TABLE ONLY public.credit_note_lines
    ADD CONSTRAINT credit_note_lines_account_id_credit_note_id_fkey FOREIGN KEY (account_id, credit_note_id) REFERENCES public.credit_notes(account_id, credit_note_id);
ALTER TABLE ONLY public.credit_note_lines
    ADD CONSTRAINT credit_note_lines_account_id_invoice_id_invoice_line_id_fkey FOREIGN KEY (account_id, invoice_id, invoice_line_id) REFERENCES public.invoice_lines(account_id, invoice_id, invoice_line_id);
ALTER TABLE ONLY public.credit_note_taxes
    ADD CONSTRAINT credit_note_taxes_account_id_credit_note_id_fkey FOREIGN KEY (account_id, credit_note_id) REFERENCES public.credit_notes(account_id, credit_note_id);
ALTER TABLE ONLY public.credit_notes
    ADD CONSTRAINT credit_notes_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);
ALTER TABLE ONLY public.credit_notes
    ADD CONSTRAINT credit_notes_issuer_id_fkey FOREIGN KEY (issuer_id) REFERENCES public.issuers(issuer_id);
ALTER TABLE ONLY public.credit_purchases
    ADD CONSTRAINT credit_purchases_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.credit_purchases
    ADD CONSTRAINT credit_purchases_credit_package_id_fkey FOREIGN KEY (credit_package_id) REFERENCES public.credit_packages(credit_package_id);
ALTER TABLE ONLY public.credit_reservations
    ADD CONSTRAINT credit_reservations_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.credited_lines
    ADD CONSTRAINT credited_lines_account_id_invoice_id_invoice_line_id_fkey FOREIGN KEY (account_id, invoice_id, invoice_line_id) REFERENCES public.invoice_lines(account_id, invoice_id, invoice_line_id);
ALTER TABLE ONLY public.credited_taxes
    ADD CONSTRAINT credited_taxes_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);
ALTER TABLE ONLY public.customer_credit_uses
    ADD CONSTRAINT customer_credit_uses_account_id_customer_credit_id_fkey FOREIGN KEY (account_id, customer_credit_id) REFERENCES public.customer_credits(account_id, customer_credit_id);
ALTER TABLE ONLY public.customer_credit_uses
    ADD CONSTRAINT customer_credit_uses_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);
ALTER TABLE ONLY public.customer_credits
    ADD CONSTRAINT customer_credits_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.disputes
    ADD CONSTRAINT disputes_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);
ALTER TABLE ONLY public.feature_overrides
    ADD CONSTRAINT feature_overrides_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.feature_overrides
    ADD CONSTRAINT feature_overrides_feature_id_fkey FOREIGN KEY (feature_id) REFERENCES public.features(feature_id);
ALTER TABLE ONLY public.features
    ADD CONSTRAINT features_meter_id_fkey FOREIGN KEY (meter_id) REFERENCES public.meters(meter_id);
ALTER TABLE ONLY public.gateway_customers
    ADD CONSTRAINT gateway_customers_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.gateway_renewals
    ADD CONSTRAINT gateway_renewals_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);
ALTER TABLE ONLY public.gateway_renewals
    ADD CONSTRAINT gateway_renewals_account_id_subscription_id_fkey FOREIGN KEY (account_id, subscription_id) REFERENCES public.subscriptions(account_id, subscription_id);
ALTER TABLE ONLY public.gateway_schedules
    ADD CONSTRAINT gateway_schedules_account_id_subscription_id_fkey FOREIGN KEY (account_id, subscription_id) REFERENCES public.subscriptions(account_id, subscription_id);
ALTER TABLE ONLY public.invoice_adjustment_uses
    ADD CONSTRAINT invoice_adjustment_uses_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);
ALTER TABLE ONLY public.invoice_adjustment_uses
    ADD CONSTRAINT invoice_adjustment_uses_account_id_source_invoice_id_fkey FOREIGN KEY (account_id, source_invoice_id) REFERENCES public.invoice_adjustments(account_id, invoice_id);
ALTER TABLE ONLY public.invoice_adjustments
    ADD CONSTRAINT invoice_adjustments_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);
ALTER TABLE ONLY public.invoice_bills
    ADD CONSTRAINT invoice_bills_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);
ALTER TABLE ONLY public.invoice_bills
    ADD CONSTRAINT invoice_bills_account_id_subscription_id_fkey FOREIGN KEY (account_id, subscription_id) REFERENCES public.subscriptions(account_id, subscription_id);
ALTER TABLE ONLY public.invoice_closings
    ADD CONSTRAINT invoice_closings_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);
ALTER TABLE ONLY public.invoice_closings
    ADD CONSTRAINT invoice_closings_account_id_replaced_by_fkey FOREIGN KEY (account_id, replaced_by) REFERENCES public.invoices(account_id, invoice_id);
ALTER TABLE ONLY public.invoice_files
    ADD CONSTRAINT invoice_files_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);
ALTER TABLE ONLY public.invoice_lines
    ADD CONSTRAINT invoice_lines_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);
ALTER TABLE ONLY public.invoice_usage_changes
    ADD CONSTRAINT invoice_usage_changes_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);
ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_issuer_id_fkey FOREIGN KEY (issuer_id) REFERENCES public.issuers(issuer_id);
ALTER TABLE ONLY public.issuers
    ADD CONSTRAINT issuers_logo_id_fkey FOREIGN KEY (logo_id) REFERENCES public.logos(logo_id);
ALTER TABLE ONLY public.lago_differences
    ADD CONSTRAINT lago_differences_meter_id_fkey FOREIGN KEY (meter_id) REFERENCES public.meters(meter_id);
ALTER TABLE ONLY public.lago_marks
    ADD CONSTRAINT lago_marks_meter_id_fkey FOREIGN KEY (meter_id) REFERENCES public.meters(meter_id);
ALTER TABLE ONLY public.mails
    ADD CONSTRAINT mails_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);
ALTER TABLE ONLY public.mails
    ADD CONSTRAINT mails_account_id_payment_method_id_fkey FOREIGN KEY (account_id, payment_method_id) REFERENCES public.payment_methods(account_id, payment_method_id);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(user_id);
ALTER TABLE ONLY public.mirrored_charges
    ADD CONSTRAINT mirrored_charges_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.mirrored_invoices
    ADD CONSTRAINT mirrored_invoices_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.mirrored_subscriptions
    ADD CONSTRAINT mirrored_subscriptions_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.number_series
    ADD CONSTRAINT number_series_issuer_id_fkey FOREIGN KEY (issuer_id) REFERENCES public.issuers(issuer_id);
ALTER TABLE ONLY public.one_time_charges
    ADD CONSTRAINT one_time_charges_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);
ALTER TABLE ONLY public.one_time_charges
    ADD CONSTRAINT one_time_charges_account_id_payment_id_fkey FOREIGN KEY (account_id, payment_id) REFERENCES public.payments(account_id, payment_id);
ALTER TABLE ONLY public.payment_attempts
    ADD CONSTRAINT payment_attempts_account_id_payment_id_fkey FOREIGN KEY (account_id, payment_id) REFERENCES public.payments(account_id, payment_id);
ALTER TABLE ONLY public.payment_invoices
    ADD CONSTRAINT payment_invoices_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);
ALTER TABLE ONLY public.payment_invoices
    ADD CONSTRAINT payment_invoices_account_id_payment_id_fkey FOREIGN KEY (account_id, payment_id) REFERENCES public.payments(account_id, payment_id);
ALTER TABLE ONLY public.payment_method_config_accounts
    ADD CONSTRAINT payment_method_config_accounts_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.payment_method_config_accounts
    ADD CONSTRAINT payment_method_config_accounts_code_fkey FOREIGN KEY (code) REFERENCES public.payment_method_configs(code) ON DELETE CASCADE;
ALTER TABLE ONLY public.payment_methods
    ADD CONSTRAINT payment_methods_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_account_id_payment_method_id_fkey FOREIGN KEY (account_id, payment_method_id) REFERENCES public.payment_methods(account_id, payment_method_id);
ALTER TABLE ONLY public.plan_migration_rows
    ADD CONSTRAINT plan_migration_rows_account_id_subscription_id_fkey FOREIGN KEY (account_id, subscription_id) REFERENCES public.subscriptions(account_id, subscription_id);
ALTER TABLE ONLY public.plan_migration_rows
    ADD CONSTRAINT plan_migration_rows_plan_migration_id_fkey FOREIGN KEY (plan_migration_id) REFERENCES public.plan_migrations(plan_migration_id);
ALTER TABLE ONLY public.plan_migration_rows
    ADD CONSTRAINT plan_migration_rows_plan_version_id_fkey FOREIGN KEY (plan_version_id) REFERENCES public.plan_versions(plan_version_id);
ALTER TABLE ONLY public.plan_versions
    ADD CONSTRAINT plan_versions_plan_id_fkey FOREIGN KEY (plan_id) REFERENCES public.plans(plan_id);
ALTER TABLE ONLY public.refund_attempts
    ADD CONSTRAINT refund_attempts_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);
ALTER TABLE ONLY public.refund_attempts
    ADD CONSTRAINT refund_attempts_account_id_payment_id_fkey FOREIGN KEY (account_id, payment_id) REFERENCES public.payments(account_id, payment_id);
ALTER TABLE ONLY public.refund_attempts
    ADD CONSTRAINT refund_attempts_account_id_refund_id_fkey FOREIGN KEY (account_id, refund_id) REFERENCES public.refunds(account_id, refund_id);
ALTER TABLE ONLY public.refund_parts
    ADD CONSTRAINT refund_parts_account_id_refund_id_fkey FOREIGN KEY (account_id, refund_id) REFERENCES public.refunds(account_id, refund_id);
ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_account_id_credit_note_id_fkey FOREIGN KEY (account_id, credit_note_id) REFERENCES public.credit_notes(account_id, credit_note_id);
ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(user_id);
ALTER TABLE ONLY public.stripe_meter_events
    ADD CONSTRAINT stripe_meter_events_meter_id_fkey FOREIGN KEY (meter_id) REFERENCES public.meters(meter_id);
ALTER TABLE ONLY public.stripe_meter_hours
    ADD CONSTRAINT stripe_meter_hours_meter_id_fkey FOREIGN KEY (meter_id) REFERENCES public.meters(meter_id);
ALTER TABLE ONLY public.stripe_meters
    ADD CONSTRAINT stripe_meters_meter_id_fkey FOREIGN KEY (meter_id) REFERENCES public.meters(meter_id);
ALTER TABLE ONLY public.subscription_add_ons
    ADD CONSTRAINT subscription_add_ons_account_id_subscription_id_fkey FOREIGN KEY (account_id, subscription_id) REFERENCES public.subscriptions(account_id, subscription_id);
ALTER TABLE ONLY public.subscription_add_ons
    ADD CONSTRAINT subscription_add_ons_add_on_id_fkey FOREIGN KEY (add_on_id) REFERENCES public.add_ons(add_on_id);
ALTER TABLE ONLY public.subscription_terms
    ADD CONSTRAINT subscription_terms_account_id_subscription_id_fkey FOREIGN KEY (account_id, subscription_id) REFERENCES public.subscriptions(account_id, subscription_id);
ALTER TABLE ONLY public.subscription_terms
    ADD CONSTRAINT subscription_terms_plan_version_id_fkey FOREIGN KEY (plan_version_id) REFERENCES public.plan_versions(plan_version_id);
ALTER TABLE ONLY public.subscriptions
    ADD CONSTRAINT subscriptions_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.subscriptions
    ADD CONSTRAINT subscriptions_next_plan_id_fkey FOREIGN KEY (next_plan_id) REFERENCES public.plans(plan_id);
ALTER TABLE ONLY public.subscriptions
    ADD CONSTRAINT subscriptions_next_plan_version_id_fkey FOREIGN KEY (next_plan_version_id) REFERENCES public.plan_versions(plan_version_id);
ALTER TABLE ONLY public.subscriptions
    ADD CONSTRAINT subscriptions_plan_id_fkey FOREIGN KEY (plan_id) REFERENCES public.plans(plan_id);
ALTER TABLE ONLY public.subscriptions
    ADD CONSTRAINT subscriptions_plan_version_id_fkey FOREIGN KEY (plan_version_id) REFERENCES public.plan_versions(plan_version_id);
ALTER TABLE ONLY public.tax_exemptions
    ADD CONSTRAINT tax_exemptions_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.tax_number_checks
    ADD CONSTRAINT tax_number_checks_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.usage_alert_rules
    ADD CONSTRAINT usage_alert_rules_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.usage_alert_rules
    ADD CONSTRAINT usage_alert_rules_meter_code_fkey FOREIGN KEY (meter_code) REFERENCES public.meters(code);
ALTER TABLE ONLY public.usage_alerts
    ADD CONSTRAINT usage_alerts_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.usage_budgets
    ADD CONSTRAINT usage_budgets_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.usage_budgets
    ADD CONSTRAINT usage_budgets_meter_code_fkey FOREIGN KEY (meter_code) REFERENCES public.meters(code);
ALTER TABLE ONLY public.usage_corrections
    ADD CONSTRAINT usage_corrections_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.usage_fees
    ADD CONSTRAINT usage_fees_account_id_subscription_id_fkey FOREIGN KEY (account_id, subscription_id) REFERENCES public.subscriptions(account_id, subscription_id);
ALTER TABLE ONLY public.usage_totals
    ADD CONSTRAINT usage_totals_meter_id_fkey FOREIGN KEY (meter_id) REFERENCES public.meters(meter_id);
ALTER TABLE ONLY public.usage_watches
    ADD CONSTRAINT usage_watches_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_account_id_webhook_endpoint_id_fkey FOREIGN KEY (account_id, webhook_endpoint_id) REFERENCES public.webhook_endpoints(account_id, webhook_endpoint_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.webhook_secrets
    ADD CONSTRAINT webhook_secrets_account_id_webhook_endpoint_id_fkey FOREIGN KEY (account_id, webhook_endpoint_id) REFERENCES public.webhook_endpoints(account_id, webhook_endpoint_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.webhook_tries
    ADD CONSTRAINT webhook_tries_account_id_webhook_delivery_id_fkey FOREIGN KEY (account_id, webhook_delivery_id) REFERENCES public.webhook_deliveries(account_id, webhook_delivery_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.what_if_rows
    ADD CONSTRAINT what_if_rows_what_if_id_fkey FOREIGN KEY (what_if_id) REFERENCES public.what_ifs(what_if_id) ON DELETE CASCADE;
ALTER TABLE public.account_limits ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.billing_audit ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.ccbill_charges ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.ccbill_refunds ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.checkouts ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.coupon_redemptions ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.credit_accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.credit_allocations ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.credit_cost_overrides ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.credit_grants ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.credit_note_files ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.credit_note_lines ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.credit_note_taxes ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.credit_notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.credit_purchases ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.credit_reservations ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.credit_usage_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.credited_lines ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.credited_taxes ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.customer_credit_uses ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.customer_credits ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.disputes ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.feature_overrides ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.gateway_customers ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.gateway_renewals ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.gateway_schedules ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.invoice_adjustment_uses ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.invoice_adjustments ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.invoice_bills ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.invoice_closings ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.invoice_files ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.invoice_lines ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.invoice_usage_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.invoices ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.lago_comparisons ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.lago_differences ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.lago_outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.lago_refused ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.ledger_balances ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.ledger_entries ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.ledger_postings ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.mails ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.memberships ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.mirrored_charges ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.mirrored_invoices ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.mirrored_subscriptions ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.one_time_charges ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.outbox_done ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON public.account_limits TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.accounts TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.billing_audit TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.ccbill_charges TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.ccbill_refunds TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.checkouts TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.coupon_redemptions TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.credit_accounts TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.credit_allocations TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.credit_cost_overrides TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.credit_grants TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.credit_note_files TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.credit_note_lines TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.credit_note_taxes TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.credit_notes TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.credit_purchases TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.credit_reservations TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.credit_usage_log TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.credited_lines TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.credited_taxes TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.customer_credit_uses TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.customer_credits TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.disputes TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.feature_overrides TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.gateway_customers TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.gateway_renewals TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.gateway_schedules TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.idempotency_keys TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.invoice_adjustment_uses TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.invoice_adjustments TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.invoice_bills TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.invoice_closings TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.invoice_files TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.invoice_lines TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.invoice_usage_changes TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.invoices TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.lago_comparisons TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.lago_differences TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.lago_outbox TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.lago_refused TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.ledger_balances TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.ledger_entries TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.ledger_postings TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.mails TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.memberships TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.mirrored_charges TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.mirrored_invoices TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.mirrored_subscriptions TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.one_time_charges TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.outbox TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.outbox_done TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.payment_attempts TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.payment_invoices TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.payment_method_config_accounts TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.payment_methods TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.payments TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.plan_migration_rows TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.refund_attempts TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.refund_parts TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.refunds TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.stripe_meter_decisions TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.stripe_meter_events TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.stripe_meter_hours TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.subscription_add_ons TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.subscription_terms TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.subscriptions TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.tax_exemptions TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.tax_number_checks TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.usage_alert_due TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.usage_alert_rules TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.usage_alerts TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.usage_archived_hours TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.usage_archived_keys TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.usage_archives TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.usage_budgets TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.usage_conflicts TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.usage_corrections TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.usage_counters TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.usage_decisions TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.usage_events TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.usage_fees TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.usage_groups TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.usage_months TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.usage_totals TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.usage_unmatched TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.usage_values TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.usage_voids TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.usage_watches TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.webhook_deliveries TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.webhook_endpoints TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.webhook_tries TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.what_if_rows TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
ALTER TABLE public.payment_attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.payment_invoices ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.payment_method_config_accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.payment_methods ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.payments ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.plan_migration_rows ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.refund_attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.refund_parts ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.refunds ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.stripe_meter_decisions ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.stripe_meter_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.stripe_meter_hours ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.subscription_add_ons ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.subscription_terms ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.subscriptions ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.tax_exemptions ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.tax_number_checks ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_alert_due ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_alert_rules ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_alerts ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_archived_hours ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_archived_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_archives ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_budgets ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_conflicts ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_corrections ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_counters ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_decisions ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_fees ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_groups ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_months ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_totals ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_unmatched ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_values ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_voids ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_watches ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.webhook_deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.webhook_endpoints ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.webhook_tries ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.what_if_rows ENABLE ROW LEVEL SECURITY;
GRANT USAGE ON SCHEMA public TO tallystick_account;
GRANT USAGE ON SCHEMA public TO tallystick_staff;
GRANT USAGE ON SCHEMA public TO tallystick_writer;
REVOKE ALL ON FUNCTION public.drop_archived_usage(owner_id uuid, archive_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.drop_archived_usage(owner_id uuid, archive_id uuid) TO tallystick_writer;
REVOKE ALL ON FUNCTION public.remember_archived_usage(owner_id uuid, archive_id uuid, subject text, of_month timestamp with time zone, file_number integer, since timestamp with time zone, until timestamp with time zone, upto xid8, name text, file_sha256 text, told_count bigint, told_sum numeric) FROM PUBLIC;
GRANT ALL ON FUNCTION public.remember_archived_usage(owner_id uuid, archive_id uuid, subject text, of_month timestamp with time zone, file_number integer, since timestamp with time zone, until timestamp with time zone, upto xid8, name text, file_sha256 text, told_count bigint, told_sum numeric) TO tallystick_writer;
GRANT SELECT,INSERT ON TABLE public.usage_events TO tallystick_account;
GRANT SELECT,INSERT ON TABLE public.usage_events TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_events TO tallystick_staff;
GRANT SELECT ON TABLE public.account_limits TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.account_limits TO tallystick_writer;
GRANT SELECT ON TABLE public.account_limits TO tallystick_staff;
GRANT SELECT,UPDATE ON TABLE public.accounts TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.accounts TO tallystick_writer;
GRANT SELECT ON TABLE public.accounts TO tallystick_staff;
GRANT SELECT ON TABLE public.add_ons TO tallystick_account;
GRANT SELECT ON TABLE public.add_ons TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.add_ons TO tallystick_writer;
GRANT UPDATE(status) ON TABLE public.add_ons TO tallystick_writer;
GRANT UPDATE(activated_at) ON TABLE public.add_ons TO tallystick_writer;
GRANT UPDATE(retired_at) ON TABLE public.add_ons TO tallystick_writer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.mirrored_charges TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.mirrored_charges TO tallystick_writer;
GRANT SELECT ON TABLE public.mirrored_charges TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payments TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payments TO tallystick_writer;
GRANT SELECT ON TABLE public.payments TO tallystick_staff;
GRANT SELECT ON TABLE public.all_charges TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.mirrored_subscriptions TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.mirrored_subscriptions TO tallystick_writer;
GRANT SELECT ON TABLE public.mirrored_subscriptions TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.subscriptions TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.subscriptions TO tallystick_writer;
GRANT SELECT ON TABLE public.subscriptions TO tallystick_staff;
GRANT SELECT ON TABLE public.all_subscriptions TO tallystick_staff;
GRANT SELECT,INSERT,UPDATE ON TABLE public.api_keys TO tallystick_writer;
GRANT SELECT ON TABLE public.billing_audit TO tallystick_account;
GRANT SELECT ON TABLE public.billing_audit TO tallystick_writer;
GRANT SELECT ON TABLE public.billing_audit TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.ccbill_charges TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.ccbill_charges TO tallystick_writer;
GRANT SELECT ON TABLE public.ccbill_charges TO tallystick_staff;
GRANT SELECT,INSERT,UPDATE ON TABLE public.ccbill_extracts TO tallystick_writer;
GRANT SELECT ON TABLE public.ccbill_extracts TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.ccbill_refunds TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.ccbill_refunds TO tallystick_writer;
GRANT SELECT ON TABLE public.ccbill_refunds TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.checkouts TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.checkouts TO tallystick_writer;
GRANT SELECT ON TABLE public.checkouts TO tallystick_staff;
GRANT SELECT ON TABLE public.coupon_redemptions TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.coupon_redemptions TO tallystick_writer;
GRANT SELECT ON TABLE public.coupon_redemptions TO tallystick_staff;
GRANT SELECT ON TABLE public.coupons TO tallystick_account;
GRANT SELECT ON TABLE public.coupons TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.coupons TO tallystick_writer;
GRANT UPDATE(status) ON TABLE public.coupons TO tallystick_writer;
GRANT UPDATE(activated_at) ON TABLE public.coupons TO tallystick_writer;
GRANT UPDATE(retired_at) ON TABLE public.coupons TO tallystick_writer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.credit_accounts TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.credit_accounts TO tallystick_writer;
GRANT SELECT ON TABLE public.credit_accounts TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.credit_allocations TO tallystick_account;
GRANT SELECT,INSERT ON TABLE public.credit_allocations TO tallystick_writer;
GRANT SELECT ON TABLE public.credit_allocations TO tallystick_staff;
GRANT SELECT ON TABLE public.credit_cost_epoch TO tallystick_account;
GRANT SELECT ON TABLE public.credit_cost_epoch TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.credit_cost_epoch TO tallystick_writer;
GRANT SELECT,INSERT ON TABLE public.credit_cost_overrides TO tallystick_account;
GRANT SELECT,INSERT ON TABLE public.credit_cost_overrides TO tallystick_writer;
GRANT SELECT ON TABLE public.credit_cost_overrides TO tallystick_staff;
GRANT SELECT ON TABLE public.credit_costs TO tallystick_account;
GRANT SELECT ON TABLE public.credit_costs TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.credit_costs TO tallystick_writer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.credit_grants TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.credit_grants TO tallystick_writer;
GRANT SELECT ON TABLE public.credit_grants TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.credit_note_files TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.credit_note_files TO tallystick_writer;
GRANT SELECT ON TABLE public.credit_note_files TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.credit_note_lines TO tallystick_account;
GRANT SELECT,INSERT ON TABLE public.credit_note_lines TO tallystick_writer;
GRANT SELECT ON TABLE public.credit_note_lines TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.credit_note_taxes TO tallystick_account;
GRANT SELECT,INSERT ON TABLE public.credit_note_taxes TO tallystick_writer;
GRANT SELECT ON TABLE public.credit_note_taxes TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.credit_notes TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.credit_notes TO tallystick_writer;
GRANT SELECT ON TABLE public.credit_notes TO tallystick_staff;
GRANT SELECT ON TABLE public.credit_packages TO tallystick_account;
GRANT SELECT ON TABLE public.credit_packages TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.credit_packages TO tallystick_writer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.credit_purchases TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.credit_purchases TO tallystick_writer;
GRANT SELECT ON TABLE public.credit_purchases TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.credit_reservations TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.credit_reservations TO tallystick_writer;
GRANT SELECT ON TABLE public.credit_reservations TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.credit_usage_log TO tallystick_account;
GRANT SELECT,INSERT ON TABLE public.credit_usage_log TO tallystick_writer;
GRANT SELECT ON TABLE public.credit_usage_log TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.credited_lines TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.credited_lines TO tallystick_writer;
GRANT SELECT ON TABLE public.credited_lines TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.credited_taxes TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.credited_taxes TO tallystick_writer;
GRANT SELECT ON TABLE public.credited_taxes TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.customer_credit_uses TO tallystick_account;
GRANT SELECT,INSERT ON TABLE public.customer_credit_uses TO tallystick_writer;
GRANT SELECT ON TABLE public.customer_credit_uses TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.customer_credits TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.customer_credits TO tallystick_writer;
GRANT SELECT ON TABLE public.customer_credits TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.disputes TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.disputes TO tallystick_writer;
GRANT SELECT ON TABLE public.disputes TO tallystick_staff;
GRANT SELECT ON TABLE public.exchange_rates TO tallystick_account;
GRANT SELECT ON TABLE public.exchange_rates TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.exchange_rates TO tallystick_writer;
GRANT SELECT ON TABLE public.feature_overrides TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.feature_overrides TO tallystick_writer;
GRANT SELECT ON TABLE public.feature_overrides TO tallystick_staff;
GRANT SELECT ON TABLE public.features TO tallystick_account;
GRANT SELECT ON TABLE public.features TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.features TO tallystick_writer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.gateway_customers TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.gateway_customers TO tallystick_writer;
GRANT SELECT ON TABLE public.gateway_customers TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.gateway_renewals TO tallystick_account;
GRANT SELECT,INSERT ON TABLE public.gateway_renewals TO tallystick_writer;
GRANT SELECT ON TABLE public.gateway_renewals TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.gateway_schedules TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.gateway_schedules TO tallystick_writer;
GRANT SELECT ON TABLE public.gateway_schedules TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.idempotency_keys TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.idempotency_keys TO tallystick_writer;
GRANT SELECT ON TABLE public.idempotency_keys TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.invoice_adjustment_uses TO tallystick_account;
GRANT SELECT,INSERT ON TABLE public.invoice_adjustment_uses TO tallystick_writer;
GRANT SELECT ON TABLE public.invoice_adjustment_uses TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invoice_adjustments TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invoice_adjustments TO tallystick_writer;
GRANT SELECT ON TABLE public.invoice_adjustments TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.invoice_bills TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invoice_bills TO tallystick_writer;
GRANT SELECT ON TABLE public.invoice_bills TO tallystick_staff;
GRANT SELECT ON TABLE public.invoice_closings TO tallystick_account;
GRANT SELECT,INSERT ON TABLE public.invoice_closings TO tallystick_writer;
GRANT SELECT ON TABLE public.invoice_closings TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invoice_files TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invoice_files TO tallystick_writer;
GRANT SELECT ON TABLE public.invoice_files TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.invoice_lines TO tallystick_account;
GRANT SELECT,INSERT,DELETE ON TABLE public.invoice_lines TO tallystick_writer;
GRANT SELECT ON TABLE public.invoice_lines TO tallystick_staff;
GRANT SELECT ON TABLE public.invoice_usage_changes TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invoice_usage_changes TO tallystick_writer;
GRANT SELECT ON TABLE public.invoice_usage_changes TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invoices TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invoices TO tallystick_writer;
GRANT SELECT ON TABLE public.invoices TO tallystick_staff;
GRANT SELECT ON TABLE public.issuers TO tallystick_account;
GRANT SELECT ON TABLE public.issuers TO tallystick_staff;
GRANT SELECT,INSERT,UPDATE ON TABLE public.issuers TO tallystick_writer;
GRANT SELECT ON TABLE public.lago_comparisons TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.lago_comparisons TO tallystick_writer;
GRANT SELECT ON TABLE public.lago_comparisons TO tallystick_staff;
GRANT SELECT ON TABLE public.lago_differences TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.lago_differences TO tallystick_writer;
GRANT SELECT ON TABLE public.lago_differences TO tallystick_staff;
GRANT SELECT,INSERT,UPDATE ON TABLE public.lago_marks TO tallystick_writer;
GRANT SELECT ON TABLE public.lago_marks TO tallystick_staff;
GRANT SELECT ON TABLE public.lago_outbox TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.lago_outbox TO tallystick_writer;
GRANT SELECT ON TABLE public.lago_outbox TO tallystick_staff;
GRANT USAGE ON SEQUENCE public.lago_outbox_outbox_id_seq TO tallystick_writer;
GRANT SELECT ON TABLE public.lago_refused TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.lago_refused TO tallystick_writer;
GRANT SELECT ON TABLE public.lago_refused TO tallystick_staff;
GRANT SELECT,UPDATE ON TABLE public.lago_sync TO tallystick_writer;
GRANT SELECT ON TABLE public.lago_sync TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.ledger_balances TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.ledger_balances TO tallystick_writer;
GRANT SELECT ON TABLE public.ledger_balances TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.ledger_entries TO tallystick_account;
GRANT SELECT,INSERT ON TABLE public.ledger_entries TO tallystick_writer;
GRANT SELECT ON TABLE public.ledger_entries TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.ledger_postings TO tallystick_account;
GRANT SELECT,INSERT ON TABLE public.ledger_postings TO tallystick_writer;
GRANT SELECT ON TABLE public.ledger_postings TO tallystick_staff;
GRANT SELECT ON TABLE public.logos TO tallystick_account;
GRANT SELECT ON TABLE public.logos TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.logos TO tallystick_writer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.mails TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.mails TO tallystick_writer;
GRANT SELECT ON TABLE public.mails TO tallystick_staff;
GRANT SELECT ON TABLE public.memberships TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.memberships TO tallystick_writer;
GRANT SELECT ON TABLE public.memberships TO tallystick_staff;
GRANT SELECT ON TABLE public.meters TO tallystick_account;
GRANT SELECT ON TABLE public.meters TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.meters TO tallystick_writer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.mirror_progress TO tallystick_writer;
GRANT SELECT ON TABLE public.mirror_progress TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.mirrored_invoices TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.mirrored_invoices TO tallystick_writer;
GRANT SELECT ON TABLE public.mirrored_invoices TO tallystick_staff;
GRANT SELECT,INSERT,UPDATE ON TABLE public.number_series TO tallystick_writer;
GRANT SELECT ON TABLE public.number_series TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.one_time_charges TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.one_time_charges TO tallystick_writer;
GRANT SELECT ON TABLE public.one_time_charges TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.outbox TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.outbox TO tallystick_writer;
GRANT SELECT ON TABLE public.outbox TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.outbox_done TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.outbox_done TO tallystick_writer;
GRANT SELECT ON TABLE public.outbox_done TO tallystick_staff;
GRANT USAGE ON SEQUENCE public.outbox_outbox_id_seq TO tallystick_account;
GRANT USAGE ON SEQUENCE public.outbox_outbox_id_seq TO tallystick_writer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payment_attempts TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payment_attempts TO tallystick_writer;
GRANT SELECT ON TABLE public.payment_attempts TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payment_invoices TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payment_invoices TO tallystick_writer;
GRANT SELECT ON TABLE public.payment_invoices TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payment_method_config_accounts TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payment_method_config_accounts TO tallystick_writer;
GRANT SELECT ON TABLE public.payment_method_config_accounts TO tallystick_staff;
GRANT SELECT ON TABLE public.payment_method_configs TO tallystick_account;
GRANT SELECT ON TABLE public.payment_method_configs TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payment_method_configs TO tallystick_writer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payment_methods TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payment_methods TO tallystick_writer;
GRANT SELECT ON TABLE public.payment_methods TO tallystick_staff;
GRANT SELECT ON TABLE public.plan_migration_rows TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.plan_migration_rows TO tallystick_writer;
GRANT SELECT ON TABLE public.plan_migration_rows TO tallystick_staff;
GRANT SELECT,INSERT,UPDATE ON TABLE public.plan_migrations TO tallystick_writer;
GRANT SELECT ON TABLE public.plan_migrations TO tallystick_staff;
GRANT SELECT ON TABLE public.plan_versions TO tallystick_account;
GRANT SELECT ON TABLE public.plan_versions TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.plan_versions TO tallystick_writer;
GRANT UPDATE(status) ON TABLE public.plan_versions TO tallystick_writer;
GRANT UPDATE(activated_at) ON TABLE public.plan_versions TO tallystick_writer;
GRANT UPDATE(retired_at) ON TABLE public.plan_versions TO tallystick_writer;
GRANT SELECT ON TABLE public.plans TO tallystick_account;
GRANT SELECT ON TABLE public.plans TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.plans TO tallystick_writer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.refund_attempts TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.refund_attempts TO tallystick_writer;
GRANT SELECT ON TABLE public.refund_attempts TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.refund_parts TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.refund_parts TO tallystick_writer;
GRANT SELECT ON TABLE public.refund_parts TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.refunds TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.refunds TO tallystick_writer;
GRANT SELECT ON TABLE public.refunds TO tallystick_staff;
GRANT SELECT ON TABLE public.schema_migrations TO tallystick_writer;
GRANT SELECT ON TABLE public.schema_migrations TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.sessions TO tallystick_writer;
GRANT SELECT ON TABLE public.stripe_meter_decisions TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.stripe_meter_decisions TO tallystick_writer;
GRANT SELECT ON TABLE public.stripe_meter_decisions TO tallystick_staff;
GRANT SELECT ON TABLE public.stripe_meter_events TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.stripe_meter_events TO tallystick_writer;
GRANT SELECT ON TABLE public.stripe_meter_events TO tallystick_staff;
GRANT SELECT ON TABLE public.stripe_meter_hours TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.stripe_meter_hours TO tallystick_writer;
GRANT SELECT ON TABLE public.stripe_meter_hours TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.stripe_meter_reports TO tallystick_writer;
GRANT SELECT ON TABLE public.stripe_meter_reports TO tallystick_staff;
GRANT SELECT,UPDATE ON TABLE public.stripe_meter_sync TO tallystick_writer;
GRANT SELECT ON TABLE public.stripe_meter_sync TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.stripe_meters TO tallystick_writer;
GRANT SELECT ON TABLE public.stripe_meters TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.subscription_add_ons TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.subscription_add_ons TO tallystick_writer;
GRANT SELECT ON TABLE public.subscription_add_ons TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.subscription_terms TO tallystick_account;
GRANT SELECT,INSERT ON TABLE public.subscription_terms TO tallystick_writer;
GRANT SELECT ON TABLE public.subscription_terms TO tallystick_staff;
GRANT SELECT ON TABLE public.tax_exemptions TO tallystick_account;
GRANT SELECT,INSERT ON TABLE public.tax_exemptions TO tallystick_writer;
GRANT SELECT ON TABLE public.tax_exemptions TO tallystick_staff;
GRANT UPDATE(valid_until) ON TABLE public.tax_exemptions TO tallystick_writer;
GRANT SELECT ON TABLE public.tax_number_checks TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.tax_number_checks TO tallystick_writer;
GRANT SELECT ON TABLE public.tax_number_checks TO tallystick_staff;
GRANT SELECT ON TABLE public.tax_rates TO tallystick_account;
GRANT SELECT ON TABLE public.tax_rates TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.tax_rates TO tallystick_writer;
GRANT UPDATE(valid_until) ON TABLE public.tax_rates TO tallystick_writer;
GRANT SELECT ON TABLE public.test_clocks TO tallystick_account;
GRANT SELECT ON TABLE public.test_clocks TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.test_clocks TO tallystick_writer;
GRANT SELECT,INSERT,UPDATE ON TABLE public.usage_advance_marks TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_advance_marks TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_alert_due TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_alert_due TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_alert_due TO tallystick_staff;
GRANT USAGE ON SEQUENCE public.usage_alert_due_due_id_seq TO tallystick_account;
GRANT USAGE ON SEQUENCE public.usage_alert_due_due_id_seq TO tallystick_writer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_alert_rules TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_alert_rules TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_alert_rules TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.usage_alerts TO tallystick_account;
GRANT SELECT,INSERT ON TABLE public.usage_alerts TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_alerts TO tallystick_staff;
GRANT SELECT ON TABLE public.usage_archived_hours TO tallystick_account;
GRANT SELECT ON TABLE public.usage_archived_hours TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_archived_hours TO tallystick_staff;
GRANT SELECT ON TABLE public.usage_archived_keys TO tallystick_account;
GRANT SELECT ON TABLE public.usage_archived_keys TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_archived_keys TO tallystick_staff;
GRANT SELECT ON TABLE public.usage_archives TO tallystick_account;
GRANT SELECT ON TABLE public.usage_archives TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_archives TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_budgets TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_budgets TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_budgets TO tallystick_staff;
GRANT SELECT ON TABLE public.usage_conflicts TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_conflicts TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_conflicts TO tallystick_staff;
GRANT SELECT ON TABLE public.usage_corrections TO tallystick_account;
GRANT SELECT,INSERT ON TABLE public.usage_corrections TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_corrections TO tallystick_staff;
GRANT SELECT ON TABLE public.usage_counters TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_counters TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_counters TO tallystick_staff;
GRANT SELECT ON TABLE public.usage_decisions TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_decisions TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_decisions TO tallystick_staff;
GRANT SELECT ON TABLE public.usage_fees TO tallystick_account;
GRANT SELECT,INSERT ON TABLE public.usage_fees TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_fees TO tallystick_staff;
GRANT SELECT ON TABLE public.usage_fold TO tallystick_account;
GRANT SELECT ON TABLE public.usage_fold TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_fold TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_groups TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_groups TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_groups TO tallystick_staff;
GRANT SELECT,INSERT,UPDATE ON TABLE public.usage_imports TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_imports TO tallystick_staff;
GRANT SELECT ON TABLE public.usage_late_mark TO tallystick_account;
GRANT SELECT ON TABLE public.usage_late_mark TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_late_mark TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_months TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_months TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_months TO tallystick_staff;
GRANT SELECT ON TABLE public.usage_totals TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_totals TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_totals TO tallystick_staff;
GRANT SELECT ON TABLE public.usage_unmatched TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_unmatched TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_unmatched TO tallystick_staff;
GRANT SELECT ON TABLE public.usage_values TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_values TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_values TO tallystick_staff;
GRANT SELECT ON TABLE public.usage_voids TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_voids TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_voids TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_watches TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_watches TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_watches TO tallystick_staff;
GRANT SELECT,INSERT,UPDATE ON TABLE public.users TO tallystick_writer;
GRANT SELECT,INSERT,UPDATE ON TABLE public.webhook_catch_ups TO tallystick_writer;
GRANT SELECT ON TABLE public.webhook_catch_ups TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_deliveries TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_deliveries TO tallystick_writer;
GRANT SELECT ON TABLE public.webhook_deliveries TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_endpoints TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_endpoints TO tallystick_writer;
GRANT SELECT ON TABLE public.webhook_endpoints TO tallystick_staff;
GRANT SELECT,INSERT,UPDATE ON TABLE public.webhook_inbox TO tallystick_writer;
GRANT SELECT ON TABLE public.webhook_inbox TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_secrets TO tallystick_writer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_tries TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_tries TO tallystick_writer;
GRANT SELECT ON TABLE public.webhook_tries TO tallystick_staff;
GRANT SELECT ON TABLE public.what_if_rows TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.what_if_rows TO tallystick_writer;
GRANT SELECT ON TABLE public.what_if_rows TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.what_ifs TO tallystick_writer;
GRANT SELECT ON TABLE public.what_ifs TO tallystick_staff;
