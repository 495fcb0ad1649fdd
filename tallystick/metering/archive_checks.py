"""What can not be done any more where events are archived."""

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.metering import archive_store, recount_store
from tallystick.metering.hours import floor_hour


async def refuse_archived_edges(
    conn: Connection, account_id: UUID, event_types: Collection[str], edges: Iterable[datetime]
) -> None:
    """Refuse periods that begin or end at an instant (UTC) inside an hour with archived events.

    To be asked after the periods were read: what is archived later was read still. Whole hours are
    exact for ever. Raises Conflict `usage_archived`.
    """
    hours = {floor_hour(at) for at in edges if floor_hour(at) != at}
    if hours and await archive_store.has_archived(conn, account_id, event_types, hours):
        raise Conflict(
            "usage_archived",
            "Events of the hour in which a period begins or ends are archived, so a part of that "
            "hour can not be counted any more; ask for whole hours.",
        )


async def refuse_archived_span(
    conn: Connection, account_id: UUID, event_types: Collection[str], start: datetime, end: datetime
) -> None:
    """Refuse what needs every event of [start, end) where some are archived.

    Raises Conflict `usage_archived`.
    """
    if await archive_store.has_archived_between(conn, account_id, event_types, (start, end)):
        raise Conflict(
            "usage_archived",
            "Events of this period are archived, and its totals can not answer this; "
            "ask for a later period.",
        )


async def refuse_archived_event(
    conn: Connection, account_id: UUID, key: UUID, at: datetime | None
) -> None:
    """Refuse to take an event out of its totals where those stand for ever.

    `at`: its instant if it is stored, None if it is not. In a month of which events were archived
    no total is counted anew, so what came late to it stays too. Raises Conflict `usage_archived`.
    """
    before = await recount_store.archived_before(conn)
    is_closed = at is not None and before is not None and at < before
    if is_closed or await archive_store.is_archived(conn, account_id, key):
        raise Conflict(
            "usage_archived",
            "The usage of this event's month is archived: its totals stand, and the event can not "
            "be amended or reversed.",
        )
