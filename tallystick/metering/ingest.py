"""Events in: every one answered, every one once.

Most requests hold only new events and are copied straight into the table. A request with a key
that is stored already, or twice in itself, is written again by the slower way that can tell which.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from tallystick.accounts.model import Account
from tallystick.accounts.service import find_by_subjects
from tallystick.catalog.service import meters_of_events
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.errors import Conflict, FieldError, TooMany
from tallystick.metering import events_store, own_events
from tallystick.metering.bodies import ERRORS_MAX, refuse
from tallystick.metering.model import EventResult, Shape, Status, UsageEvent
from tallystick.metering.prepare import Prepared, Rules, Target, prepare, read_rules

log = structlog.get_logger()

_UNMATCHED: Final = {
    "unknown_subject": "names no account",
    "unknown_type": "is counted by no meter",
}
_MET_ANOTHER: Final = (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError)


class Ingest:
    """Records usage events; opens transactions of its own under the writer's scope."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def record(
        self,
        events: Sequence[UsageEvent],
        *,
        now: datetime,
        only_account: UUID | None = None,
        strict: bool = True,
        shape: Shape = own_events.SHAPE,
    ) -> tuple[EventResult, ...]:
        """Store what is new and answer each event, in order; all in one commit.

        `only_account`: the account of the caller's key; any other's subject is unknown to it.
        Strict: one event that matches nobody (BadInput) or differs from the stored one of its
        key (Conflict `event_conflict`) refuses the whole request; otherwise that is its answer
        and the others are stored. A malformed event refuses the request either way: BadInput.
        """
        # Two requests may hold the same events in two orders: the database then ends one of them.
        for write in (_copy, _insert_new, _insert_new):
            try:
                async with self._db.transaction(WRITER) as conn:
                    targets = await _targets(conn, events, only_account, now)
                    ready = prepare(events, targets, await _rules(conn, events), shape)
                    refuse([*ready.faults, *(_unmatched(ready, shape) if strict else ())])
                    statuses = await write(conn, ready, events)
                    if strict:
                        _refuse_conflicts(ready, statuses, shape)
                return _results(events, ready, statuses)
            except _MET_ANOTHER as error:
                log.info("usage_events_met_others", error=type(error).__name__, count=len(events))
        raise TooMany(
            "events_contended",
            "The same events are being sent by others at this moment; send them again.",
            extra={"retry_after": 1},
        )


async def _targets(
    conn: Connection, events: Sequence[UsageEvent], only_account: UUID | None, wall: datetime
) -> dict[str, Target]:
    """Return the account of each subject that the caller may write for, and its present."""
    found = await find_by_subjects(conn, list({event.subject for event in events}))
    return {
        subject: Target(account.account_id, await _present(conn, account, wall))
        for subject, account in found.items()
        if only_account is None or account.account_id == only_account
    }


async def _present(conn: Connection, account: Account, wall: datetime) -> datetime:
    if account.test_clock_id is None:
        return wall
    return await account_now(conn, account.account_id, wall)


async def _rules(conn: Connection, events: Sequence[UsageEvent]) -> Rules:
    types = {event.type for event in events}
    codes = {event.meter for event in events if event.meter is not None}
    return read_rules(await meters_of_events(conn, types, codes))


async def _copy(conn: Connection, ready: Prepared, _: Sequence[UsageEvent]) -> list[Status]:
    """Write all rows as new ones; a key that is there already ends the transaction."""
    await events_store.copy_events(conn, ready.rows)
    return [Status.ACCEPTED] * len(ready.rows)


async def _insert_new(
    conn: Connection, ready: Prepared, events: Sequence[UsageEvent]
) -> list[Status]:
    """Write the rows whose key is new, the first of each key, and compare the others."""
    firsts = {row[:2]: at for at, row in reversed(list(enumerate(ready.rows)))}
    written = await events_store.insert_new_events(conn, [ready.rows[at] for at in firsts.values()])
    statuses = [Status.CONFLICT] * len(ready.rows)
    for key in written:
        statuses[firsts[key]] = Status.ACCEPTED
    others = [at for at, status in enumerate(statuses) if status is not Status.ACCEPTED]
    stated = [events[ready.positions[at]].at for at in others]
    same = await events_store.same_as_stored(conn, [ready.rows[at] for at in others], stated)
    for at, is_same in zip(others, same, strict=True):
        if is_same:
            statuses[at] = Status.DUPLICATE
    return statuses


def _unmatched(ready: Prepared, shape: Shape) -> list[FieldError]:
    names = {"unknown_subject": shape.subject, "unknown_type": shape.type}
    return [
        FieldError(shape.path(position, names[code]), code, _UNMATCHED[code])
        for position, code in ready.unmatched.items()
    ]


def _refuse_conflicts(ready: Prepared, statuses: Sequence[Status], shape: Shape) -> None:
    message = "was sent before with other content; an event never changes"
    found = [
        FieldError(shape.path(position, shape.id), "event_conflict", message)
        for position, status in zip(ready.positions, statuses, strict=True)
        if status is Status.CONFLICT
    ]
    if found:
        detail = f"{found[0].field}: {message}. Nothing of the request was stored."
        raise Conflict("event_conflict", detail, errors=found[:ERRORS_MAX])


def _results(
    events: Sequence[UsageEvent], ready: Prepared, statuses: Sequence[Status]
) -> tuple[EventResult, ...]:
    by_position = dict(zip(ready.positions, statuses, strict=True))
    return tuple(
        _result(event, by_position.get(position), ready.unmatched.get(position))
        for position, event in enumerate(events)
    )


def _result(event: UsageEvent, status: Status | None, unmatched: str | None) -> EventResult:
    if status is None:
        return EventResult(event.id, Status.UNMATCHED, unmatched)
    detail = "other_content" if status is Status.CONFLICT else None
    return EventResult(event.id, status, detail)
