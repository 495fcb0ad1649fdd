"""Every issued invoice, and credit that is left, for who holds them against the books."""

from collections.abc import AsyncIterator
from typing import Final

from tallystick.kernel.db import Connection
from tallystick.ledger.records import InvoiceRecord, OwedRecord

ISSUED: Final = """
SELECT account_id, invoice_id, number, currency::text AS currency, total_minor, tax_minor
FROM invoices WHERE number IS NOT NULL ORDER BY account_id, invoice_id
"""
CREDIT_LEFT: Final = """
SELECT account_id, 'customer_credit' AS ledger_account, currency::text AS unit,
    sum(left_minor)::bigint AS amount
FROM customer_credits GROUP BY account_id, currency ORDER BY account_id, currency COLLATE "C"
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


async def credit_left(conn: Connection) -> AsyncIterator[OwedRecord]:
    """Yield what credit notes left accounts and no invoice has used, by account and currency."""
    async for row in conn.cursor(CREDIT_LEFT, prefetch=ROWS_AT_ONCE, timeout=TIMEOUT_S):
        yield OwedRecord(**dict(row))
