-- Credit notes: numbered documents that lower an invoice already issued, and what becomes of them.

CREATE TABLE credit_notes (
    account_id uuid NOT NULL,
    credit_note_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    issuer_id uuid NOT NULL REFERENCES issuers,
    number text NOT NULL,
    status text NOT NULL CHECK (status IN ('issued', 'void')),
    reason text NOT NULL CHECK (reason IN ('duplicate', 'product_unsatisfactory', 'order_change',
                                           'fraudulent', 'late_usage', 'other')),
    text text NOT NULL,
    currency char(3) NOT NULL,
    subtotal_minor bigint NOT NULL CHECK (subtotal_minor >= 0),
    tax_minor bigint NOT NULL CHECK (tax_minor >= 0),
    total_minor bigint NOT NULL CHECK (total_minor > 0),
    -- Off what is due, kept for later invoices, to be paid back.
    offset_minor bigint NOT NULL CHECK (offset_minor >= 0),
    credit_minor bigint NOT NULL CHECK (credit_minor >= 0),
    refund_minor bigint NOT NULL CHECK (refund_minor >= 0),
    -- The intent behind it, where a machine asked: it is done once.
    request_key text,
    document jsonb NOT NULL,
    issued_at timestamptz NOT NULL,
    voided_at timestamptz,
    PRIMARY KEY (account_id, credit_note_id),
    UNIQUE (issuer_id, number),
    UNIQUE (account_id, request_key),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices,
    CHECK (total_minor = subtotal_minor + tax_minor),
    CHECK (total_minor = offset_minor + credit_minor + refund_minor),
    CHECK ((status = 'void') = (voided_at IS NOT NULL))
);
CREATE INDEX credit_notes_by_time ON credit_notes (account_id, issued_at DESC, credit_note_id DESC);
CREATE INDEX credit_notes_of_invoice ON credit_notes (account_id, invoice_id);
CALL protect_tenant_table('credit_notes');
CALL audit_table('credit_notes', 'document');

-- A note is final: it becomes void, once, and nothing else of it changes.
CREATE FUNCTION refuse_edit_of_note() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER final BEFORE UPDATE OR DELETE ON credit_notes
    FOR EACH ROW EXECUTE FUNCTION refuse_edit_of_note();

CREATE TABLE credit_note_lines (
    account_id uuid NOT NULL,
    credit_note_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    invoice_line_id uuid NOT NULL,
    position integer NOT NULL,
    description text NOT NULL,
    quantity numeric CHECK (quantity > 0),
    -- As the invoice's line says it, and after its share of discounts.
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    net_minor bigint NOT NULL CHECK (net_minor >= 0),
    PRIMARY KEY (account_id, credit_note_id, invoice_line_id),
    FOREIGN KEY (account_id, credit_note_id) REFERENCES credit_notes,
    FOREIGN KEY (account_id, invoice_id, invoice_line_id) REFERENCES invoice_lines
);
CALL protect_tenant_table('credit_note_lines');
CALL make_append_only('credit_note_lines');

CREATE TABLE credit_note_taxes (
    account_id uuid NOT NULL,
    credit_note_id uuid NOT NULL,
    -- Which of the invoice's taxes it is, from 0.
    place integer NOT NULL,
    name text NOT NULL,
    percent numeric NOT NULL,
    base_minor bigint NOT NULL CHECK (base_minor >= 0),
    amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
    PRIMARY KEY (account_id, credit_note_id, place),
    FOREIGN KEY (account_id, credit_note_id) REFERENCES credit_notes
);
CALL protect_tenant_table('credit_note_taxes');
CALL make_append_only('credit_note_taxes');

-- Drawn on first read; `source` is the hash of what it was drawn from.
CREATE TABLE credit_note_files (
    account_id uuid NOT NULL,
    credit_note_id uuid NOT NULL,
    form text NOT NULL CHECK (form IN ('pdf', 'facturx', 'cii', 'ubl', 'peppol')),
    source bytea NOT NULL,
    etag text NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (account_id, credit_note_id, form),
    FOREIGN KEY (account_id, credit_note_id) REFERENCES credit_notes
);
ALTER TABLE credit_note_files ALTER COLUMN content SET STORAGE EXTERNAL;
CALL protect_tenant_table('credit_note_files');

-- What notes took of each line so far: never more than the line, whoever writes at the same time.
CREATE TABLE credited_lines (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    invoice_line_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    net_minor bigint NOT NULL CHECK (net_minor BETWEEN 0 AND amount_minor),
    credited_minor bigint NOT NULL CHECK (credited_minor BETWEEN 0 AND amount_minor),
    credited_net_minor bigint NOT NULL CHECK (credited_net_minor BETWEEN 0 AND net_minor),
    credited_quantity numeric NOT NULL CHECK (credited_quantity >= 0),
    PRIMARY KEY (account_id, invoice_id, invoice_line_id),
    FOREIGN KEY (account_id, invoice_id, invoice_line_id) REFERENCES invoice_lines,
    -- The rest of a line takes the rest of its net: nothing is left behind.
    CHECK (credited_minor < amount_minor OR credited_net_minor = net_minor)
);
CALL protect_tenant_table('credited_lines');

