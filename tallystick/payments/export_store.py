"""The SQL that reads many payments, row by row, with a server-side cursor."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection

ROWS_AT_ONCE: Final = 1_000
TIMEOUT_S: Final = 3_600.0  # the server may sort the whole before the first row comes

_ONE: Final = "account_id = $3 AND"
PAYMENTS: Final = """
SELECT account_id, payment_id, ARRAY(
        SELECT invoice_id FROM payment_invoices i
        WHERE i.account_id = p.account_id AND i.payment_id = p.payment_id ORDER BY place
    ) AS invoice_ids, gateway, status, currency::text AS currency, amount_minor, received_minor,
    reference, failure_code, created_at, settled_at
FROM payments p WHERE {whose} created_at >= $1 AND created_at < $2
ORDER BY created_at, payment_id
"""


class PaymentRow(msgspec.Struct, frozen=True, kw_only=True):
    """The wish to collect an amount and what came of it; amounts in minor units."""

    account_id: UUID
    payment_id: UUID
    invoice_ids: Sequence[UUID]
    gateway: str
    status: str
    currency: str
    amount_minor: int
    received_minor: int
    reference: str | None
    failure_code: str | None
    created_at: datetime
    settled_at: datetime | None


async def payments(
    conn: Connection, account_id: UUID | None, start: datetime, end: datetime
) -> AsyncIterator[PaymentRow]:
    """Yield what was begun in [start, end), in that order; of one account, or of all."""
    one = () if account_id is None else (account_id,)
    query = PAYMENTS.format(whose=_ONE if one else "")
    cursor = conn.cursor(query, start, end, *one, prefetch=ROWS_AT_ONCE, timeout=TIMEOUT_S)
    async for row in cursor:
        yield PaymentRow(**row)
