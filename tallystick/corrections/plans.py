"""From what is asked for to what is done: each kind of correction, checked before it is written."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tallystick.corrections import store
from tallystick.corrections.model import Change, Correction, Effect, Kind, Named, Outcome, Told
from tallystick.kernel.db import Connection, actor
from tallystick.kernel.errors import Conflict, FieldError, NotFound
from tallystick.kernel.ids import new_id, show
from tallystick.metering import corrections as usage
from tallystick.metering import walk
from tallystick.metering.archive_checks import refuse_archived_event
from tallystick.metering.bodies import refuse
from tallystick.metering.model import Batch, EventResult, Shape, Status, UsageEvent
from tallystick.metering.prepare import Prepared, Row, event_key
from tallystick.metering.walk_model import StoredEvent

BACKFILL: Final = Shape(name="backfill", place="events[{}]", properties="properties")

_encode: Final = msgspec.json.Encoder(decimal_format="string", order="sorted").encode


class Times(msgspec.Struct, frozen=True):
    """The account's present, wall time, and how far ahead of the present an event may be."""

    now: datetime
    wall: datetime
    ahead_max: timedelta


class Written(msgspec.Struct, frozen=True):
    """What was written, and which keys were taken out."""

    corrections: tuple[Correction, ...]
    taken: tuple[UUID, ...] = ()
    results: tuple[EventResult, ...] = ()


class Plan(msgspec.Struct, frozen=True):
    """A correction that can be made: `write` makes it, under the lock of the totals.

    `intent` names what is done, for the confirmation.
    """

    intent: str
    event_types: frozenset[str]
    instants: tuple[datetime, ...]
    write: Callable[[Connection], Awaitable[Written]]


class Checked(msgspec.Struct, frozen=True):
    """Events as they can be stored, and what is wrong with the others, by position."""

    batch: Batch
    made: Prepared
    faults: Mapping[int, Sequence[FieldError]]


class Found(msgspec.Struct, frozen=True):
    """The version of an event that counts, None when it was taken out, and its corrections."""

    newest: StoredEvent | None
    chain: tuple[Correction, ...]
    root_key: UUID


async def reversal(conn: Connection, named: Named, reason: str, times: Times) -> Plan | Outcome:
    """Plan to take an event out. Raises NotFound, Conflict `usage_archived`."""
    found = await find(conn, named)
    if found.newest is None:
        return _unchanged(found.chain)
    was = told(found.newest)
    await usage.need_countable(conn, was.at)
    record = _record(named, found, reason, times, kind="reverse", old=was)
    return Plan(
        intent=_intent("reverse", found.newest.key),
        event_types=frozenset({was.type}),
        instants=(was.at,),
        write=partial(_reverse, found.newest, record),
    )


async def amendment(
    conn: Connection, named: Named, change: Change, reason: str, times: Times
) -> Plan | Outcome:
    """Plan to put another event in the place of one.

    Raises NotFound; BadInput naming the fields that no meter can count; Conflict `event_reversed`,
    `usage_archived`.
    """
    found = await find(conn, named)
    if found.newest is None:
        raise Conflict(
            "event_reversed",
            "This event was taken out and can not be amended; send it anew under another id.",
        )
    was = told(found.newest)
    new = changed(was, change)
    if new == was:
        return _unchanged(found.chain)
    await usage.need_countable(conn, was.at)
    record = _record(named, found, reason, times, kind="amend", old=was, new=new)
    event = UsageEvent(
        source=usage.AMENDMENTS,
        id=show("usage_correction", record.usage_correction_id),
        type=new.type,
        subject=show("account", named.account_id),
        at=new.at,
        properties=new.properties,
    )
    checked = await _check(conn, named.account_id, Batch(usage.AMENDMENT, [event]), times)
    _refuse(checked)
    row = checked.made.rows[0]
    return Plan(
        intent=_intent("amend", found.newest.key, new),
        event_types=frozenset({was.type, new.type}),
        instants=(was.at, new.at),
        write=partial(_amend, found.newest, row, replace(record, new_key=row[1])),
    )


async def backfilling(
    conn: Connection, account_id: UUID, events: Sequence[UsageEvent], reason: str, times: Times
) -> Plan:
    """Plan to store an account's events of any age; what can not be counted is answered so.

    Raises BadInput when none can.
    """
    checked = await _check(conn, account_id, Batch(BACKFILL, events), times)
    rows = checked.made.rows
    if not rows:
        _refuse(checked)
    return Plan(
        intent=_intent("backfill", account_id, [row[1:] for row in rows]),
        event_types=frozenset(row[3] for row in rows),
        instants=tuple(row[2] for row in rows),
        write=partial(_backfill, checked, reason, times),
    )


