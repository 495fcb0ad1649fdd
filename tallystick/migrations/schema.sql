-- What all migrations make together; `make schema` writes it, a test compares it.

CREATE FUNCTION public.answer_replays(entry_accounts uuid[], entry_keys text[], entry_kinds text[], entry_references text[], posting_entries integer[], posting_ledger_accounts text[], posting_units text[], posting_amounts bigint[]) RETURNS text[]
    LANGUAGE sql
    AS $$
    SELECT array_agg(CASE
        WHEN e.ledger_entry_id IS NULL THEN 'posted'
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
    FROM unnest(entry_accounts, entry_keys, entry_kinds, entry_references)
         WITH ORDINALITY AS k (account_id, key, kind, reference, position)
    LEFT JOIN ledger_entries AS e
         ON e.account_id = k.account_id AND e.idempotency_key = k.key
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
    AS $$ SELECT ledger_account IN ('receivable', 'prepaid') $$;
CREATE FUNCTION public.current_account_id() RETURNS uuid
    LANGUAGE sql STABLE
    AS $$ SELECT nullif(current_setting('tallystick.account_id', true), '')::uuid $$;
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
CREATE FUNCTION public.post_entries(entry_accounts uuid[], entry_ids uuid[], entry_keys text[], entry_kinds text[], entry_references text[], entry_reasons text[], entry_ats timestamp with time zone[], posting_entries integer[], posting_ledger_accounts text[], posting_units text[], posting_amounts bigint[]) RETURNS text[]
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
DECLARE
    entry_count integer := cardinality(entry_ids);
    posting_count integer := cardinality(posting_entries);
    outcomes text[];
    slots integer[];  -- of each posting: which balance it moves; NULL on a house account
    slot_count integer;
    balances bigint[];
    sequences bigint[];
    posting_sequences bigint[] := array_fill(NULL::bigint, ARRAY[posting_count]);
    posting_balances bigint[] := array_fill(NULL::bigint, ARRAY[posting_count]);
    last_posting integer := 0;
    first_posting integer;
    slot integer;
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
        SELECT array_agg(b.balance), array_agg(b.sequence) INTO balances, sequences
        FROM (SELECT balance, sequence FROM ledger_balances
              WHERE (account_id, ledger_account, unit) IN
                    (SELECT entry_accounts[p.entry], p.ledger_account, p.unit
                     FROM unnest(posting_entries, posting_ledger_accounts, posting_units)
                          AS p (entry, ledger_account, unit))
              ORDER BY account_id, ledger_account, unit FOR NO KEY UPDATE) AS b;
        EXIT WHEN cardinality(balances) = slot_count;
        INSERT INTO ledger_balances (account_id, ledger_account, unit, balance, sequence)
        SELECT DISTINCT entry_accounts[p.entry], p.ledger_account, p.unit, 0, 0
        FROM unnest(posting_entries, posting_ledger_accounts, posting_units)
             AS p (entry, ledger_account, unit)
        WHERE carries_balance(p.ledger_account)
        ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING;
    END LOOP;
    -- Replays are looked up after the locks: this statement sees what others committed meanwhile.
    outcomes := answer_replays(entry_accounts, entry_keys, entry_kinds, entry_references,
                               posting_entries, posting_ledger_accounts, posting_units,
                               posting_amounts);
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
        END LOOP;
        FOR line IN first_posting .. last_posting LOOP
            IF posting_ledger_accounts[line] = 'prepaid' AND balances[slots[line]] > 0 THEN
                outcomes[entry] := 'overdrawn';
            END IF;
        END LOOP;
        CONTINUE WHEN outcomes[entry] = 'posted';
        FOR line IN first_posting .. last_posting LOOP
            slot := slots[line];
            CONTINUE WHEN slot IS NULL;
            balances[slot] := balances[slot] - posting_amounts[line];
            sequences[slot] := sequences[slot] - 1;
        END LOOP;
    END LOOP;
    INSERT INTO ledger_entries (account_id, ledger_entry_id, idempotency_key, kind, reference,
                                reason, at)
    SELECT e.account_id, e.id, e.key, e.kind, e.reference, e.reason, e.at
    FROM unnest(entry_accounts, entry_ids, entry_keys, entry_kinds, entry_references,
                entry_reasons, entry_ats, outcomes)
         AS e (account_id, id, key, kind, reference, reason, at, outcome)
    WHERE e.outcome = 'posted'
    ON CONFLICT (account_id, idempotency_key) DO NOTHING;
    GET DIAGNOSTICS written_count = ROW_COUNT;
    -- Another posting took a key while this one decided: possible only where both locked no balance
    -- in common. One entry is then a replay; a batch is decided anew by who sent it.
    IF written_count = 0 AND entry_count = 1 AND outcomes[1] = 'posted' THEN
        RETURN answer_replays(entry_accounts, entry_keys, entry_kinds, entry_references,
                              posting_entries, posting_ledger_accounts, posting_units,
                              posting_amounts);
    ELSIF written_count < cardinality(array_positions(outcomes, 'posted')) THEN
        RAISE EXCEPTION 'a key of this batch was posted at the same moment'
            USING ERRCODE = 'serialization_failure';
    END IF;
    INSERT INTO ledger_postings (account_id, ledger_entry_id, line, ledger_account, unit, amount,
                                 sequence, balance_after)
    SELECT entry_accounts[p.entry], entry_ids[p.entry],
           row_number() OVER (PARTITION BY p.entry ORDER BY p.line), p.ledger_account, p.unit,
           p.amount, p.sequence, p.balance
    FROM unnest(posting_entries, posting_ledger_accounts, posting_units, posting_amounts,
                posting_sequences, posting_balances)
         WITH ORDINALITY AS p (entry, ledger_account, unit, amount, sequence, balance, line)
    WHERE outcomes[p.entry] = 'posted';
    UPDATE ledger_balances AS b SET balance = m.balance, sequence = m.sequence
    FROM (SELECT DISTINCT entry_accounts[p.entry] AS account_id, p.ledger_account, p.unit,
                 balances[p.slot] AS balance, sequences[p.slot] AS sequence
          FROM unnest(posting_entries, posting_ledger_accounts, posting_units, slots)
               AS p (entry, ledger_account, unit, slot)
          WHERE p.slot IS NOT NULL AND outcomes[p.entry] = 'posted') AS m
    WHERE b.account_id = m.account_id AND b.ledger_account = m.ledger_account AND b.unit = m.unit;
    RETURN outcomes;
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
CREATE FUNCTION public.refuse_edit_of_final() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'invoice % is kept', OLD.invoice_id USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.status <> 'draft' AND (to_jsonb(OLD) - ARRAY['status', 'paid_minor', 'paid_at'])
            IS DISTINCT FROM (to_jsonb(NEW) - ARRAY['status', 'paid_minor', 'paid_at']) THEN
        RAISE EXCEPTION 'invoice % is final', OLD.number USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION public.refuse_line_of_final() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF (SELECT status FROM invoices
        WHERE account_id = NEW.account_id AND invoice_id = NEW.invoice_id) <> 'draft' THEN
        RAISE EXCEPTION 'the invoice is final' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION public.refuse_unbalanced() RETURNS trigger
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    AS $$
BEGIN
    IF EXISTS (SELECT FROM ledger_postings
               WHERE account_id = NEW.account_id AND ledger_entry_id = NEW.ledger_entry_id
               GROUP BY unit HAVING sum(amount) <> 0)
       OR NOT EXISTS (SELECT FROM ledger_postings
               WHERE account_id = NEW.account_id AND ledger_entry_id = NEW.ledger_entry_id) THEN
        RAISE EXCEPTION 'ledger entry % does not balance', NEW.ledger_entry_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE PROCEDURE public.share_reference_table(IN reference_table regclass)
    LANGUAGE plpgsql
    AS $$
BEGIN
    EXECUTE format('GRANT SELECT ON %s TO tallystick_account, tallystick_staff', reference_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO tallystick_writer', reference_table);
END $$;
CREATE FUNCTION public.usage_quantity(aggregation text, property text, properties jsonb) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (aggregation = 'count'::text) THEN (1)::numeric WHEN ((properties ->> property) ~ '^[0-9]{1,15}(\.[0-9]{1,12}0*)?$'::text) THEN ((properties ->> property))::numeric ELSE (0)::numeric END;
CREATE FUNCTION public.wake_worker() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_notify('tallystick_due', TG_TABLE_NAME);
    RETURN NULL;
END $$;
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
    tax_number text,
    tax_name text,
    tax_percent numeric,
    payment_due_days integer DEFAULT 14 NOT NULL,
    autopay boolean DEFAULT false NOT NULL,
    test_clock_id uuid,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT accounts_check CHECK (((tax_name IS NULL) = (tax_percent IS NULL))),
    CONSTRAINT accounts_country_check CHECK (((country)::text = upper((country)::text))),
    CONSTRAINT accounts_currency_check CHECK (((currency)::text = upper((currency)::text))),
    CONSTRAINT accounts_payment_due_days_check CHECK (((payment_due_days >= 0) AND (payment_due_days <= 365))),
    CONSTRAINT accounts_tax_percent_check CHECK (((tax_percent >= (0)::numeric) AND (tax_percent <= (100)::numeric)))
);
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
CREATE TABLE public.gateway_customers (
    account_id uuid NOT NULL,
    gateway text NOT NULL,
    token text NOT NULL,
    created_at timestamp with time zone NOT NULL
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
    CONSTRAINT invoice_lines_kind_check CHECK ((kind = ANY (ARRAY['subscription'::text, 'usage'::text, 'adjustment'::text, 'minimum'::text, 'one_off'::text, 'credit_purchase'::text, 'proration'::text, 'discount'::text]))),
    CONSTRAINT invoice_lines_position_check CHECK (("position" >= 1))
);
CREATE TABLE public.invoice_pdfs (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    source bytea NOT NULL,
    etag text NOT NULL,
    content bytea NOT NULL
);
ALTER TABLE ONLY public.invoice_pdfs ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE TABLE public.invoice_series (
    series text NOT NULL,
    next_number bigint NOT NULL,
    CONSTRAINT invoice_series_next_number_check CHECK ((next_number >= 1))
);
CREATE TABLE public.invoices (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    number text,
    status text NOT NULL,
    currency character(3) NOT NULL,
    subtotal_minor bigint NOT NULL,
    tax_minor bigint NOT NULL,
    total_minor bigint NOT NULL,
    paid_minor bigint DEFAULT 0 NOT NULL,
    subscription_id uuid,
    period_start timestamp with time zone,
    period_end timestamp with time zone,
    issued_at timestamp with time zone,
    due_at timestamp with time zone,
    paid_at timestamp with time zone,
    document jsonb,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT invoices_check CHECK (((paid_minor >= 0) AND (paid_minor <= total_minor))),
    CONSTRAINT invoices_check1 CHECK ((total_minor = (subtotal_minor + tax_minor))),
    CONSTRAINT invoices_check2 CHECK (((status = 'draft'::text) = (number IS NULL))),
    CONSTRAINT invoices_check3 CHECK (((status <> 'paid'::text) OR (paid_minor = total_minor))),
    CONSTRAINT invoices_status_check CHECK ((status = ANY (ARRAY['draft'::text, 'open'::text, 'paid'::text, 'void'::text, 'uncollectible'::text])))
);
CREATE TABLE public.ledger_balances (
    account_id uuid NOT NULL,
    ledger_account text NOT NULL,
    unit text NOT NULL,
    balance bigint NOT NULL,
    sequence bigint NOT NULL,
    CONSTRAINT ledger_balances_check CHECK (((ledger_account <> 'prepaid'::text) OR (balance <= 0))),
    CONSTRAINT ledger_balances_ledger_account_check CHECK (public.carries_balance(ledger_account))
);
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
    CONSTRAINT ledger_postings_amount_check CHECK ((amount <> 0)),
    CONSTRAINT ledger_postings_check CHECK ((((sequence IS NOT NULL) AND (balance_after IS NOT NULL)) = public.carries_balance(ledger_account)))
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
    CONSTRAINT meters_aggregation_check CHECK ((aggregation = ANY (ARRAY['sum'::text, 'count'::text]))),
    CONSTRAINT meters_check CHECK (((aggregation = 'count'::text) = (property IS NULL))),
    CONSTRAINT meters_code_check CHECK ((code ~ '^[a-z][a-z0-9_]{0,62}$'::text))
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
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT payment_attempts_number_check CHECK ((number >= 1)),
    CONSTRAINT payment_attempts_outcome_check CHECK ((outcome = ANY (ARRAY['created'::text, 'succeeded'::text, 'declined'::text, 'needs_action'::text, 'pending'::text, 'unknown'::text])))
);
CREATE TABLE public.payment_methods (
    account_id uuid NOT NULL,
    payment_method_id uuid NOT NULL,
    gateway text NOT NULL,
    token text NOT NULL,
    type text NOT NULL,
    card jsonb,
    bank jsonb,
    priority integer NOT NULL,
    is_default boolean NOT NULL,
    status text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT payment_methods_priority_check CHECK ((priority >= 1)),
    CONSTRAINT payment_methods_status_check CHECK ((status = ANY (ARRAY['active'::text, 'removed'::text])))
);
CREATE TABLE public.payments (
    account_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    invoice_id uuid,
    request_key text NOT NULL,
    gateway text NOT NULL,
    payment_method_id uuid,
    currency character(3) NOT NULL,
    amount_minor bigint NOT NULL,
    status text NOT NULL,
    reference text,
    failure_code text,
    note text,
    next_attempt_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    settled_at timestamp with time zone,
    CONSTRAINT payments_amount_minor_check CHECK ((amount_minor > 0)),
    CONSTRAINT payments_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'pending_approval'::text, 'processing'::text, 'succeeded'::text, 'failed'::text, 'cancelled'::text, 'refunded'::text, 'partially_refunded'::text, 'disputed'::text])))
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
    CONSTRAINT plan_versions_currency_check CHECK (((currency)::text = upper((currency)::text))),
    CONSTRAINT plan_versions_interval_check CHECK (("interval" = ANY (ARRAY['day'::text, 'week'::text, 'month'::text, 'year'::text]))),
    CONSTRAINT plan_versions_interval_count_check CHECK (((interval_count >= 1) AND (interval_count <= 120))),
    CONSTRAINT plan_versions_version_check CHECK ((version >= 1))
);
CREATE TABLE public.plans (
    plan_id uuid NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT plans_code_check CHECK ((code ~ '^[a-z][a-z0-9_-]{0,62}$'::text))
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
CREATE TABLE public.subscriptions (
    account_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    plan_version_id uuid NOT NULL,
    status text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    timezone text NOT NULL,
    period_index integer NOT NULL,
    period_start timestamp with time zone NOT NULL,
    period_end timestamp with time zone NOT NULL,
    next_bill_at timestamp with time zone,
    bill_error text,
    bill_try_count integer DEFAULT 0 NOT NULL,
    bill_retry_at timestamp with time zone,
    cancel_at_period_end boolean DEFAULT false NOT NULL,
    ends_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT subscriptions_check CHECK ((period_end > period_start)),
    CONSTRAINT subscriptions_check1 CHECK (((bill_error IS NULL) = (bill_retry_at IS NULL))),
    CONSTRAINT subscriptions_check2 CHECK (((ends_at IS NOT NULL) OR ((status = 'active'::text) AND (NOT cancel_at_period_end)))),
    CONSTRAINT subscriptions_period_index_check CHECK ((period_index >= 0)),
    CONSTRAINT subscriptions_status_check CHECK ((status = ANY (ARRAY['active'::text, 'canceled'::text])))
);
CREATE TABLE public.test_clocks (
    test_clock_id uuid NOT NULL,
    name text NOT NULL,
    now_at timestamp with time zone NOT NULL,
    target_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT test_clocks_check CHECK ((target_at >= now_at))
);
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
CREATE TABLE public.usage_fold (
    one boolean DEFAULT true NOT NULL,
    upto xid8 NOT NULL,
    CONSTRAINT usage_fold_one_check CHECK (one)
);
CREATE TABLE public.usage_totals (
    account_id uuid NOT NULL,
    meter_id uuid NOT NULL,
    hour timestamp with time zone NOT NULL,
    quantity numeric NOT NULL,
    event_count bigint NOT NULL
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
ALTER TABLE ONLY public.usage_events ATTACH PARTITION public.usage_events_0 FOR VALUES WITH (modulus 8, remainder 0);
ALTER TABLE ONLY public.usage_events ATTACH PARTITION public.usage_events_1 FOR VALUES WITH (modulus 8, remainder 1);
ALTER TABLE ONLY public.usage_events ATTACH PARTITION public.usage_events_2 FOR VALUES WITH (modulus 8, remainder 2);
ALTER TABLE ONLY public.usage_events ATTACH PARTITION public.usage_events_3 FOR VALUES WITH (modulus 8, remainder 3);
ALTER TABLE ONLY public.usage_events ATTACH PARTITION public.usage_events_4 FOR VALUES WITH (modulus 8, remainder 4);
ALTER TABLE ONLY public.usage_events ATTACH PARTITION public.usage_events_5 FOR VALUES WITH (modulus 8, remainder 5);
ALTER TABLE ONLY public.usage_events ATTACH PARTITION public.usage_events_6 FOR VALUES WITH (modulus 8, remainder 6);
ALTER TABLE ONLY public.usage_events ATTACH PARTITION public.usage_events_7 FOR VALUES WITH (modulus 8, remainder 7);
ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_external_id_key UNIQUE (external_id);
ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (account_id);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_key_hash_key UNIQUE (key_hash);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (api_key_id);
ALTER TABLE ONLY public.billing_audit
    ADD CONSTRAINT billing_audit_pkey PRIMARY KEY (account_id, audit_id);
ALTER TABLE ONLY public.gateway_customers
    ADD CONSTRAINT gateway_customers_pkey PRIMARY KEY (account_id, gateway);
ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (account_id, caller, key);
ALTER TABLE ONLY public.invoice_lines
    ADD CONSTRAINT invoice_lines_account_id_invoice_id_position_key UNIQUE (account_id, invoice_id, "position");
ALTER TABLE ONLY public.invoice_lines
    ADD CONSTRAINT invoice_lines_pkey PRIMARY KEY (account_id, invoice_id, invoice_line_id);
ALTER TABLE ONLY public.invoice_pdfs
    ADD CONSTRAINT invoice_pdfs_pkey PRIMARY KEY (account_id, invoice_id);
ALTER TABLE ONLY public.invoice_series
    ADD CONSTRAINT invoice_series_pkey PRIMARY KEY (series);
ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_account_id_number_key UNIQUE (account_id, number);
ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_account_id_subscription_id_period_start_key UNIQUE (account_id, subscription_id, period_start);
ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_pkey PRIMARY KEY (account_id, invoice_id);
ALTER TABLE ONLY public.ledger_balances
    ADD CONSTRAINT ledger_balances_pkey PRIMARY KEY (account_id, ledger_account, unit);
ALTER TABLE ONLY public.ledger_entries
    ADD CONSTRAINT ledger_entries_account_id_idempotency_key_key UNIQUE (account_id, idempotency_key);
ALTER TABLE ONLY public.ledger_entries
    ADD CONSTRAINT ledger_entries_pkey PRIMARY KEY (account_id, ledger_entry_id);
ALTER TABLE ONLY public.ledger_postings
    ADD CONSTRAINT ledger_postings_pkey PRIMARY KEY (account_id, ledger_entry_id, line);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_pkey PRIMARY KEY (account_id, user_id);
ALTER TABLE ONLY public.meters
    ADD CONSTRAINT meters_code_key UNIQUE (code);
ALTER TABLE ONLY public.meters
    ADD CONSTRAINT meters_pkey PRIMARY KEY (meter_id);
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
ALTER TABLE ONLY public.payment_methods
    ADD CONSTRAINT payment_methods_account_id_gateway_token_key UNIQUE (account_id, gateway, token);
ALTER TABLE ONLY public.payment_methods
    ADD CONSTRAINT payment_methods_pkey PRIMARY KEY (account_id, payment_method_id);
ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_account_id_request_key_key UNIQUE (account_id, request_key);
ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_pkey PRIMARY KEY (account_id, payment_id);
ALTER TABLE ONLY public.plan_versions
    ADD CONSTRAINT plan_versions_pkey PRIMARY KEY (plan_version_id);
ALTER TABLE ONLY public.plan_versions
    ADD CONSTRAINT plan_versions_plan_id_version_key UNIQUE (plan_id, version);
ALTER TABLE ONLY public.plans
    ADD CONSTRAINT plans_code_key UNIQUE (code);
ALTER TABLE ONLY public.plans
    ADD CONSTRAINT plans_pkey PRIMARY KEY (plan_id);
ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (token_hash);
ALTER TABLE ONLY public.subscriptions
    ADD CONSTRAINT subscriptions_pkey PRIMARY KEY (account_id, subscription_id);
ALTER TABLE ONLY public.test_clocks
    ADD CONSTRAINT test_clocks_pkey PRIMARY KEY (test_clock_id);
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
ALTER TABLE ONLY public.usage_fold
    ADD CONSTRAINT usage_fold_pkey PRIMARY KEY (one);
ALTER TABLE ONLY public.usage_totals
    ADD CONSTRAINT usage_totals_pkey PRIMARY KEY (account_id, meter_id, hour);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_external_id_key UNIQUE (external_id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (user_id);
ALTER TABLE ONLY public.webhook_inbox
    ADD CONSTRAINT webhook_inbox_pkey PRIMARY KEY (gateway, event_id);
CREATE INDEX accounts_by_test_clock ON public.accounts USING btree (test_clock_id) WHERE (test_clock_id IS NOT NULL);
CREATE INDEX accounts_by_time ON public.accounts USING btree (created_at DESC, account_id DESC);
CREATE INDEX api_keys_by_time ON public.api_keys USING btree (created_at DESC, api_key_id DESC);
CREATE INDEX billing_audit_by_id ON public.billing_audit USING btree (audit_id);
CREATE UNIQUE INDEX gateway_customers_by_token ON public.gateway_customers USING btree (gateway, token);
CREATE INDEX idempotency_keys_by_age ON public.idempotency_keys USING btree (claimed_at);
CREATE INDEX invoices_by_time ON public.invoices USING btree (account_id, created_at DESC, invoice_id DESC);
CREATE INDEX ledger_entries_by_time ON public.ledger_entries USING btree (account_id, at DESC, ledger_entry_id DESC);
CREATE INDEX memberships_by_user ON public.memberships USING btree (user_id);
CREATE INDEX meters_by_event_type ON public.meters USING btree (event_type);
CREATE INDEX outbox_due ON public.outbox USING btree (deliver_after);
CREATE INDEX payment_attempts_by_reference ON public.payment_attempts USING btree (gateway, gateway_reference);
CREATE INDEX payment_attempts_due ON public.payment_attempts USING btree (resolve_after) WHERE (outcome = ANY (ARRAY['created'::text, 'needs_action'::text, 'pending'::text, 'unknown'::text]));
CREATE UNIQUE INDEX payment_attempts_live ON public.payment_attempts USING btree (account_id, payment_id) WHERE (outcome = ANY (ARRAY['created'::text, 'needs_action'::text, 'pending'::text, 'unknown'::text]));
CREATE UNIQUE INDEX payment_methods_default ON public.payment_methods USING btree (account_id) WHERE (is_default AND (status = 'active'::text));
CREATE INDEX payments_by_time ON public.payments USING btree (account_id, created_at DESC, payment_id DESC);
CREATE INDEX payments_due ON public.payments USING btree (next_attempt_at) WHERE (next_attempt_at IS NOT NULL);
CREATE UNIQUE INDEX payments_live ON public.payments USING btree (account_id, invoice_id) WHERE ((status = ANY (ARRAY['pending'::text, 'pending_approval'::text, 'processing'::text])) AND (invoice_id IS NOT NULL));
CREATE INDEX sessions_by_user ON public.sessions USING btree (user_id);
CREATE UNIQUE INDEX subscriptions_active ON public.subscriptions USING btree (account_id) WHERE (status = 'active'::text);
CREATE INDEX subscriptions_due ON public.subscriptions USING btree (next_bill_at, subscription_id) WHERE (next_bill_at IS NOT NULL);
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
CREATE UNIQUE INDEX users_by_email ON public.users USING btree (email);
CREATE INDEX webhook_inbox_due ON public.webhook_inbox USING btree (process_after) WHERE (process_after IS NOT NULL);
CREATE INDEX webhook_inbox_parked ON public.webhook_inbox USING btree (gateway, customer_token) WHERE ((status = 'parked'::text) AND (customer_token IS NOT NULL));
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
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.invoice_lines FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.ledger_entries FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.ledger_postings FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.plan_versions FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.usage_events FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.billing_audit FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.invoice_lines FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.ledger_entries FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.ledger_postings FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.plan_versions FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.usage_events FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.accounts FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.api_keys FOR EACH ROW EXECUTE FUNCTION public.write_audit('key_hash');
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.gateway_customers FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.invoices FOR EACH ROW EXECUTE FUNCTION public.write_audit('document');
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.memberships FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.meters FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.payment_attempts FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.payment_methods FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.payments FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.plan_versions FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.plans FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.sessions FOR EACH ROW EXECUTE FUNCTION public.write_audit('token_hash');
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.subscriptions FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.test_clocks FOR EACH ROW EXECUTE FUNCTION public.write_audit();
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.users FOR EACH ROW EXECUTE FUNCTION public.write_audit('password_hash');
CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON public.ledger_entries DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.refuse_unbalanced();
CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON public.ledger_postings DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.refuse_unbalanced();
CREATE TRIGGER final BEFORE INSERT ON public.invoice_lines FOR EACH ROW EXECUTE FUNCTION public.refuse_line_of_final();
CREATE TRIGGER final BEFORE DELETE OR UPDATE ON public.invoices FOR EACH ROW EXECUTE FUNCTION public.refuse_edit_of_final();
CREATE TRIGGER wakes_worker AFTER INSERT ON public.outbox FOR EACH STATEMENT EXECUTE FUNCTION public.wake_worker();
CREATE TRIGGER wakes_worker AFTER INSERT ON public.payments FOR EACH STATEMENT EXECUTE FUNCTION public.wake_worker();
CREATE TRIGGER wakes_worker AFTER INSERT OR UPDATE ON public.test_clocks FOR EACH STATEMENT EXECUTE FUNCTION public.wake_worker();
CREATE TRIGGER wakes_worker AFTER INSERT ON public.webhook_inbox FOR EACH STATEMENT EXECUTE FUNCTION public.wake_worker();
ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_test_clock_id_fkey FOREIGN KEY (test_clock_id) REFERENCES public.test_clocks(test_clock_id);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.gateway_customers
    ADD CONSTRAINT gateway_customers_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.invoice_lines
    ADD CONSTRAINT invoice_lines_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);
ALTER TABLE ONLY public.invoice_pdfs
    ADD CONSTRAINT invoice_pdfs_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);
ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_account_id_subscription_id_fkey FOREIGN KEY (account_id, subscription_id) REFERENCES public.subscriptions(account_id, subscription_id);
ALTER TABLE ONLY public.ledger_postings
    ADD CONSTRAINT ledger_postings_account_id_ledger_entry_id_fkey FOREIGN KEY (account_id, ledger_entry_id) REFERENCES public.ledger_entries(account_id, ledger_entry_id);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(user_id);
ALTER TABLE ONLY public.payment_attempts
    ADD CONSTRAINT payment_attempts_account_id_payment_id_fkey FOREIGN KEY (account_id, payment_id) REFERENCES public.payments(account_id, payment_id);
ALTER TABLE ONLY public.payment_methods
    ADD CONSTRAINT payment_methods_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);
ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_account_id_payment_method_id_fkey FOREIGN KEY (account_id, payment_method_id) REFERENCES public.payment_methods(account_id, payment_method_id);
ALTER TABLE ONLY public.plan_versions
    ADD CONSTRAINT plan_versions_plan_id_fkey FOREIGN KEY (plan_id) REFERENCES public.plans(plan_id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(user_id);
ALTER TABLE ONLY public.subscriptions
    ADD CONSTRAINT subscriptions_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);
