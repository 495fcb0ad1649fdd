"""The SQL that reads many credit notes and their lines, row by row, with server-side cursors."""

from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection

ROWS_AT_ONCE: Final = 1_000
TIMEOUT_S: Final = 3_600.0  # the server may sort the whole before the first row comes

_ONE: Final = "n.account_id = $3 AND"
NOTES: Final = """
SELECT n.account_id, n.credit_note_id, n.number, n.invoice_id, n.status, n.reason,
    n.currency::text AS currency, n.document -> 'customer' ->> 'name' AS customer_name,
    n.issued_at, n.voided_at, n.subtotal_minor, n.tax_minor, n.total_minor, n.offset_minor,
    n.credit_minor, n.refund_minor
FROM credit_notes AS n
WHERE {whose} n.issued_at >= $1 AND n.issued_at < $2
ORDER BY n.issued_at, n.credit_note_id
"""
SERVED: Final = """
SELECT n.currency::text AS currency, (n.document ->> 'issued_on')::date AS issued_on,
    n.document ->> 'timezone' AS timezone, coalesce(l.period_start, i.period_start) AS period_start,
    coalesce(l.period_end, i.period_end) AS period_end, c.net_minor
FROM credit_notes AS n
JOIN credit_note_lines AS c USING (account_id, credit_note_id)
JOIN invoice_lines AS l
  ON (l.account_id, l.invoice_id, l.invoice_line_id)
     = (c.account_id, c.invoice_id, c.invoice_line_id)
JOIN invoices AS i ON (i.account_id, i.invoice_id) = (l.account_id, l.invoice_id)
WHERE {whose} n.status = 'issued' AND n.issued_at < $2
      AND greatest(n.issued_at, l.period_end, i.period_end) >= $1
"""


class NoteRow(msgspec.Struct, frozen=True, kw_only=True):
    """A credit note; amounts in minor units, the customer's name as printed on it."""

    account_id: UUID
    credit_note_id: UUID
    number: str
    invoice_id: UUID
    status: str
    reason: str
    currency: str
    customer_name: str | None
    issued_at: datetime
    voided_at: datetime | None
    subtotal_minor: int
    tax_minor: int
    total_minor: int
    offset_minor: int
    credit_minor: int
    refund_minor: int


class ServedRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a note's line takes back, without tax, of what was billed for which time."""

    currency: str
    issued_on: date
    timezone: str
    period_start: datetime | None
    period_end: datetime | None
    net_minor: int


async def credit_notes(
    conn: Connection, account_id: UUID | None, start: datetime, end: datetime
) -> AsyncIterator[NoteRow]:
    """Yield what was issued in [start, end), in that order; of one account, or of all."""
    one = () if account_id is None else (account_id,)
    query = NOTES.format(whose=_ONE if one else "")
    cursor = conn.cursor(query, start, end, *one, prefetch=ROWS_AT_ONCE, timeout=TIMEOUT_S)
    async for row in cursor:
        yield NoteRow(**row)


async def served(
    conn: Connection, account_id: UUID | None, start: datetime, end: datetime
) -> AsyncIterator[ServedRow]:
    """Yield the lines of notes that lower what is earned in [start, end), unordered.

    Void notes take nothing back and are left out.
    """
    one = () if account_id is None else (account_id,)
    query = SERVED.format(whose=_ONE if one else "")
    cursor = conn.cursor(query, start, end, *one, prefetch=ROWS_AT_ONCE, timeout=TIMEOUT_S)
    async for row in cursor:
        yield ServedRow(**row)
