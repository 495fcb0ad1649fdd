"""Every issued invoice, for who holds invoices against the books."""

from collections.abc import AsyncIterator
from typing import Final

from tallystick.kernel.db import Connection
from tallystick.ledger.records import InvoiceRecord

ISSUED: Final = """
SELECT account_id, invoice_id, number, currency::text AS currency, total_minor, tax_minor
FROM invoices WHERE number IS NOT NULL ORDER BY account_id, invoice_id
"""
COUNT: Final = "SELECT count(*) FROM invoices WHERE number IS NOT NULL"
ROWS_AT_ONCE: Final = 500
TIMEOUT_S: Final = 86_400.0


async def issued_count(conn: Connection) -> int:
    """Return how many there are."""
    count: int = await conn.fetchval(COUNT, timeout=TIMEOUT_S)
    return count


async def issued(conn: Connection) -> AsyncIterator[InvoiceRecord]:
    """Yield them by account and id, whatever became of them later."""
    async for row in conn.cursor(ISSUED, prefetch=ROWS_AT_ONCE, timeout=TIMEOUT_S):
        yield InvoiceRecord(**dict(row))
