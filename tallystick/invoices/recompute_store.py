"""SQL of every line of every issued invoice, for who computes them again."""

from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection

LINES: Final = """
SELECT i.invoice_id, i.number, i.currency::text AS currency, i.subtotal_minor, i.total_minor,
    (i.document ->> 'total_minor')::bigint AS told_minor, l.position, l.kind, l.price_code,
    l.amount_minor, l.derivation, l.subscription_id
FROM invoices i LEFT JOIN invoice_lines l USING (account_id, invoice_id)
WHERE i.number IS NOT NULL AND ($1::uuid IS NULL OR i.invoice_id = $1)
ORDER BY i.account_id, i.invoice_id, l.position
"""
COUNT: Final = """
SELECT count(*) FROM invoices
WHERE number IS NOT NULL AND ($1::uuid IS NULL OR invoice_id = $1)
"""
ROWS_AT_ONCE: Final = 500
TIMEOUT_S: Final = 86_400.0


class StoredLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line with what its invoice says; an invoice without lines has one with no position.

    `told_minor` is the total that the frozen document says.
    """

    invoice_id: UUID
    number: str
    currency: str
    subtotal_minor: int
    total_minor: int
    told_minor: int | None
    position: int | None
    kind: str | None
    price_code: str | None
    amount_minor: int | None
    derivation: str | None
    subscription_id: UUID | None


async def invoice_count(conn: Connection, invoice_id: UUID | None) -> int:
    """Return how many invoices were issued; of one, 0 or 1."""
    count: int = await conn.fetchval(COUNT, invoice_id, timeout=TIMEOUT_S)
    return count


async def lines(conn: Connection, invoice_id: UUID | None) -> AsyncIterator[StoredLine]:
    """Yield the lines of all issued invoices, or of one, invoice after invoice, in order."""
    rows = conn.cursor(LINES, invoice_id, prefetch=ROWS_AT_ONCE, timeout=TIMEOUT_S)
    async for row in rows:
        yield StoredLine(**dict(row))
