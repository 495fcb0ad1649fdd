"""SQL of invoices that people write, until they are final."""

from datetime import datetime
from typing import Final
from uuid import UUID

from tallystick.invoices.model import InvoiceDraft
from tallystick.invoices.store import Issued
from tallystick.invoices.terms import encode as encode_terms
from tallystick.kernel.db import Connection

SET: Final = """
UPDATE invoices SET subtotal_minor = $3, tax_minor = $4, total_minor = $5, terms = $6,
    finalize_at = $7
WHERE account_id = $1 AND invoice_id = $2 AND status = 'draft' RETURNING invoice_id
"""
FINALIZE: Final = """
UPDATE invoices SET status = $3, number = $4, issued_at = $5, due_at = $6, paid_at = $7,
    document = $8, issuer_id = $9, terms = $10, subtotal_minor = $11, tax_minor = $12,
    total_minor = $13, finalize_at = NULL
WHERE account_id = $1 AND invoice_id = $2 AND status = 'draft' RETURNING invoice_id
"""
FINALIZE_AT: Final = "SELECT finalize_at FROM invoices WHERE account_id = $1 AND invoice_id = $2"
DELETE_LINES: Final = "DELETE FROM invoice_lines WHERE account_id = $1 AND invoice_id = $2"
DELETE: Final = """
DELETE FROM invoices WHERE account_id = $1 AND invoice_id = $2 AND status = 'draft'
RETURNING invoice_id
"""
# Those on no test clock, or on that one.
DUE: Final = """
SELECT i.account_id, i.invoice_id FROM invoices AS i JOIN accounts AS a USING (account_id)
WHERE i.finalize_at <= $1 AND i.status = 'draft' AND a.test_clock_id IS NOT DISTINCT FROM $2
ORDER BY i.finalize_at, i.invoice_id LIMIT $3 FOR NO KEY UPDATE OF i SKIP LOCKED
"""
NEXT_DUE: Final = """
SELECT min(i.finalize_at) FROM invoices AS i JOIN accounts AS a USING (account_id)
WHERE a.test_clock_id = $1 AND i.status = 'draft'
"""
PUT_OFF: Final = """
UPDATE invoices SET finalize_at = $3 WHERE account_id = $1 AND invoice_id = $2 AND status = 'draft'
"""
COUNT: Final = "SELECT count(*) FROM invoices WHERE status = 'draft'"


async def set_draft(
    conn: Connection,
    account_id: UUID,
    invoice_id: UUID,
    draft: InvoiceDraft,
    finalize_at: datetime | None,
) -> bool:
    """Write what a draft comes to and says; False if it is no draft."""
    return None is not await conn.fetchval(
        SET, account_id, invoice_id, draft.subtotal.minor, draft.tax.minor, draft.total.minor,
        encode_terms(draft.terms), finalize_at,
    )  # fmt: skip


async def finalize(
    conn: Connection, account_id: UUID, invoice_id: UUID, draft: InvoiceDraft, issued: Issued
) -> bool:
    """Turn a draft into what was issued; False if it is no draft."""
    return None is not await conn.fetchval(
        FINALIZE, account_id, invoice_id, issued.status, issued.number, issued.issued_at,
        issued.due_at, issued.paid_at, issued.document, issued.issuer_id,
        encode_terms(issued.terms), draft.subtotal.minor, draft.tax.minor, draft.total.minor,
    )  # fmt: skip


async def finalize_at(conn: Connection, account_id: UUID, invoice_id: UUID) -> datetime | None:
    """Return when a draft becomes final by itself."""
    at: datetime | None = await conn.fetchval(FINALIZE_AT, account_id, invoice_id)
    return at


async def delete_lines(conn: Connection, account_id: UUID, invoice_id: UUID) -> None:
    """Take the lines off a draft."""
    await conn.execute(DELETE_LINES, account_id, invoice_id)


async def delete(conn: Connection, account_id: UUID, invoice_id: UUID) -> bool:
    """Throw a draft away; False if it is none."""
    await delete_lines(conn, account_id, invoice_id)
    return await conn.fetchval(DELETE, account_id, invoice_id) is not None


async def lock_due(
    conn: Connection, now: datetime, test_clock_id: UUID | None, limit: int
) -> tuple[tuple[UUID, UUID], ...]:
    """Return and lock the drafts that become final by `now`: account and invoice."""
    rows = await conn.fetch(DUE, now, test_clock_id, limit)
    return tuple((row["account_id"], row["invoice_id"]) for row in rows)


async def next_due_at(conn: Connection, test_clock_id: UUID) -> datetime | None:
    """Return when the next draft on that clock becomes final."""
    at: datetime | None = await conn.fetchval(NEXT_DUE, test_clock_id)
    return at


async def put_off(conn: Connection, account_id: UUID, invoice_id: UUID, until: datetime) -> None:
    """Try a draft again later."""
    await conn.execute(PUT_OFF, account_id, invoice_id, until)


async def count(conn: Connection) -> int:
    """Return how many drafts there are, of all accounts."""
    found: int = await conn.fetchval(COUNT)
    return found
