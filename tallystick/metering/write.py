"""Writing events, each once: what is new is stored, what contradicts is kept aside.

Most rows are new and are copied straight into the table. A batch with a key that is stored
already, or twice in itself, is written again by the slower way that can tell which.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final
from uuid import UUID

import asyncpg
from asyncpg.pgproto import pgproto

from tallystick.kernel.db import Connection
from tallystick.kernel.ids import new_id
from tallystick.metering import conflicts_store, events_store
from tallystick.metering.events_postgres import usage_of
from tallystick.metering.model import Status
from tallystick.metering.prepare import Row
from tallystick.metering.usage_store import usage_beside

ASK_AGAIN_S: Final = 10.0
_BETWEEN: Final = "\0"


class Remembered:
    """Whether keys of archived events are remembered at all; asked again every ten seconds.

    That is often enough: the events of remembered keys stay for 90 seconds, and until then the
    key of the event itself refuses another one.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._until = monotonic()
        self._has = False

    async def has_any(self, conn: Connection, rows: Sequence[Row]) -> bool:
        """Tell whether one of the rows is of a remembered key."""
        now = self._monotonic()
        if now >= self._until:
            self._has = await events_store.has_archives(conn)
            self._until = now + ASK_AGAIN_S
        return self._has and await events_store.has_archived(conn, rows)


async def copy_new(conn: Connection, rows: Sequence[Row], remembered: Remembered) -> bool:
    """Write all rows as new ones; False, and nothing is written, when a key is known already.

    One statement: outside a transaction it commits by itself. In a store beside PostgreSQL only
    `write` can tell what is new.
    """
    if rows:
        if usage_beside(conn) is not None or await remembered.has_any(conn, rows):
            return False
        try:
            await events_store.copy_events(conn, rows)
        except asyncpg.UniqueViolationError:
            return False
    return True


async def write(
    conn: Connection, rows: Sequence[Row], stated: Sequence[datetime | None], now: datetime
) -> list[Status]:
    """Write the rows whose key is new, the first of each key, and compare the others.

    `stated` is the instant that each event gave itself. Answers accepted, duplicate or conflict by
    position; conflicts are kept aside. Inside a transaction.
    """
    statuses = await usage_of(conn).write(conn, rows, stated)
    told = zip(rows, statuses, strict=True)
    conflicts = [row for row, status in told if status is Status.CONFLICT]
    if conflicts:
        kept = [(new_id(), _row_digest(row)) for row in conflicts]
        await conflicts_store.keep(conn, conflicts, kept, now)
    return statuses


def digest(at: datetime | None, *parts: str | None) -> UUID:
    """Return 16 bytes over an instant and texts without NUL; None and the empty text differ."""
    texts = (at.astimezone(UTC).isoformat() if at else None, *parts)
    told = _BETWEEN.join("-" if text is None else f"+{text}" for text in texts)
    return pgproto.UUID(blake2b(told.encode(), digest_size=16).digest())


def _row_digest(row: Row) -> UUID:
    _, _, at, event_type, source, event_id, properties = row
    return digest(at, source, event_id, event_type, properties)
