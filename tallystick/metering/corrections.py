"""Taking events out of the totals and putting others in, exact at once for every aggregation.

A stored event never changes: what is taken out stays stored and is voided, what is put in is an
event of its own. Whoever corrects holds the mark's lock first, so that no fold runs meanwhile and
corrections come one after another; events go on coming in.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from tallystick.catalog.service import meters_of_events
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.metering import (
    corrections_store,
    counters_store,
    events_store,
    recount_store,
    totals_store,
)
from tallystick.metering.model import Batch, EventResult, Shape, Status, UsageEvent
from tallystick.metering.numbers import read_number
from tallystick.metering.prepare import Ages, Prepared, Row, Target, prepare, read_rules
from tallystick.metering.recount import recount
from tallystick.metering.walk_model import StoredEvent
from tallystick.metering.write import write

AMENDMENTS: Final = "tallystick:correction"
"""The source of events that stand for an amended one; their id is that of the correction."""
AMENDMENT: Final = Shape(name="amendment", place="", properties="properties")
_PROPERTIES: Final = msgspec.json.Decoder(dict[str, Any], float_hook=read_number)


async def lock_totals(conn: Connection) -> None:
    """Let no fold run and nobody else correct before this transaction ends; the writer's scope."""
    await totals_store.lock_mark(conn)


async def need_countable(conn: Connection, at: datetime) -> None:
    """Raise Conflict `usage_archived` when the hour of an instant can not be counted anew.

    Of the months that were archived nothing can, also where an event came later and is there
    still. `lock_totals` came first.
    """
    before = await recount_store.archived_before(conn)
    if before is not None and at < before:
        raise Conflict(
            "usage_archived",
            f"Events before {before:%Y-%m-%d} are archived: their totals stand, so none of them "
            "can be amended or reversed; send what is missing.",
        )


def properties_of(stored: str) -> dict[str, Any]:
    """Return stored properties; numbers as int or Decimal."""
    return _PROPERTIES.decode(stored)


async def check_events(
    conn: Connection, account_id: UUID, batch: Batch, now: datetime, ahead_max: timedelta
) -> Prepared:
    """Return the rows of an account's events, of whatever age, and what is wrong with the others.

    `now` is the account's present; the batch's subjects all stand for the account.
    """
    events = batch.events
    targets = {event.subject: Target(account_id, now) for event in events}
    codes = {event.meter for event in events if event.meter is not None}
    rules = read_rules(await meters_of_events(conn, {event.type for event in events}, codes))
    return prepare(batch, targets, rules, now, Ages(ahead_max=ahead_max))


async def take_out(conn: Connection, event: StoredEvent) -> None:
    """Let an event count no longer; `lock_totals` came first."""
    await corrections_store.void(conn, event.account_id, [event.key])
    await recount(conn, event.account_id, {event.event_type}, {event.at})


async def renew_counters(conn: Connection, account_id: UUID, event_types: Collection[str]) -> None:
    """Let limits be held against the corrected totals at once, also where Redis counts.

    Locks the counters of these events' meters: to be called last.
    """
    await counters_store.renew(conn, account_id, event_types)


async def put_in(conn: Connection, row: Row) -> None:
    """Store an event under a key that nobody else can have."""
    await events_store.insert_new_events(conn, [row])


async def put_in_new(
    conn: Connection, batch: Batch, made: Prepared, wall: datetime
) -> Mapping[int, EventResult]:
    """Store the events of a checked batch whose key is new; answer those by position.

    A contradiction is kept aside as always.
    """
    events = [batch.events[index] for index in made.indexes]
    statuses = await write(conn, made.rows, [event.at for event in events], wall)
    return {
        index: _result(event, status)
        for index, event, status in zip(made.indexes, events, statuses, strict=True)
    }


def _result(event: UsageEvent, status: Status) -> EventResult:
    detail = "other_content" if status is Status.CONFLICT else None
    return EventResult(event.id, status, detail)
