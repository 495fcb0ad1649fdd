"""The SQL of the watch over cards that expire."""

from datetime import datetime
from typing import Final

from tallystick.kernel.db import Connection
from tallystick.payments.method_store import read_method
from tallystick.payments.model import PaymentMethod

SET_WATCH: Final = """
UPDATE payment_methods SET watch_at = $3 WHERE account_id = $1 AND payment_method_id = $2
"""
LOCK_DUE: Final = """
SELECT * FROM payment_methods WHERE watch_at <= $1 AND status = 'active'
ORDER BY watch_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
"""


async def set_watch(conn: Connection, method: PaymentMethod, at: datetime | None) -> None:
    """Say when to look at a method's expiry again; None: never."""
    await conn.execute(SET_WATCH, method.account_id, method.payment_method_id, at)


async def lock_due(conn: Connection, now: datetime, limit: int) -> list[PaymentMethod]:
    """Return methods of which something is to be told, locked; under the writer's scope."""
    return [read_method(row) for row in await conn.fetch(LOCK_DUE, now, limit)]
