-- The books: double entry, append-only; what a customer holds carries a balance, the house sums.

CREATE TABLE ledger_entries (
    account_id uuid NOT NULL,
    ledger_entry_id uuid NOT NULL,
    idempotency_key text NOT NULL,
    kind text NOT NULL,
    reference text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, ledger_entry_id),
    UNIQUE (account_id, idempotency_key)
);
CALL protect_tenant_table('ledger_entries');
CALL make_append_only('ledger_entries');

-- What a customer owes us or has with us; everything else belongs to the house.
CREATE FUNCTION carries_balance(ledger_account text) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT ledger_account IN ('receivable', 'prepaid', 'customer_credit', 'credits') $$;

-- The ledger accounts there are, as in `ledger/model.py`: credits are in the unit CREDIT (in
-- 1/100,000 of one), money in a currency of three letters (in its minor units).
CREATE FUNCTION is_ledger_account(ledger_account text, unit text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN unit = 'CREDIT'
    THEN ledger_account IN ('credits', 'credits_issued', 'credits_used', 'credits_transferred',
                            'breakage')
    ELSE (ledger_account IN ('receivable', 'prepaid', 'customer_credit', 'revenue',
                             'deferred_revenue', 'tax_payable', 'gateway_fees', 'refunds', 'chargebacks', 'bad_debt',
                             'breakage')
          OR ledger_account ~ '^clearing:[a-z][a-z0-9_]*$')
         AND length(unit) = 3 AND upper(unit) = unit END $$;

-- A positive amount is a debit, a negative one a credit. On a ledger account that carries a
-- balance, `sequence` counts its postings from 1, `balance_after` is the balance behind each, and
-- `hash` links it to the posting before (kernel/hashchain.py has the same bytes).
-- That its entry exists and balances is seen to by `refuse_unbalanced`, for a whole statement at
-- once: a foreign key and a check by row took 60 of 100 microseconds of a posting.
CREATE TABLE ledger_postings (
    account_id uuid NOT NULL,
    ledger_entry_id uuid NOT NULL,
    line smallint NOT NULL,
    ledger_account text NOT NULL,
    unit text NOT NULL,
    amount bigint NOT NULL CHECK (amount <> 0),
    sequence bigint,
    balance_after bigint,
    hash bytea,
    CHECK (is_ledger_account(ledger_account, unit)),
    CHECK ((sequence IS NOT NULL AND balance_after IS NOT NULL AND hash IS NOT NULL)
           = carries_balance(ledger_account)),
    PRIMARY KEY (account_id, ledger_entry_id, line)
);
-- What was charged and paid is summed over the receivable alone, not over a million credits used.
CREATE INDEX ledger_postings_receivable ON ledger_postings (account_id)
    WHERE ledger_account = 'receivable';
CALL protect_tenant_table('ledger_postings');
CALL make_append_only('ledger_postings');

-- Only the ledger accounts of a customer; house accounts would be one hot row each.
-- What a customer has with us is a credit balance (negative), so `-balance` is what they hold:
-- never less than `floor`, which is 0, or below it by an overdraft that was allowed; NULL: no limit.
-- Half of each page stays free for the new versions of its rows: no index is touched by a posting.
CREATE TABLE ledger_balances (
    account_id uuid NOT NULL,
    ledger_account text NOT NULL CHECK (carries_balance(ledger_account)),
    unit text NOT NULL,
    balance bigint NOT NULL,
    sequence bigint NOT NULL,
    floor bigint,
    hash bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    PRIMARY KEY (account_id, ledger_account, unit),
    CHECK (is_ledger_account(ledger_account, unit)),
    CHECK (CASE ledger_account WHEN 'receivable' THEN floor IS NULL
                               WHEN 'prepaid' THEN floor IS NOT NULL AND floor = 0
                               WHEN 'customer_credit' THEN floor IS NOT NULL AND floor = 0
                               ELSE floor IS NOT NULL AND floor <= 0 END),
    CONSTRAINT not_under_floor CHECK (-balance >= floor)
) WITH (fillfactor = 50);
CALL protect_tenant_table('ledger_balances');

-- Called once for each statement that adds entries or postings. Both tables are read by the
-- entry's key, also when the plan was made while they were small (see `post_entries`).
CREATE FUNCTION refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_sort = off SET plan_cache_mode = force_generic_plan AS $$
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
CREATE TRIGGER balanced AFTER INSERT ON ledger_entries
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION refuse_unbalanced();
CREATE TRIGGER balanced AFTER INSERT ON ledger_postings
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION refuse_unbalanced();

-- A text as it is hashed: its length in bytes first, so that no two lists of texts look the same.
CREATE FUNCTION hashed_text(value text) RETURNS bytea LANGUAGE sql STABLE AS
$$ SELECT int4send(octet_length(convert_to(value, 'UTF8'))) || convert_to(value, 'UTF8') $$;

-- Answers for each entry of a batch whether its key is new ('posted'), stands in the books under
-- this very id ('kept': a batch sent again after its answer was lost), was posted before
-- ('replayed') or was posted with other content ('conflict').
CREATE FUNCTION answer_replays(
    entry_accounts uuid[], entry_ids uuid[], entry_keys text[], entry_kinds text[],
    entry_references text[], posting_entries integer[], posting_ledger_accounts text[],
    posting_units text[], posting_amounts bigint[]
) RETURNS text[] LANGUAGE sql AS $$
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

-- Whether all of a batch's entries were new when written. None of a single one: another posting
-- took its key at this moment, it is a replay. Some of a batch: who sent it decides anew.
CREATE FUNCTION wrote_all(written_count bigint, wanted_count integer) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    IF written_count < wanted_count AND wanted_count > 1 THEN
        RAISE EXCEPTION 'a key of this batch was posted at the same moment'
            USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN written_count = wanted_count;
END $$;

-- Posts a batch of entries and answers for each, by position: 'posted', 'replayed' (its key was
-- posted before with the same content), 'conflict' (with another content) or 'overdrawn' (a balance
-- would fall under its floor). Only what is 'posted' is written, in the order of the batch.
--
-- Content is kind, reference and postings: a retry comes later and may say so in other words, so
-- neither the instant nor the reason counts. The keys of one batch differ from each other.
-- Postings name their entry by its position, lowest first.
--
-- Every table is read by the whole of its key. The planner is told so, because a plan stays with
-- its connection: made while a table was small, or while accounts had one entry each, it would read
-- a whole table or all of an account's entries at each posting (measured: 2.6 ms of processor time
-- for each instead of 0.03). Hence the sub-selects for each row, which can not become joins, the
-- order that only the right index has (`>=` and `ORDER BY` where two indexes begin alike), and the
-- balances' own places in the table.
CREATE FUNCTION post_entries(
    entry_accounts uuid[], entry_ids uuid[], entry_keys text[], entry_kinds text[],
    entry_references text[], entry_reasons text[], entry_ats timestamptz[],
    posting_entries integer[], posting_ledger_accounts text[], posting_units text[],
    posting_amounts bigint[]
) RETURNS text[] LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_sort = off SET plan_cache_mode = force_generic_plan AS $$
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