async def find(conn: Connection, named: Named) -> Found:
    """Return the version of an event that counts, whichever version is named.

    Raises NotFound `event_not_found`, Conflict `usage_archived`.
    """
    key = event_key(named.source, named.event_id)
    chain = await store.chain(conn, named.account_id, key)
    newest_key = chain[-1].new_key if chain else key
    newest = None
    if newest_key is not None:
        events = await walk.events_by_keys(conn, named.account_id, [newest_key])
        if not events:
            await refuse_archived_event(conn, named.account_id, newest_key, None)
            raise NotFound("event_not_found", "There is no such event of this account.")
        newest = events[0]
    return Found(newest, chain, chain[0].root_key if chain else key)


def told(event: StoredEvent) -> Told:
    """Return what a stored event says."""
    return Told(event.event_type, event.at, usage.properties_of(event.properties))


def changed(was: Told, change: Change) -> Told:
    """Return what an event says after a change."""
    return Told(
        was.type if change.type is None else change.type,
        was.at if change.at is None else change.at,
        was.properties if change.properties is None else change.properties,
    )


async def _reverse(newest: StoredEvent, record: Correction, conn: Connection) -> Written:
    await usage.take_out(conn, newest)
    return Written((record,), taken=(newest.key,))


async def _amend(newest: StoredEvent, row: Row, record: Correction, conn: Connection) -> Written:
    await usage.take_out(conn, newest)
    await usage.put_in(conn, row)
    return Written((record,), taken=(newest.key,))


async def _backfill(checked: Checked, reason: str, times: Times, conn: Connection) -> Written:
    batch, made = checked.batch, checked.made
    answers = dict(await usage.put_in_new(conn, batch, made, times.wall))
    records = []
    for index, (account_id, key, at, event_type, *_) in zip(made.indexes, made.rows, strict=True):
        event = batch.events[index]
        if answers[index].status is Status.ACCEPTED:
            named = Named(account_id, event.source, event.id)
            new = Told(event_type, at, event.properties)
            record = _record(named, Found(None, (), key), reason, times, kind="backfill", new=new)
            records.append(replace(record, new_key=key))
    for index, found in checked.faults.items():
        event_id = batch.events[index].id
        answers[index] = EventResult(event_id, Status.INVALID, found[0].code, tuple(found))
    results = tuple(answers[index] for index in range(len(batch.events)))
    return Written(tuple(records), results=results)


async def _check(conn: Connection, account_id: UUID, batch: Batch, times: Times) -> Checked:
    """Check events; what no meter counts is wrong too, for a person is asking."""
    made = await usage.check_events(conn, account_id, batch, times.now, times.ahead_max)
    faults = {index: list(found) for index, found in made.faults.items()}
    for index in made.unmatched:
        name = batch.shape.type if batch.events[index].type else "meter"
        fault = FieldError(batch.shape.path(index, name), "unknown_type", "is counted by no meter")
        faults.setdefault(index, []).append(fault)
    return Checked(batch, made, faults)


def _refuse(checked: Checked) -> None:
    refuse([fault for found in checked.faults.values() for fault in found])


def _record(
    named: Named,
    found: Found,
    reason: str,
    times: Times,
    *,
    kind: Kind,
    old: Told | None = None,
    new: Told | None = None,
) -> Correction:
    who = actor()
    first = found.chain[0] if found.chain else None
    return Correction(
        account_id=named.account_id,
        usage_correction_id=new_id(),
        kind=kind,
        root_key=found.root_key,
        position=len(found.chain) + 1,
        key=found.newest.key if found.newest else None,
        new_key=None,
        source=first.source if first else named.source,
        event_id=first.event_id if first else named.event_id,
        old=old,
        new=new,
        reason=reason,
        actor_kind=who.kind,
        actor_id=who.id,
        request_id=who.request_id,
        corrected_at=times.wall,
    )


def _unchanged(chain: Sequence[Correction]) -> Outcome:
    """Answer what was done already with the correction that did it."""
    last = tuple(chain[-1:])
    effect = Effect(billed=last[0].billed if last else ())
    return Outcome(state="unchanged", effect=effect, corrections=last)


def _intent(*parts: object) -> str:
    return _encode(parts).decode()
