"""The inbox for people: looked at, and handled once more."""

from datetime import datetime
from typing import Final

import msgspec
import structlog

from tallystick.kernel.db import Connection, actor
from tallystick.kernel.errors import NotFound
from tallystick.kernel.paging import Page, PageRequest
from tallystick.webhooks import desk_store
from tallystick.webhooks.model import Backlog, EventFilter, InboxRow

log = structlog.get_logger()

REPLAY_MAX: Final = 10_000


async def list_events(
    conn: Connection, wanted: EventFilter, request: PageRequest
) -> Page[InboxRow]:
    """Return received events, newest first, by page; under the staff's scope."""
    rows = await desk_store.page(conn, wanted, request)
    total = await desk_store.count(conn, wanted)
    return Page(items=tuple(rows), total=total, request=request, next_cursor=None)


async def get_event(conn: Connection, gateway: str, event_id: str) -> InboxRow:
    """Return one event; raises NotFound `webhook_event_not_found`."""
    found = await desk_store.find(conn, gateway, event_id)
    if found is None:
        raise NotFound("webhook_event_not_found", "There is no such event.")
    return found


async def replay_one(conn: Connection, gateway: str, event_id: str, now: datetime) -> InboxRow:
    """Have an event handled once more, now, whatever came of it before; raises NotFound.

    What it did already is not done twice: each effect has a key of its own.
    """
    await replay(conn, EventFilter(gateway=gateway, event_id=event_id), now)
    return await get_event(conn, gateway, event_id)


async def replay(conn: Connection, wanted: EventFilter, now: datetime) -> int:
    """Have events handled once more, 10,000 at most, the oldest first; return how many."""
    count = await desk_store.replay(conn, wanted, now, REPLAY_MAX)
    asked = msgspec.to_builtins(wanted)
    who = actor()
    log.info("webhooks_replayed", count=count, actor_kind=who.kind, actor_id=who.id, asked=asked)
    return count


async def backlog(conn: Connection) -> tuple[Backlog, ...]:
    """Return what is not finished, by gateway and state."""
    return await desk_store.unfinished(conn)
