-- Credits: grants, what was taken from which of them and for what, reservations, costs, packages.
-- Every amount is in 1/100,000 of a credit, as in the ledger; what is on the ledger account
-- `credits` of an account is what its grants have left, less what it owes.

CREATE TABLE credit_packages (
    credit_package_id uuid PRIMARY KEY,
    code text NOT NULL UNIQUE CHECK (code ~ '^[a-z][a-z0-9_-]{0,62}$'),
    name text NOT NULL,
    credits bigint NOT NULL CHECK (credits > 0),
    currency char(3) NOT NULL CHECK (currency = upper(currency)),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    priority smallint NOT NULL,
    expires_after_days integer CHECK (expires_after_days > 0),
    is_active boolean NOT NULL,
    created_at timestamptz NOT NULL
);
CALL share_reference_table('credit_packages');
CALL audit_table('credit_packages');

-- One row for each account that ever had to do with credits. Whoever changes anything of its
-- credits locks it first, so grants need no locks of their own. `owed` is overdraft in use;
-- `reserved` is held by reservations, also by those that ran out and were not yet released.
CREATE TABLE credit_accounts (
    account_id uuid PRIMARY KEY REFERENCES accounts,
    owed bigint NOT NULL DEFAULT 0 CHECK (owed >= 0),
    reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    overdraft_max bigint NOT NULL DEFAULT 0 CHECK (overdraft_max >= 0),
    alert_below bigint CHECK (alert_below > 0),
    top_up_below bigint CHECK (top_up_below > 0),
    top_up_package_id uuid REFERENCES credit_packages,
    top_up_month_max_minor bigint CHECK (top_up_month_max_minor > 0),
    -- Whether it was told that so little is left: once for each crossing.
    is_low boolean NOT NULL DEFAULT false,
    is_top_up_due boolean NOT NULL DEFAULT false,
    CHECK ((top_up_below IS NULL) = (top_up_package_id IS NULL)),
    CHECK ((top_up_below IS NULL) = (top_up_month_max_minor IS NULL))
) WITH (fillfactor = 50);
CALL protect_tenant_table('credit_accounts');
-- What people set is audited; what each debit moves is in the books.
CREATE TRIGGER audited AFTER UPDATE ON credit_accounts FOR EACH ROW
    WHEN ((OLD.overdraft_max, OLD.alert_below, OLD.top_up_below, OLD.top_up_package_id,
           OLD.top_up_month_max_minor)
          IS DISTINCT FROM (NEW.overdraft_max, NEW.alert_below, NEW.top_up_below,
                            NEW.top_up_package_id, NEW.top_up_month_max_minor))
    EXECUTE FUNCTION write_audit();

-- Usable in [effective_at, expires_at), and from `cap_at` on no more than `cap` of it: what is
-- above does not roll over. `due_at` is when the next of it lapses; NULL: never, or nothing left.
-- A debit changes no column of an index until the grant is spent.
CREATE TABLE credit_grants (
    account_id uuid NOT NULL REFERENCES accounts,
    credit_grant_id uuid NOT NULL,
    idempotency_key text NOT NULL,
    ledger_entry_id uuid NOT NULL,
    source text NOT NULL
        CHECK (source IN ('plan', 'purchase', 'promotion', 'manual', 'refund', 'transfer')),
    amount bigint NOT NULL CHECK (amount > 0),
    remaining bigint NOT NULL CHECK (remaining BETWEEN 0 AND amount),
    priority smallint NOT NULL,
    effective_at timestamptz NOT NULL,
    expires_at timestamptz,
    cap_at timestamptz,
    cap bigint,
    due_at timestamptz,
    is_spent boolean NOT NULL DEFAULT false,
    reference text NOT NULL,
    reason text NOT NULL,
    -- The debit that a refund gives back, and the grant it had been taken from.
    refunded_entry_id uuid,
    refunded_grant_id uuid,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, credit_grant_id),
    UNIQUE (account_id, idempotency_key),
    CHECK (expires_at > effective_at),
    CHECK ((cap_at IS NULL) = (cap IS NULL) AND cap >= 0),
    CHECK (is_spent = (remaining = 0)),
    CHECK (NOT (is_spent AND due_at IS NOT NULL))
) WITH (fillfactor = 50);
CREATE INDEX credit_grants_burn
    ON credit_grants (account_id, priority, expires_at, created_at, credit_grant_id)
    WHERE NOT is_spent;
