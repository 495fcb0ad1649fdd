"""The SQL of the inbox for people: lists, single events, replays, and what is not finished."""

from datetime import datetime
from typing import Final

from tallystick.kernel.db import Connection
from tallystick.kernel.paging import PageRequest
from tallystick.webhooks.model import Backlog, EventFilter, InboxRow, InboxState
from tallystick.webhooks.store import read_row

_STATE: Final = "CASE WHEN status = 'received' AND error IS NOT NULL THEN 'failed' ELSE status END"
_WANTED: Final = f"""($1::text IS NULL OR gateway = $1) AND ($2::text IS NULL OR {_STATE} = $2)
  AND ($3::text IS NULL OR kind = $3) AND ($4::text IS NULL OR event_id = $4)
  AND ($5::timestamptz IS NULL OR received_at >= $5)
  AND ($6::timestamptz IS NULL OR received_at < $6)"""
LIST: Final = f"""
SELECT * FROM webhook_inbox WHERE {_WANTED}
ORDER BY received_at DESC, gateway, event_id LIMIT $7 OFFSET $8
"""  # noqa: S608 - constants
COUNT: Final = f"SELECT count(*) FROM webhook_inbox WHERE {_WANTED}"  # noqa: S608 - likewise
FIND: Final = "SELECT * FROM webhook_inbox WHERE gateway = $1 AND event_id = $2"
# Staff press a button: whatever came of it before, it is handled once more. What is being handled
# at the moment has its turn already.
REPLAY: Final = f"""
UPDATE webhook_inbox SET status = 'received', error = NULL, process_after = $8, done_at = NULL
WHERE (gateway, event_id) IN (
    SELECT gateway, event_id FROM webhook_inbox WHERE {_WANTED}
    ORDER BY received_at, gateway, event_id LIMIT $7 FOR NO KEY UPDATE)
"""  # noqa: S608 - likewise
UNFINISHED: Final = f"""
SELECT gateway, {_STATE} AS state, count(*) AS count, min(received_at) AS oldest_at
FROM webhook_inbox WHERE status IN ('received', 'parked') GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608 - likewise


async def page(conn: Connection, wanted: EventFilter, request: PageRequest) -> list[InboxRow]:
    """Return events, newest first."""
    rows = await conn.fetch(LIST, *_filter(wanted), request.limit, request.offset)
    return [read_row(row) for row in rows]


async def count(conn: Connection, wanted: EventFilter) -> int:
    """Return how many events there are."""
    return int(await conn.fetchval(COUNT, *_filter(wanted)))


async def find(conn: Connection, gateway: str, event_id: str) -> InboxRow | None:
    """Return one event."""
    row = await conn.fetchrow(FIND, gateway, event_id)
    return None if row is None else read_row(row)


async def replay(conn: Connection, wanted: EventFilter, now: datetime, limit: int) -> int:
    """Let these events be handled now, the oldest first; return how many those are."""
    changed = await conn.execute(REPLAY, *_filter(wanted), limit, now)
    return int(changed.removeprefix("UPDATE "))


async def unfinished(conn: Connection) -> tuple[Backlog, ...]:
    """Return what is not finished, by gateway and state."""
    rows = await conn.fetch(UNFINISHED)
    return tuple(
        Backlog(row["gateway"], InboxState(row["state"]), row["count"], row["oldest_at"])
        for row in rows
    )


def _filter(wanted: EventFilter) -> tuple[object, ...]:
    return (
        wanted.gateway,
        wanted.state,
        wanted.kind,
        wanted.event_id,
        wanted.since,
        wanted.until,
    )
