"""All stored events once, in an order that lasts: for what hands them on to somebody else.

The order is that of transactions, not of time: an event of last year that arrives today comes at
the end, and nothing ever appears before what was read.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection
from tallystick.metering import walk_store
from tallystick.metering.walk_model import Position, StoredEvent

START: Final = Position(0, UUID(int=0), UUID(int=0))
END: Final = Position(2**64 - 1, UUID(int=2**128 - 1), UUID(int=2**128 - 1))


class Walked(msgspec.Struct, frozen=True):
    """Events, and the position up to which they are all; `more`: the bound cut them off."""

    events: tuple[StoredEvent, ...]
    end: Position
    more: bool


async def events_after(
    conn: Connection, after: Position, upto: Position | None, limit: int
) -> Walked:
    """Return the events behind `after`, up to and with `upto` (None: as many as have settled).

    Under the writer's scope. An event of a transaction that still runs, or that is younger than
    one that runs, comes with a later call. Events that were voided are left out.
    """
    settled, _ = await walk_store.horizon(conn)
    # Nothing can appear any more before the horizon, which was read first.
    bound = min(upto or END, Position(settled - 1, END.account_id, END.key))
    events = await walk_store.read_after(conn, after, bound, limit)
    more = len(events) == limit
    return Walked(events, events[-1].position if more else max(after, bound), more)


async def count_after(conn: Connection, after: Position, most: int) -> int:
    """Return how many events lie behind a position, at most `most`; under the staff's scope too."""
    return await walk_store.count_after(conn, after, most)


async def is_of_another_server(conn: Connection, position: Position) -> bool:
    """Tell whether a position lies ahead of time: the database was restored into a new server."""
    _, beginning = await walk_store.horizon(conn)
    return position.tx > beginning


async def newest(conn: Connection, account_id: UUID) -> Position | None:
    """Return where the account's last event stands; None without events."""
    return await walk_store.newest(conn, account_id)


async def events_by_keys(
    conn: Connection, account_id: UUID, keys: Sequence[UUID]
) -> tuple[StoredEvent, ...]:
    """Return the account's events with these keys; unknown ones are absent."""
    return await walk_store.find(conn, account_id, list(keys))
