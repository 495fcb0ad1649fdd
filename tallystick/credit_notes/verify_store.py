"""Every credit note, for who holds notes against the books."""

from collections.abc import AsyncIterator
from typing import Final

from tallystick.kernel.db import Connection
from tallystick.ledger.records import CreditNoteRecord

NOTES: Final = """
SELECT account_id, credit_note_id, number, currency::text AS currency, subtotal_minor, tax_minor,
    offset_minor, credit_minor, refund_minor, status = 'void' AS is_void
FROM credit_notes ORDER BY account_id, credit_note_id
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