CREATE TABLE credited_taxes (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    place integer NOT NULL,
    base_minor bigint NOT NULL,
    amount_minor bigint NOT NULL,
    credited_base_minor bigint NOT NULL CHECK (credited_base_minor BETWEEN 0 AND base_minor),
    credited_minor bigint NOT NULL CHECK (credited_minor BETWEEN 0 AND amount_minor),
    PRIMARY KEY (account_id, invoice_id, place),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices
);
CALL protect_tenant_table('credited_taxes');

-- The bound of each row is what the invoice says, not what the writer says it is.
CREATE FUNCTION refuse_other_line() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER of_invoice AFTER INSERT OR UPDATE ON credited_lines
    FOR EACH ROW EXECUTE FUNCTION refuse_other_line();

CREATE FUNCTION refuse_other_tax() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER of_invoice AFTER INSERT OR UPDATE ON credited_taxes
    FOR EACH ROW EXECUTE FUNCTION refuse_other_tax();

-- The wish to pay money back; who pays it back says so here.
CREATE TABLE refunds (
    account_id uuid NOT NULL,
    refund_id uuid NOT NULL,
    credit_note_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    currency char(3) NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    -- What of it was paid back so far, in one part or several.
    made_minor bigint NOT NULL DEFAULT 0 CHECK (made_minor BETWEEN 0 AND amount_minor),
    status text NOT NULL CHECK (status IN ('requested', 'processing', 'made', 'canceled')),
    -- Why a person has to see to it; NULL: nobody looked at it yet, or it is under way or done.
    problem text,
    made_through text,
    reference text,
    requested_at timestamptz NOT NULL,
    made_at timestamptz,
    PRIMARY KEY (account_id, refund_id),
    UNIQUE (account_id, credit_note_id),
    FOREIGN KEY (account_id, credit_note_id) REFERENCES credit_notes,
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices,
    CHECK ((status = 'made') = (made_at IS NOT NULL AND made_through IS NOT NULL)),
    CHECK ((status = 'made') = (made_minor = amount_minor)),
    CHECK (status <> 'canceled' OR made_minor = 0),
    CHECK (problem IS NULL OR status = 'requested')
);
CREATE INDEX refunds_of_invoice ON refunds (account_id, invoice_id);
CREATE INDEX refunds_requested ON refunds (requested_at)
    WHERE status IN ('requested', 'processing');
CREATE INDEX refunds_due ON refunds (requested_at)
    WHERE status = 'requested' AND problem IS NULL;
CALL protect_tenant_table('refunds');
CALL audit_table('refunds');
CREATE TRIGGER wakes_worker AFTER INSERT ON refunds
    FOR EACH STATEMENT EXECUTE FUNCTION wake_worker();

-- What was paid back, by hand or through a gateway; one that came back counts no longer.
CREATE TABLE refund_parts (
    account_id uuid NOT NULL,
    refund_part_id uuid NOT NULL,
    refund_id uuid NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    through text NOT NULL,
    reference text NOT NULL,
    made_at timestamptz NOT NULL,
    failed_at timestamptz,
    PRIMARY KEY (account_id, refund_part_id),
    FOREIGN KEY (account_id, refund_id) REFERENCES refunds
);
CREATE INDEX refund_parts_of_refund ON refund_parts (account_id, refund_id);
CALL protect_tenant_table('refund_parts');
CALL audit_table('refund_parts');

-- Money of an invoice that a bank took back, or asks about; a payment of several invoices has one
-- row for each, with one reference.
CREATE TABLE disputes (
    account_id uuid NOT NULL,
    dispute_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    -- Of which payment it is, as who told of it says.
    payment_id uuid,
    gateway text NOT NULL,
    reference text NOT NULL,
    -- A return can not be contested: it is lost as soon as it is told.
    kind text NOT NULL CHECK (kind IN ('dispute', 'return')),
    -- The reason that the bank gave.
    code text,
    currency char(3) NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    -- What of it the invoice got: never more than that is due again.
    paid_minor bigint NOT NULL CHECK (paid_minor BETWEEN 0 AND amount_minor),
    status text NOT NULL CHECK (status IN ('warning', 'opened', 'won', 'lost')),
    -- Until when the bank wants an answer.
    respond_by timestamptz,
    opened_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (account_id, dispute_id),
    UNIQUE (account_id, gateway, reference, invoice_id),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices,
    CHECK ((status IN ('warning', 'opened')) = (ended_at IS NULL))
);
CREATE INDEX disputes_by_time ON disputes (account_id, opened_at DESC, dispute_id DESC);
CREATE INDEX disputes_of_payment ON disputes (account_id, payment_id);
CALL protect_tenant_table('disputes');
CALL audit_table('disputes');
