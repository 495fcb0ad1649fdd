CREATE TABLE invoices (
    account_id uuid NOT NULL REFERENCES accounts,
    invoice_id uuid NOT NULL,
    number text,
    -- In whose name it was issued; NULL until then.
    issuer_id uuid REFERENCES issuers,
    status text NOT NULL CHECK (status IN ('draft', 'open', 'paid', 'void', 'uncollectible')),
    currency char(3) NOT NULL,
    subtotal_minor bigint NOT NULL,
    tax_minor bigint NOT NULL,
    total_minor bigint NOT NULL,
    paid_minor bigint NOT NULL DEFAULT 0 CHECK (paid_minor BETWEEN 0 AND total_minor),
    -- What its credit notes come to, and how much of that came off what is due.
    credited_minor bigint NOT NULL DEFAULT 0 CHECK (credited_minor BETWEEN 0 AND total_minor),
    offset_minor bigint NOT NULL DEFAULT 0 CHECK (offset_minor BETWEEN 0 AND credited_minor),
    -- Whose bills it is for (`invoice_bills` says which ones): several of an account, one, or none.
    subscription_ids uuid[] NOT NULL DEFAULT '{}',
    period_start timestamptz,
    period_end timestamptz,
    issued_at timestamptz,
    due_at timestamptz,
    paid_at timestamptz,
    -- What a draft says otherwise than its account; on a final invoice all that it says.
    terms jsonb NOT NULL DEFAULT '{}',
    -- When a draft becomes final by itself; NULL: when somebody says so.
    finalize_at timestamptz,
    -- All that the invoice says, as it was when it was finalized.
    document jsonb,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, invoice_id),
    UNIQUE (issuer_id, number),
    CHECK (total_minor = subtotal_minor + tax_minor),
    CHECK ((status = 'draft') = (number IS NULL)),
    CHECK ((number IS NULL) = (issuer_id IS NULL)),
    CHECK (status = 'draft' OR finalize_at IS NULL),
    CHECK (status <> 'paid' OR paid_minor + offset_minor = total_minor),
    CHECK (paid_minor + offset_minor <= total_minor),
    -- Nobody gets back what was not paid.
    CHECK (credited_minor - offset_minor <= paid_minor)
);
CREATE INDEX invoices_by_time ON invoices (account_id, created_at DESC, invoice_id DESC);
CREATE INDEX invoices_to_finalize ON invoices (finalize_at) WHERE finalize_at IS NOT NULL;
-- Few at any time: what staff count and what is not owed yet.
CREATE INDEX invoices_drafts ON invoices (account_id) WHERE status = 'draft';
CALL protect_tenant_table('invoices');
CALL audit_table('invoices', 'document');

-- One bill of a subscription is invoiced once, however often a billing run is begun again.
CREATE TABLE invoice_bills (
    account_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    bill_index integer NOT NULL CHECK (bill_index >= 0),
    invoice_id uuid NOT NULL,
    -- The subscription as it stood before the step that a grace period left on a draft: what the
    -- draft is made from again. NULL: it was issued at once.
    drafted_from jsonb,
    PRIMARY KEY (account_id, subscription_id, bill_index),
    FOREIGN KEY (account_id, subscription_id) REFERENCES subscriptions,
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices
);
CALL protect_tenant_table('invoice_bills');

-- What billed it stays what billed it, unless that invoice is void: then another one may. Of a
-- draft that comes to nothing, and is not issued for that, it may go.
CREATE FUNCTION refuse_move_of_bill() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER kept BEFORE UPDATE OR DELETE ON invoice_bills
    FOR EACH ROW EXECUTE FUNCTION refuse_move_of_bill();
REVOKE UPDATE, DELETE ON invoice_bills FROM tallystick_account;

CREATE TABLE invoice_lines (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    invoice_line_id uuid NOT NULL,
    position integer NOT NULL CHECK (position >= 1),
    kind text NOT NULL CHECK (kind IN ('subscription', 'usage', 'adjustment', 'minimum', 'maximum',
                                       'one_off',
                                       'credit_purchase', 'proration', 'discount')),
    description text NOT NULL,
    price_code text,
    meter_code text,
    quantity numeric NOT NULL,
    unit text,
    period_start timestamptz,
    period_end timestamptz,
    amount_minor bigint NOT NULL,
    -- The inputs and steps from which the amount can be computed again, to the same cent.
    derivation jsonb NOT NULL,
    -- NULL: it belongs to no subscription, such as credit that is taken off.
    subscription_id uuid,
    PRIMARY KEY (account_id, invoice_id, invoice_line_id),
    UNIQUE (account_id, invoice_id, position),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices
);
CALL protect_tenant_table('invoice_lines');
CALL make_append_only('invoice_lines');
DROP TRIGGER append_only ON invoice_lines;
GRANT DELETE ON invoice_lines TO tallystick_writer;
-- The lines of a draft may go; no line ever changes.
CREATE FUNCTION refuse_change_of_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND 'draft' = (SELECT status FROM invoices
            WHERE account_id = OLD.account_id AND invoice_id = OLD.invoice_id) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'invoice_lines is append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON invoice_lines
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_line();

