"""SQL of what gateways told of the subscriptions that they renew."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection

INSERT: Final = """
INSERT INTO gateway_renewals (account_id, gateway, event_id, subscription_id, kind, period_start,
    period_end, invoice_id, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
IS_KNOWN: Final = """
SELECT true FROM gateway_renewals WHERE account_id = $1 AND gateway = $2 AND event_id = $3
"""
INVOICE_OF: Final = """
SELECT invoice_id FROM gateway_renewals
WHERE account_id = $1 AND subscription_id = $2 AND period_start = $3 AND invoice_id IS NOT NULL
    AND kind <> 'ended'
LIMIT 1
"""


LAST: Final = """
SELECT * FROM gateway_renewals
WHERE account_id = $1 AND subscription_id = $2 AND kind <> 'ended'
ORDER BY period_start DESC, kind DESC, created_at DESC LIMIT 1
"""


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a gateway that was taken, and the invoice that it was about."""

    account_id: UUID
    gateway: str
    event_id: str
    subscription_id: UUID
    kind: str
    period_start: datetime
    period_end: datetime
    invoice_id: UUID | None
    created_at: datetime


async def insert(conn: Connection, new: Renewal) -> None:
    """Write that an event was taken."""
    await conn.execute(INSERT, *msgspec.structs.astuple(new))


async def is_known(conn: Connection, account_id: UUID, gateway: str, event_id: str) -> bool:
    """Tell whether an event was taken before."""
    return bool(await conn.fetchval(IS_KNOWN, account_id, gateway, event_id))


async def invoice_of(
    conn: Connection, account_id: UUID, subscription_id: UUID, period_start: datetime
) -> UUID | None:
    """Return the invoice of the subscription's period that begins then."""
    found: UUID | None = await conn.fetchval(INVOICE_OF, account_id, subscription_id, period_start)
    return found


async def last(conn: Connection, account_id: UUID, subscription_id: UUID) -> Renewal | None:
    """Return what was told of the newest period: that it was paid, if it ever was."""
    row = await conn.fetchrow(LAST, account_id, subscription_id)
    return None if row is None else msgspec.convert(dict(row), Renewal)