CREATE INDEX credit_grants_due ON credit_grants (due_at, account_id) WHERE due_at IS NOT NULL;
CREATE INDEX credit_grants_by_time ON credit_grants (account_id, created_at, credit_grant_id);
CREATE INDEX credit_grants_by_reference ON credit_grants (account_id, reference);
CREATE INDEX credit_grants_refunding ON credit_grants (account_id, refunded_entry_id)
    WHERE refunded_entry_id IS NOT NULL;
CALL protect_tenant_table('credit_grants');
CREATE TRIGGER audited AFTER INSERT ON credit_grants FOR EACH ROW EXECUTE FUNCTION write_audit();

-- What each ledger entry took from which grant. A debit's allocations sum to its credits; what is
-- missing was overdrawn. A grant's own entry stands here with what went to pay an overdraft back.
-- No foreign keys: both rows are written by the function that writes this one, and a look-up for
-- each would take a third of a debit's time.
CREATE TABLE credit_allocations (
    account_id uuid NOT NULL,
    ledger_entry_id uuid NOT NULL,
    credit_grant_id uuid NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    PRIMARY KEY (account_id, ledger_entry_id, credit_grant_id)
);
CALL protect_tenant_table('credit_allocations');
CALL make_append_only('credit_allocations');

-- One row for each debit, in the transaction of its ledger entry. `kind` is usage, or what else
-- takes credits at somebody's wish: adjustment, transfer.
CREATE TABLE credit_usage_log (
    account_id uuid NOT NULL,
    idempotency_key text NOT NULL,
    ledger_entry_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('usage', 'adjustment', 'transfer')),
    operation text NOT NULL,
    model text,
    quantity numeric,
    credits bigint NOT NULL CHECK (credits > 0),
    -- The version of the cost that made the credits; NULL: they were given.
    credit_cost_id uuid,
    description text NOT NULL,
    metadata jsonb,
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- What could be spent after it, reservations taken off.
    available_after bigint NOT NULL,
    PRIMARY KEY (account_id, idempotency_key)
);
CREATE INDEX credit_usage_log_by_time ON credit_usage_log (account_id, at, ledger_entry_id);
CALL protect_tenant_table('credit_usage_log');
CALL make_append_only('credit_usage_log');

CREATE TABLE credit_reservations (
    account_id uuid NOT NULL REFERENCES accounts,
    credit_reservation_id uuid NOT NULL,
    idempotency_key text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    operation text NOT NULL,
    model text,
    quantity numeric,
    status text NOT NULL CHECK (status IN ('active', 'settled', 'released', 'expired')),
    expires_at timestamptz NOT NULL,
    settled_key text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, credit_reservation_id),
    UNIQUE (account_id, idempotency_key),
    CHECK ((status = 'settled') = (settled_key IS NOT NULL))
);
CREATE INDEX credit_reservations_active ON credit_reservations (account_id, expires_at)
    WHERE status = 'active';
CREATE INDEX credit_reservations_due ON credit_reservations (expires_at) WHERE status = 'active';
CALL protect_tenant_table('credit_reservations');

-- What an operation costs, for everybody and for single accounts. Versions only grow: a change is a
-- new one, an end is one that is not active.
CREATE TABLE credit_costs (
    credit_cost_id uuid PRIMARY KEY,
    operation text NOT NULL,
    model text,
    version integer NOT NULL CHECK (version >= 1),
    unit text NOT NULL,
    unit_size numeric NOT NULL CHECK (unit_size > 0),
    credits_per_unit numeric NOT NULL CHECK (credits_per_unit >= 0),
    minimum numeric NOT NULL CHECK (minimum >= 0),
    rounding text NOT NULL CHECK (rounding IN ('up', 'nearest', 'down')),
    step numeric NOT NULL CHECK (step > 0),
    effective_at timestamptz NOT NULL,
    is_active boolean NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (operation, model, version)
);
CALL share_reference_table('credit_costs');
CALL make_append_only('credit_costs');
CALL audit_table('credit_costs');