-- What was said can not be unsaid: once finalized, only the state of payment moves.
CREATE FUNCTION refuse_edit_of_final() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER final BEFORE UPDATE OR DELETE ON invoices
    FOR EACH ROW EXECUTE FUNCTION refuse_edit_of_final();

-- Lines enter with their invoice, never afterwards: into a draft, or in the statement that writes
-- the invoice. (STABLE: it does not see what that statement writes, only what was there before.)
CREATE FUNCTION refuse_line_of_final() RETURNS trigger LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF (SELECT status FROM invoices
        WHERE account_id = NEW.account_id AND invoice_id = NEW.invoice_id) <> 'draft' THEN
        RAISE EXCEPTION 'the invoice is final' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER final BEFORE INSERT ON invoice_lines
    FOR EACH ROW EXECUTE FUNCTION refuse_line_of_final();

-- How it was closed without being paid, or opened again: why, by whom, what was due then.
CREATE TABLE invoice_closings (
    account_id uuid NOT NULL,
    invoice_closing_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('void', 'write_off', 'reopen')),
    amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
    reason text NOT NULL CHECK (reason <> ''),
    actor text NOT NULL,
    -- The invoice that bills the same anew.
    replaced_by uuid,
    closed_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, invoice_closing_id),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices,
    FOREIGN KEY (account_id, replaced_by) REFERENCES invoices
);
CREATE INDEX invoice_closings_by_invoice ON invoice_closings (account_id, invoice_id);
CALL protect_tenant_table('invoice_closings');
REVOKE INSERT, UPDATE, DELETE ON invoice_closings FROM tallystick_account;
CALL make_append_only('invoice_closings');

-- Drawn on first read; `source` is the hash of what it was drawn from.
CREATE TABLE invoice_files (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    form text NOT NULL CHECK (form IN ('pdf', 'facturx', 'cii', 'ubl', 'peppol')),
    source bytea NOT NULL,
    etag text NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (account_id, invoice_id, form),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices
);
ALTER TABLE invoice_files ALTER COLUMN content SET STORAGE EXTERNAL;
CALL protect_tenant_table('invoice_files');

-- What an invoice gave back beyond what it billed: later ones take it off, a refund waits for staff.
-- What it carried, for it was too little to ask for: the next one bills it.
CREATE TABLE invoice_adjustments (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    currency char(3) NOT NULL,
    kind text NOT NULL CHECK (kind IN ('credit', 'refund', 'carried')),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    left_minor bigint NOT NULL CHECK (left_minor BETWEEN 0 AND amount_minor),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, invoice_id),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices
);
CREATE INDEX invoice_adjustments_open ON invoice_adjustments (account_id, currency)
    WHERE left_minor > 0;
CALL protect_tenant_table('invoice_adjustments');
CALL audit_table('invoice_adjustments');

-- What of them an invoice took off or billed; it is given back when the invoice is void.
CREATE TABLE invoice_adjustment_uses (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    source_invoice_id uuid NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    PRIMARY KEY (account_id, invoice_id, source_invoice_id),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices,
    FOREIGN KEY (account_id, source_invoice_id) REFERENCES invoice_adjustments
);
CALL protect_tenant_table('invoice_adjustment_uses');
CALL make_append_only('invoice_adjustment_uses');

-- What credit notes left an account for its later invoices, tax included; the id is the note's.
CREATE TABLE customer_credits (
    account_id uuid NOT NULL REFERENCES accounts,
    customer_credit_id uuid NOT NULL,
    number text NOT NULL,
    currency char(3) NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    left_minor bigint NOT NULL CHECK (left_minor BETWEEN 0 AND amount_minor),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, customer_credit_id)
);
CREATE INDEX customer_credits_open ON customer_credits (account_id, currency) WHERE left_minor > 0;
CALL protect_tenant_table('customer_credits');
CALL audit_table('customer_credits');

CREATE TABLE customer_credit_uses (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    customer_credit_id uuid NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    used_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, invoice_id, customer_credit_id),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices,
    FOREIGN KEY (account_id, customer_credit_id) REFERENCES customer_credits
);
CALL protect_tenant_table('customer_credit_uses');
CALL make_append_only('customer_credit_uses');
