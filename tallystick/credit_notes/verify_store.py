"""Every credit note, and refunds that wait, for who holds them against the books."""

from collections.abc import AsyncIterator
from typing import Final

from tallystick.kernel.db import Connection
from tallystick.ledger.records import CreditNoteRecord, OwedRecord

NOTES: Final = """
SELECT account_id, credit_note_id, number, currency::text AS currency, subtotal_minor, tax_minor,
    offset_minor, credit_minor, refund_minor, status = 'void' AS is_void
FROM credit_notes ORDER BY account_id, credit_note_id
"""
REFUNDS_WAITING: Final = """
SELECT account_id, 'refunds' AS ledger_account, currency::text AS unit,
    sum(amount_minor - made_minor)::bigint AS amount
FROM refunds WHERE status IN ('requested', 'processing')
GROUP BY account_id, currency ORDER BY account_id, currency COLLATE "C"
"""
COUNT: Final = "SELECT count(*) FROM credit_notes"
ROWS_AT_ONCE: Final = 500
TIMEOUT_S: Final = 86_400.0


async def note_count(conn: Connection) -> int:
    """Return how many there are."""
    count: int = await conn.fetchval(COUNT, timeout=TIMEOUT_S)
    return count


async def notes(conn: Connection) -> AsyncIterator[CreditNoteRecord]:
    """Yield them by account and id, void ones too."""
    async for row in conn.cursor(NOTES, prefetch=ROWS_AT_ONCE, timeout=TIMEOUT_S):
        yield CreditNoteRecord(**dict(row))


async def refunds_waiting(conn: Connection) -> AsyncIterator[OwedRecord]:
    """Yield what is to be paid back and was not yet, by account and currency."""
    async for row in conn.cursor(REFUNDS_WAITING, prefetch=ROWS_AT_ONCE, timeout=TIMEOUT_S):
        yield OwedRecord(**dict(row))
