"""SQL of events that came since they were looked at last, by account and type."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection

# Locked in a statement of its own: the next one then sees what came before it.
LOCK: Final = "SELECT one FROM usage_late_mark FOR UPDATE SKIP LOCKED"
MARK: Final = """
SELECT m.upto, m.next_upto, m.next_after, pg_snapshot_xmin(s) AS settled,
    pg_snapshot_xmax(s) AS next
FROM usage_late_mark AS m, pg_current_snapshot() AS s
"""
EARLIEST: Final = """
SELECT account_id, event_type, min(at) AS at FROM usage_events
WHERE tx >= $1 AND tx < $2 GROUP BY account_id, event_type
"""
MOVE: Final = "UPDATE usage_late_mark SET upto = $1, next_upto = $2, next_after = $3"


class LateMark(msgspec.Struct, frozen=True):
    """How far events were looked at, and where the server stands: transaction numbers."""

    upto: int
    next_upto: int
    next_after: int
    settled: int
    next: int


class Earliest(msgspec.Struct, frozen=True):
    """The earliest instant of an account's new events of a type."""

    account_id: UUID
    event_type: str
    at: datetime


async def lock_mark(conn: Connection) -> LateMark | None:
    """Return the mark, locked; None while another holds it."""
    if not await conn.fetchval(LOCK):
        return None
    (row,) = await conn.fetch(MARK)
    return LateMark(**dict(row))


async def earliest(conn: Connection, start: int, end: int) -> tuple[Earliest, ...]:
    """Return the earliest new events of transactions from `start` up to `end`, excluded."""
    return tuple(Earliest(**dict(row)) for row in await conn.fetch(EARLIEST, start, end))


async def move_mark(conn: Connection, mark: LateMark) -> None:
    """Write how far events were looked at."""
    await conn.execute(MOVE, mark.upto, mark.next_upto, mark.next_after)
