-- Mails with documents: what waits to be sent, and what became of it.

CREATE TABLE mails (
    account_id uuid NOT NULL,
    mail_id uuid NOT NULL,
    -- What it is about: an invoice, or a card that expires.
    invoice_id uuid,
    payment_method_id uuid,
    -- Why it is sent, once for each: because the invoice was issued, or at somebody's request.
    request_key text NOT NULL,
    addresses text[] NOT NULL CHECK (cardinality(addresses) <= 10),
    status text NOT NULL CHECK (status IN ('waiting', 'sending', 'sent', 'failed')),
    -- Names the lease of whoever sends it.
    try_count integer NOT NULL DEFAULT 0,
    try_after timestamptz NOT NULL,
    error text,
    created_at timestamptz NOT NULL,
    sent_at timestamptz,
    PRIMARY KEY (account_id, mail_id),
    UNIQUE (account_id, invoice_id, request_key),
    UNIQUE (account_id, payment_method_id, request_key),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices,
    FOREIGN KEY (account_id, payment_method_id) REFERENCES payment_methods,
    CHECK (num_nonnulls(invoice_id, payment_method_id) = 1),
    CHECK ((status = 'sent') = (sent_at IS NOT NULL))
);
CREATE INDEX mails_due ON mails (try_after) WHERE status IN ('waiting', 'sending');
CREATE INDEX mails_by_time ON mails (created_at DESC, mail_id DESC);
CALL protect_tenant_table('mails');
-- Who asked for it; what becomes of it is in the row.
CREATE TRIGGER audited AFTER INSERT ON mails FOR EACH ROW EXECUTE FUNCTION write_audit();