ALTER TABLE ONLY public.subscriptions
    ADD CONSTRAINT subscriptions_plan_version_id_fkey FOREIGN KEY (plan_version_id) REFERENCES public.plan_versions(plan_version_id);
ALTER TABLE ONLY public.usage_totals
    ADD CONSTRAINT usage_totals_meter_id_fkey FOREIGN KEY (meter_id) REFERENCES public.meters(meter_id);
ALTER TABLE public.accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.billing_audit ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.gateway_customers ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.invoice_lines ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.invoice_pdfs ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.invoices ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.ledger_balances ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.ledger_entries ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.ledger_postings ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.memberships ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.outbox_done ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON public.accounts TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.billing_audit TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.gateway_customers TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.idempotency_keys TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.invoice_lines TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.invoice_pdfs TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.invoices TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.ledger_balances TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.ledger_entries TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.ledger_postings TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.memberships TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.outbox TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.outbox_done TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.payment_attempts TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.payment_methods TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.payments TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.subscriptions TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.usage_events TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
CREATE POLICY own_rows ON public.usage_totals TO tallystick_account USING ((account_id = public.current_account_id())) WITH CHECK ((account_id = public.current_account_id()));
ALTER TABLE public.payment_attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.payment_methods ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.payments ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.subscriptions ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_totals ENABLE ROW LEVEL SECURITY;
GRANT USAGE ON SCHEMA public TO tallystick_account;
GRANT USAGE ON SCHEMA public TO tallystick_staff;
GRANT USAGE ON SCHEMA public TO tallystick_writer;
GRANT SELECT,UPDATE ON TABLE public.accounts TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.accounts TO tallystick_writer;
GRANT SELECT ON TABLE public.accounts TO tallystick_staff;
GRANT SELECT,INSERT,UPDATE ON TABLE public.api_keys TO tallystick_writer;
GRANT SELECT ON TABLE public.billing_audit TO tallystick_account;
GRANT SELECT ON TABLE public.billing_audit TO tallystick_writer;
GRANT SELECT ON TABLE public.billing_audit TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.gateway_customers TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.gateway_customers TO tallystick_writer;
GRANT SELECT ON TABLE public.gateway_customers TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.idempotency_keys TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.idempotency_keys TO tallystick_writer;
GRANT SELECT ON TABLE public.idempotency_keys TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.invoice_lines TO tallystick_account;
GRANT SELECT,INSERT ON TABLE public.invoice_lines TO tallystick_writer;
GRANT SELECT ON TABLE public.invoice_lines TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invoice_pdfs TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invoice_pdfs TO tallystick_writer;
GRANT SELECT ON TABLE public.invoice_pdfs TO tallystick_staff;
GRANT SELECT,INSERT,UPDATE ON TABLE public.invoice_series TO tallystick_writer;
GRANT SELECT ON TABLE public.invoice_series TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invoices TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invoices TO tallystick_writer;
GRANT SELECT ON TABLE public.invoices TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.ledger_balances TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.ledger_balances TO tallystick_writer;
GRANT SELECT ON TABLE public.ledger_balances TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.ledger_entries TO tallystick_account;
GRANT SELECT,INSERT ON TABLE public.ledger_entries TO tallystick_writer;
GRANT SELECT ON TABLE public.ledger_entries TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.ledger_postings TO tallystick_account;
GRANT SELECT,INSERT ON TABLE public.ledger_postings TO tallystick_writer;
GRANT SELECT ON TABLE public.ledger_postings TO tallystick_staff;
GRANT SELECT ON TABLE public.memberships TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.memberships TO tallystick_writer;
GRANT SELECT ON TABLE public.memberships TO tallystick_staff;
GRANT SELECT ON TABLE public.meters TO tallystick_account;
GRANT SELECT ON TABLE public.meters TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.meters TO tallystick_writer;
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
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payment_methods TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payment_methods TO tallystick_writer;
GRANT SELECT ON TABLE public.payment_methods TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payments TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.payments TO tallystick_writer;
GRANT SELECT ON TABLE public.payments TO tallystick_staff;
GRANT SELECT ON TABLE public.plan_versions TO tallystick_account;
GRANT SELECT ON TABLE public.plan_versions TO tallystick_staff;
GRANT SELECT,INSERT ON TABLE public.plan_versions TO tallystick_writer;
GRANT SELECT ON TABLE public.plans TO tallystick_account;
GRANT SELECT ON TABLE public.plans TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.plans TO tallystick_writer;
GRANT SELECT ON TABLE public.schema_migrations TO tallystick_writer;
GRANT SELECT ON TABLE public.schema_migrations TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.sessions TO tallystick_writer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.subscriptions TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.subscriptions TO tallystick_writer;
GRANT SELECT ON TABLE public.subscriptions TO tallystick_staff;
GRANT SELECT ON TABLE public.test_clocks TO tallystick_account;
GRANT SELECT ON TABLE public.test_clocks TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.test_clocks TO tallystick_writer;
GRANT SELECT,INSERT ON TABLE public.usage_events TO tallystick_account;
GRANT SELECT,INSERT ON TABLE public.usage_events TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_events TO tallystick_staff;
GRANT SELECT ON TABLE public.usage_fold TO tallystick_account;
GRANT SELECT ON TABLE public.usage_fold TO tallystick_staff;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_fold TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_totals TO tallystick_account;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_totals TO tallystick_writer;
GRANT SELECT ON TABLE public.usage_totals TO tallystick_staff;
GRANT SELECT,INSERT,UPDATE ON TABLE public.users TO tallystick_writer;
GRANT SELECT,INSERT,UPDATE ON TABLE public.webhook_inbox TO tallystick_writer;
GRANT SELECT ON TABLE public.webhook_inbox TO tallystick_staff;
