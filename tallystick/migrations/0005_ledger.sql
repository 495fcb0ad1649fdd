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
CREATE INDEX ledger_entries_by_time ON ledger_entries (account_id, at DESC, ledger_entry_id DESC);
CALL protect_tenant_table('ledger_entries');
CALL make_append_only('ledger_entries');

-- A positive amount is a debit, a negative one a credit. `balance_after` on customer accounts.
CREATE TABLE ledger_postings (
    account_id uuid NOT NULL,
    ledger_entry_id uuid NOT NULL,
    line smallint NOT NULL,
    ledger_account text NOT NULL,
    unit text NOT NULL,
    amount bigint NOT NULL CHECK (amount <> 0),
    balance_after bigint,
    PRIMARY KEY (account_id, ledger_entry_id, line),
    FOREIGN KEY (account_id, ledger_entry_id) REFERENCES ledger_entries
);
CALL protect_tenant_table('ledger_postings');
CALL make_append_only('ledger_postings');

-- Only the ledger accounts of a customer; house accounts would be one hot row each.
CREATE TABLE ledger_balances (
    account_id uuid NOT NULL,
    ledger_account text NOT NULL CHECK (ledger_account IN ('receivable', 'prepaid')),
    unit text NOT NULL,
    balance bigint NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (account_id, ledger_account, unit),
    -- Prepaid money is ours to hand back: a credit balance, so it may fall to zero, not beyond.
    CHECK (ledger_account <> 'prepaid' OR balance <= 0)
);
CALL protect_tenant_table('ledger_balances');

CREATE FUNCTION refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON ledger_entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_unbalanced();
CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON ledger_postings
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_unbalanced();