CREATE TABLE credit_cost_overrides (
    LIKE credit_costs INCLUDING CONSTRAINTS,
    account_id uuid NOT NULL REFERENCES accounts,
    PRIMARY KEY (account_id, credit_cost_id),
    UNIQUE NULLS NOT DISTINCT (account_id, operation, model, version)
);
CALL protect_tenant_table('credit_cost_overrides');
CALL make_append_only('credit_cost_overrides');
CALL audit_table('credit_cost_overrides');

-- Counts the changes of costs: whoever priced a debit says by which count, and prices it again if
-- another one holds by now.
CREATE TABLE credit_cost_epoch (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch bigint NOT NULL
);
INSERT INTO credit_cost_epoch (epoch) VALUES (1);
CALL share_reference_table('credit_cost_epoch');
CREATE FUNCTION count_cost_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE credit_cost_epoch SET epoch = epoch + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER counted AFTER INSERT ON credit_costs
    FOR EACH STATEMENT EXECUTE FUNCTION count_cost_change();
CREATE TRIGGER counted AFTER INSERT ON credit_cost_overrides
    FOR EACH STATEMENT EXECUTE FUNCTION count_cost_change();

-- The wish to buy a package, as it was sold then; credits are granted when its invoice is paid.
CREATE TABLE credit_purchases (
    account_id uuid NOT NULL REFERENCES accounts,
    credit_purchase_id uuid NOT NULL,
    request_key text NOT NULL,
    credit_package_id uuid NOT NULL REFERENCES credit_packages,
    invoice_id uuid NOT NULL,
    credits bigint NOT NULL CHECK (credits > 0),
    currency char(3) NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    priority smallint NOT NULL,
    expires_after_days integer,
    is_top_up boolean NOT NULL,
    status text NOT NULL CHECK (status IN ('open', 'granted', 'reversed')),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, credit_purchase_id),
    UNIQUE (account_id, request_key),
    UNIQUE (account_id, invoice_id)
);
-- A balance that stays low starts one top-up, not one for each debit.
CREATE UNIQUE INDEX credit_purchases_top_up_in_flight ON credit_purchases (account_id)
    WHERE is_top_up AND status = 'open';
CREATE INDEX credit_purchases_by_time ON credit_purchases (account_id, created_at);
CALL protect_tenant_table('credit_purchases');
CALL audit_table('credit_purchases');

-- How much of a grant can be used at an instant.
CREATE FUNCTION usable_credits(
    remaining bigint, effective_at timestamptz, expires_at timestamptz, cap_at timestamptz,
    cap bigint, at timestamptz
) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN at < effective_at OR at >= expires_at THEN 0
                WHEN at >= cap_at THEN least(remaining, cap)
                ELSE remaining END
$$;

-- Takes credits for a batch of items, in their order, and answers for each by position:
-- 'debited'; 'replayed' (its key was used for the same before; the answer is that of then);
-- 'conflict' (used for something else); 'insufficient' (`answer_availables` is what there was);
-- 'stale' (priced by costs that have changed meanwhile: price it again).
-- Only what is 'debited' is written: grants, allocations, usage log, ledger entry, all or nothing.
--
-- `accounts` are the distinct accounts of the batch, ascending, and `item_slots` the place of each
-- item's in them. The keys of one batch differ from each other. Each item lives at its own instant:
-- a grant that has expired by then, or is not effective yet, does not exist for it.
--
-- As in `post_entries`, every look-up leaves one good plan only. So a plan is made once for each
-- connection: anew for each batch, planning took a quarter of a debit's time at 16 in a batch.
CREATE FUNCTION debit_credits(
    accounts uuid[], item_slots integer[], item_keys text[], item_entries uuid[],
    item_ats timestamptz[], item_kinds text[], item_counter_accounts text[], item_amounts bigint[],
    item_operations text[], item_models text[], item_quantities numeric[],
    item_descriptions text[], item_metadata text[], item_costs uuid[], item_epochs bigint[],
    OUT answer_outcomes text[], OUT answer_entries uuid[], OUT answer_credits bigint[],
    OUT answer_availables bigint[], OUT answer_ats timestamptz[]
) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
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
