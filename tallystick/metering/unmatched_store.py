"""SQL of parked events: those that named no account or no meter that was known."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection
from tallystick.kernel.paging import PageRequest

_COLUMNS: Final = """
    unmatched_event_id, account_id, subject, source, event_id, event_type, meter, stated_at,
    received_at, properties::text AS properties, reason, status, settled_at, claimed_account_id
"""
# A resent event is there already; one that staff claimed is counted, whoever sends it again.
PARK: Final = """
INSERT INTO usage_unmatched (account_id, unmatched_event_id, digest, subject, source, event_id,
    event_type, meter, stated_at, received_at, properties, reason)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[],
    $7::text[], $8::text[], $9::timestamptz[], $10::timestamptz[], $11::jsonb[], $12::text[])
    AS sent (account_id, unmatched_event_id, digest)
ORDER BY account_id, digest ON CONFLICT (account_id, digest) DO NOTHING
"""
CLAIMED: Final = """
SELECT u.account_id, u.digest FROM unnest($1::uuid[], $2::uuid[]) AS sent (account_id, digest)
JOIN usage_unmatched u USING (account_id, digest) WHERE u.status = 'claimed'
"""
LIST: Final = f"""
SELECT {_COLUMNS} FROM usage_unmatched
WHERE status = $1 AND ($2::text IS NULL OR subject = $2)
  AND ($3::timestamptz IS NULL OR (received_at, unmatched_event_id) < ($3, $4))
ORDER BY received_at DESC, unmatched_event_id DESC LIMIT $5 OFFSET $6
"""  # noqa: S608 - names of columns
COUNT: Final = """
SELECT count(*) FROM usage_unmatched WHERE status = $1 AND ($2::text IS NULL OR subject = $2)
"""
LOCK_BY_IDS: Final = f"""
SELECT {_COLUMNS} FROM usage_unmatched WHERE unmatched_event_id = ANY ($1::uuid[])
ORDER BY received_at, unmatched_event_id FOR UPDATE
"""  # noqa: S608 - names of columns
LOCK_OF_SUBJECT: Final = f"""
SELECT {_COLUMNS} FROM usage_unmatched WHERE subject = $1 AND status = 'parked'
ORDER BY received_at, unmatched_event_id LIMIT $2 FOR UPDATE
"""  # noqa: S608 - names of columns
# From one waiting (subject, type, meter) to the next: a million parked events of one subject are
# one step.
WAITING: Final = """
WITH RECURSIVE walk AS (
    (SELECT subject, event_type, meter, 1 AS step FROM usage_unmatched
     WHERE status = 'parked' AND reason IN ('unknown_subject', 'unknown_type')
       AND (subject, event_type, coalesce(meter, '')) > ($1, $2, $3)
     ORDER BY subject, event_type, coalesce(meter, '') LIMIT 1)
    UNION ALL
    SELECT n.subject, n.event_type, n.meter, walk.step + 1 FROM walk, LATERAL
        (SELECT subject, event_type, meter FROM usage_unmatched u
         WHERE status = 'parked' AND reason IN ('unknown_subject', 'unknown_type')
           AND (u.subject, u.event_type, coalesce(u.meter, ''))
               > (walk.subject, walk.event_type, coalesce(walk.meter, ''))
         ORDER BY subject, event_type, coalesce(meter, '') LIMIT 1) AS n
    WHERE walk.step < $4)
SELECT subject, event_type, meter FROM walk
"""
LOCK_WAITING: Final = f"""
SELECT {_COLUMNS} FROM usage_unmatched
WHERE status = 'parked' AND reason IN ('unknown_subject', 'unknown_type')
  AND (subject, event_type, coalesce(meter, ''))
      IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]))
