"""The SQL that reads many invoices and their lines, row by row, with server-side cursors."""

from collections.abc import AsyncIterator
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection

ROWS_AT_ONCE: Final = 1_000
TIMEOUT_S: Final = 3_600.0  # the server may sort the whole before the first row comes

_ONE: Final = "i.account_id = $3 AND"
INVOICES: Final = """
SELECT i.account_id, i.invoice_id, i.number, i.status, i.currency::text AS currency,
    i.document -> 'customer' ->> 'name' AS customer_name, i.issued_at, i.due_at, i.paid_at,
    i.period_start, i.period_end, i.subtotal_minor, i.tax_minor, i.total_minor, i.paid_minor
FROM invoices AS i
WHERE {whose} i.issued_at >= $1 AND i.issued_at < $2
ORDER BY i.issued_at, i.invoice_id
"""
LINES: Final = """
SELECT i.account_id, i.invoice_id, i.number, i.status, i.currency::text AS currency,
    i.document -> 'customer' ->> 'name' AS customer_name, i.issued_at, l.invoice_line_id,
    l.position, l.kind, l.description, l.price_code, l.meter_code, l.quantity, l.unit,
    l.period_start, l.period_end, l.amount_minor
FROM invoices AS i JOIN invoice_lines AS l USING (account_id, invoice_id)
WHERE {whose} i.issued_at >= $1 AND i.issued_at < $2
ORDER BY i.issued_at, i.invoice_id, l.position
"""
# What was billed by then for a time that reaches into it, or is billed in it for any time: as it is
# printed, where a line also tells the tax that its amount contains.
SERVED: Final = """
SELECT i.currency::text AS currency, (i.document ->> 'issued_on')::date AS issued_on,
    i.document ->> 'timezone' AS timezone, served.period_start, served.period_end,
    (l ->> 'amount_minor')::bigint - coalesce((l ->> 'included_minor')::bigint, 0) AS amount_minor
FROM invoices AS i, jsonb_array_elements(i.document -> 'lines') AS l,
    LATERAL (SELECT coalesce((l ->> 'period_start')::timestamptz, i.period_start),
                    coalesce((l ->> 'period_end')::timestamptz, i.period_end))
        AS served (period_start, period_end)
WHERE {whose} i.status IN ('open', 'paid', 'uncollectible')
      AND greatest(i.issued_at, served.period_end) >= $1
      AND least(i.issued_at, served.period_start) < $2
"""


class InvoiceRow(msgspec.Struct, frozen=True, kw_only=True):
    """An issued invoice; the customer's name is the one printed on it."""

    account_id: UUID
    invoice_id: UUID
    number: str
    status: str
    currency: str
    customer_name: str | None
    issued_at: datetime
    due_at: datetime | None
    paid_at: datetime | None
    period_start: datetime | None
    period_end: datetime | None
    subtotal_minor: int
    tax_minor: int
    total_minor: int
    paid_minor: int


class LineRow(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an issued invoice, before tax."""

    account_id: UUID
    invoice_id: UUID
    number: str
    status: str
    currency: str
    customer_name: str | None
    issued_at: datetime
    invoice_line_id: UUID
    position: int
    kind: str
    description: str
    price_code: str | None
    meter_code: str | None
    quantity: Decimal
    unit: str | None
    period_start: datetime | None
    period_end: datetime | None
    amount_minor: int


class ServedRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a line bills without tax for which time: the line's, else its invoice's, else none.

    `issued_on` is the day printed on the invoice, `timezone` the zone of its days.
    """

    currency: str
    issued_on: date
    timezone: str
    period_start: datetime | None
    period_end: datetime | None
    amount_minor: int


async def invoices(
    conn: Connection, account_id: UUID | None, start: datetime, end: datetime
) -> AsyncIterator[InvoiceRow]:
    """Yield what was issued in [start, end), in that order; of one account, or of all."""
    query, values = _of(INVOICES, account_id, start, end)
    async for row in conn.cursor(query, *values, prefetch=ROWS_AT_ONCE, timeout=TIMEOUT_S):
        yield InvoiceRow(**row)


async def lines(
    conn: Connection, account_id: UUID | None, start: datetime, end: datetime
) -> AsyncIterator[LineRow]:
    """Yield the lines of what was issued in [start, end), invoice by invoice."""
    query, values = _of(LINES, account_id, start, end)
    async for row in conn.cursor(query, *values, prefetch=ROWS_AT_ONCE, timeout=TIMEOUT_S):
        yield LineRow(**row)


async def served(
    conn: Connection, account_id: UUID | None, start: datetime, end: datetime
) -> AsyncIterator[ServedRow]:
    """Yield the lines that are billed in [start, end) or for a time that touches it, unordered.

    Void invoices were never due and are left out.
    """
    query, values = _of(SERVED, account_id, start, end)
    async for row in conn.cursor(query, *values, prefetch=ROWS_AT_ONCE, timeout=TIMEOUT_S):
        yield ServedRow(**row)


def _of(
    query: str, account_id: UUID | None, start: datetime, end: datetime
) -> tuple[str, tuple[datetime | UUID, ...]]:
    """Return the statement for one account, which an index serves, or for all, and its values."""
    if account_id is None:
        return query.format(whose=""), (start, end)
    return query.format(whose=_ONE), (start, end, account_id)
