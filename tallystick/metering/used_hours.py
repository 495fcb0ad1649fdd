"""In which hours something was used, and in which something new: for what sends totals elsewhere.

Only of usage in PostgreSQL; the writer's scope.
"""

from collections.abc import Collection
from datetime import datetime

import msgspec

from tallystick.catalog.model import Meter
from tallystick.kernel.db import Connection
from tallystick.metering import used_hours_store as store
from tallystick.metering.model import UsedHour
from tallystick.metering.usage_store import need_postgres


class NewHours(msgspec.Struct, frozen=True):
    """Hours with new events, and the transaction up to which, excluded, all were looked at.

    `is_lost`: the mark lies ahead of this server, so what is new since can not be told.
    """

    hours: tuple[UsedHour, ...]
    upto: int
    is_lost: bool = False


async def new_hours(
    conn: Connection, upto: int, event_types: Collection[str], since: datetime
) -> NewHours:
    """Return the hours from `since` on with events of transactions from `upto` on.

    An event of a transaction that still runs comes with a later call.
    """
    settled, beginning = await store.horizon(conn)
    if upto > beginning:
        return NewHours((), settled, is_lost=True)
    if upto >= settled or not event_types:
        return NewHours((), max(upto, settled))
    # Nothing can appear any more before the horizon, which was read first.
    found = await store.new(conn, upto, settled, sorted(event_types), since)
    return NewHours(found, settled)


async def horizon(conn: Connection) -> int:
    """Return the transaction before which all have ended."""
    return (await store.horizon(conn))[0]


async def all_hours(conn: Connection, meter: Meter, since: datetime) -> tuple[UsedHour, ...]:
    """Return every hour from `since` on in which the meter counted, by account.

    Raises Conflict `needs_usage_in_postgresql`.
    """
    need_postgres(conn, "Sending usage to Stripe")
    return await store.all_of(conn, meter.meter_id, meter.event_type, since)
