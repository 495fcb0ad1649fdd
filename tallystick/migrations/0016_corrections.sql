-- Corrections of usage: who took which event out or put which in, why, and what it did to invoices.

-- One row for each event that was amended, reversed or backfilled. The versions of an event are a
-- chain from the sender's own one (`root_key`) on; `key` was taken out, `new_key` put in.
CREATE TABLE usage_corrections (
    account_id uuid NOT NULL REFERENCES accounts,
    usage_correction_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('amend', 'reverse', 'backfill')),
    root_key uuid NOT NULL,
    position integer NOT NULL CHECK (position >= 1),
    key uuid,
    new_key uuid,
    -- The sender's names of the event, whatever the version.
    source text NOT NULL,
    event_id text NOT NULL,
    -- What the event said before and after: type, at, properties.
    old jsonb,
    new jsonb,
    reason text NOT NULL,
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    request_id text NOT NULL,
    corrected_at timestamptz NOT NULL,
    -- The lines of issued invoices whose usage it changed, as they were shown.
    effect jsonb NOT NULL,
    PRIMARY KEY (account_id, usage_correction_id),
    UNIQUE (account_id, root_key, position),
    -- A version is taken out once, and comes from one correction.
    UNIQUE (account_id, key),
    UNIQUE (account_id, new_key),
    CHECK ((kind = 'backfill') = (key IS NULL)),
    CHECK ((kind = 'reverse') = (new_key IS NULL)),
    CHECK ((key IS NULL) = (old IS NULL) AND (new_key IS NULL) = (new IS NULL))
);
CREATE INDEX usage_corrections_newest
    ON usage_corrections (corrected_at DESC, usage_correction_id DESC);
CALL protect_tenant_table('usage_corrections');
CALL make_append_only('usage_corrections');
REVOKE INSERT ON usage_corrections FROM tallystick_account;

-- Issued invoices the usage of whose period changed afterwards, by meter: what the next run rates
-- again. `changed_since` is when that was noted first, `changed_at` last.
CREATE TABLE invoice_usage_changes (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    meter_code text NOT NULL,
    subscription_id uuid NOT NULL,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    changed_since timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, invoice_id, subscription_id, meter_code),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices
);
CREATE INDEX invoice_usage_changes_by_end ON invoice_usage_changes (period_end, account_id);
CALL protect_tenant_table('invoice_usage_changes');
REVOKE INSERT, UPDATE, DELETE ON invoice_usage_changes FROM tallystick_account;