ORDER BY received_at, unmatched_event_id LIMIT $4 FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - names of columns
SETTLE: Final = """
UPDATE usage_unmatched SET status = $2, settled_at = $3, claimed_account_id = $4
WHERE unmatched_event_id = ANY ($1::uuid[]) AND status = 'parked'
"""
SET_REASONS: Final = """
UPDATE usage_unmatched u SET reason = w.reason
FROM unnest($1::uuid[], $2::text[]) AS w (unmatched_event_id, reason)
WHERE u.unmatched_event_id = w.unmatched_event_id
"""
REMOVE: Final = "DELETE FROM usage_unmatched WHERE unmatched_event_id = ANY ($1::uuid[])"
FORGET: Final = """
DELETE FROM usage_unmatched WHERE (account_id, unmatched_event_id) IN (
    SELECT account_id, unmatched_event_id FROM usage_unmatched
    WHERE received_at < $1 LIMIT 1000)
RETURNING status
"""


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it came, and why it matched nobody; `properties` as JSON.

    `account_id` is the house's where the account was not known.
    """

    unmatched_event_id: UUID
    account_id: UUID
    subject: str
    source: str
    event_id: str
    event_type: str
    meter: str | None
    stated_at: datetime | None
    received_at: datetime
    properties: str
    reason: str
    status: str = "parked"
    settled_at: datetime | None = None
    claimed_account_id: UUID | None = None

    @property
    def at(self) -> datetime:
        """When it happened: what it said itself, else when it was received."""
        return self.stated_at or self.received_at


class Waiting(msgspec.Struct, frozen=True):
    """A subject and a type (or a meter's code) that events wait for."""

    subject: str
    event_type: str
    meter: str | None


async def park(conn: Connection, events: Sequence[tuple[Parked, UUID]]) -> None:
    """Keep events, each with its digest; one that is there already stays as it is."""
    rows = [
        (e.account_id, e.unmatched_event_id, digest, e.subject, e.source, e.event_id,
         e.event_type, e.meter, e.stated_at, e.received_at, e.properties, e.reason)
        for e, digest in events
    ]  # fmt: skip
    await conn.execute(PARK, *map(list, zip(*rows, strict=True)))


async def claimed_of(
    conn: Connection, events: Sequence[tuple[Parked, UUID]]
) -> set[tuple[UUID, UUID]]:
    """Return the account and digest of those that staff have claimed already."""
    accounts = [event.account_id for event, _ in events]
    rows = await conn.fetch(CLAIMED, accounts, [digest for _, digest in events])
    return {(row["account_id"], row["digest"]) for row in rows}


async def list_page(
    conn: Connection, request: PageRequest, status: str, subject: str | None
) -> list[Parked]:
    """Return one page and a row more, newest first; of one subject, or of all (None)."""
    after = (request.after.at, request.after.id) if request.after else (None, None)
    rows = await conn.fetch(LIST, status, subject, *after, request.limit + 1, request.offset)
    return [Parked(**row) for row in rows]


async def count(conn: Connection, status: str, subject: str | None) -> int:
    """Return how many there are."""
    return int(await conn.fetchval(COUNT, status, subject))


async def lock_by_ids(conn: Connection, ids: Sequence[UUID]) -> list[Parked]:
    """Return these events under lock, in the order in which they came; unknown ids are absent."""
    return [Parked(**row) for row in await conn.fetch(LOCK_BY_IDS, list(ids))]


async def lock_of_subject(conn: Connection, subject: str, events_max: int) -> list[Parked]:
    """Return the oldest parked events of a subject, under lock."""
    return [Parked(**row) for row in await conn.fetch(LOCK_OF_SUBJECT, subject, events_max)]


async def waiting(conn: Connection, after: Waiting | None, steps_max: int) -> list[Waiting]:
    """Return what events wait for, in an order of its own; None: from the beginning."""
    last = (after.subject, after.event_type, after.meter or "") if after else ("", "", "")
    return [Waiting(**row) for row in await conn.fetch(WAITING, *last, steps_max)]


async def lock_waiting(
    conn: Connection, wanted: Sequence[Waiting], events_max: int
) -> list[Parked]:
    """Return the oldest events that wait for these, under lock; another's locked ones are left."""
    subjects = [one.subject for one in wanted]
    types = [one.event_type for one in wanted]
    meters = [one.meter or "" for one in wanted]
    rows = await conn.fetch(LOCK_WAITING, subjects, types, meters, events_max)
    return [Parked(**row) for row in rows]


async def settle(
    conn: Connection, ids: Sequence[UUID], status: str, now: datetime, account_id: UUID | None
) -> None:
    """Say what staff decided of parked events, which are locked."""
    await conn.execute(SETTLE, list(ids), status, now, account_id)


async def set_reasons(conn: Connection, reasons: Sequence[tuple[UUID, str]]) -> None:
    """Say why events that match somebody by now can not be counted."""
    await conn.execute(SET_REASONS, [one[0] for one in reasons], [one[1] for one in reasons])


async def remove(conn: Connection, ids: Sequence[UUID]) -> None:
    """Take events off: they are stored, or kept as conflicts."""
    await conn.execute(REMOVE, list(ids))


async def forget(conn: Connection, before: datetime) -> list[str]:
    """Drop up to 1,000 that were received before then, and return the status of each."""
    return [row["status"] for row in await conn.fetch(FORGET, before)]
