"""Events that matched no account or no meter: parked, then matched, claimed or discarded.

An event that is counted later counts as if it had come in time: at its own instant, or else at
the one when it was received.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from tallystick.accounts.service import find_by_subjects, get_account
from tallystick.catalog.service import get_meter, meters_of_events
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import FieldError, NotFound
from tallystick.kernel.ids import HOUSE, new_id
from tallystick.kernel.paging import After, Page, PageRequest, make_page
from tallystick.metering import unmatched_store as store
from tallystick.metering.model import Batch, EventResult, Shape, Status, UsageEvent
from tallystick.metering.numbers import read_number
from tallystick.metering.prepare import Ages, Target, prepare, read_rules
from tallystick.metering.unmatched_store import Parked, Waiting
from tallystick.metering.write import digest, write

SETTLED_MAX: Final = 1_000
"""How many parked events one request settles."""

_SHAPE: Final = Shape(name="parked", place="events[{}]", properties="properties")
# Its age was checked when it came.
_ANY_AGE: Final = Ages(ahead_max=timedelta(days=400_000))
_PROPERTIES: Final = msgspec.json.Decoder(dict, float_hook=read_number)
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


class Parking(msgspec.Struct, frozen=True):
    """An event to park, and the digest by which it is parked once."""

    event: Parked
    digest: UUID

    @property
    def name(self) -> tuple[UUID, UUID]:
        """What makes it one."""
        return self.event.account_id, self.digest


def parking(event: UsageEvent, account_id: UUID | None, reason: str, now: datetime) -> Parking:
    """Return an event as it is parked; `account_id` None: its account is not known."""
    properties = _encode(event.properties).decode()
    parked = Parked(
        unmatched_event_id=new_id(),
        account_id=account_id or HOUSE,
        subject=event.subject,
        source=event.source,
        event_id=event.id,
        event_type=event.type,
        meter=None if event.type else event.meter,
        stated_at=event.at,
        received_at=now,
        properties=properties,
        reason=reason,
    )
    parts = (event.subject, event.source, event.id, event.type, parked.meter, properties)
    return Parking(parked, digest(event.at, *parts))


async def park(conn: Connection, events: Sequence[Parking]) -> set[tuple[UUID, UUID]]:
    """Keep events, each once, and return the names of those that staff have claimed already.

    Inside a transaction.
    """
    if not events:
        return set()
    told = [(one.event, one.digest) for one in events]
    await store.park(conn, told)
    return await store.claimed_of(conn, told)


async def list_parked(
    conn: Connection, request: PageRequest, status: str, subject: str | None
) -> Page[Parked]:
    """Return parked, claimed or discarded events, newest first."""
    rows = await store.list_page(conn, request, status, subject)
    total = await store.count(conn, status, subject)
    return make_page(
        rows, total, request, lambda row: After(at=row.received_at, id=row.unmatched_event_id)
    )


async def lock_parked(
    conn: Connection, ids: Sequence[UUID], subject: str | None
) -> Sequence[Parked]:
    """Return the events of these ids, or the oldest 1,000 of a subject, under lock.

    Those that were settled before are left out. Raises NotFound `unmatched_event_not_found`.
    """
    if subject is not None:
        return await store.lock_of_subject(conn, subject, SETTLED_MAX)
    found = await store.lock_by_ids(conn, ids)
    if len(found) < len(set(ids)):
        raise NotFound("unmatched_event_not_found", "There is no such unmatched event.")
    return [event for event in found if event.status == "parked"]


async def claim(
    conn: Connection,
    events: Sequence[Parked],
    *,
    account_id: UUID | None,
    meter_code: str | None,
    now: datetime,
) -> Sequence[tuple[UUID, EventResult]]:
    """Count locked events for an account, a meter, or both; what is not named is as they said.

    One that can not be counted stays parked: `unmatched`, or `invalid` with its faults by field.
    Raises NotFound for an account or a meter that is not there.
    """
    if account_id is not None:
        await get_account(conn, account_id)
    if meter_code is not None:
        await get_meter(conn, meter_code)
    counted = await _count(conn, events, account_id, meter_code, now)
    for claimed_by in {one.account_id for one in counted if one.is_settled}:
        ids = [one.id for one in counted if one.is_settled and one.account_id == claimed_by]
        await store.settle(conn, ids, "claimed", now, claimed_by)
    return [(one.id, one.result) for one in counted]


async def discard(conn: Connection, events: Sequence[Parked], now: datetime) -> None:
    """Say of locked events that they are never to be counted; resent, they stay discarded."""
    await store.settle(conn, [one.unmatched_event_id for one in events], "discarded", now, None)


async def match(conn: Connection, wanted: Sequence[Waiting], now: datetime) -> int:
    """Count parked events whose account and meter are known by now; return how many were tried.

    One that its meter can not count stays parked for staff, under the code of its fault.
    """
    events = await store.lock_waiting(conn, await _matching(conn, wanted), SETTLED_MAX)
    if not events:
        return 0
    counted = await _count(conn, events, None, None, now)
    await store.remove(conn, [one.id for one in counted if one.is_settled])
    faulty = [(one.id, one.result.detail or "") for one in counted if not one.is_settled]
    if faulty:
        await store.set_reasons(conn, faulty)
    return len(events)


class _Counted(msgspec.Struct, frozen=True):
    """A parked event after it was tried, with the account that it counts for."""

    id: UUID
    account_id: UUID | None
    result: EventResult

    @property
    def is_settled(self) -> bool:
        """Whether it is stored, or kept aside as a conflict: no longer parked either way."""
        return self.result.status not in (Status.INVALID, Status.UNMATCHED)


async def _matching(conn: Connection, wanted: Sequence[Waiting]) -> list[Waiting]:
    """Return those whose account and meter are known now."""
    accounts = await find_by_subjects(conn, list({one.subject for one in wanted}))
    found = [one for one in wanted if one.subject in accounts]
    codes = {one.meter for one in found if one.meter is not None}
    rules = read_rules(await meters_of_events(conn, {one.event_type for one in found}, codes))
    return [one for one in found if one.event_type in rules.by_type or one.meter in rules.by_meter]


async def _count(
    conn: Connection,
    parked: Sequence[Parked],
    account_id: UUID | None,
    meter_code: str | None,
    now: datetime,
) -> list[_Counted]:
    """Store parked events, each at its own instant, and say what became of each."""
    accounts = await _accounts(conn, parked, account_id)
    events = [_event(one, accounts, meter_code) for one in parked]
    targets = {str(one): Target(one, now) for one in accounts.values()}
    types, codes = {one.type for one in events}, {one.meter for one in events if one.meter}
    rules = read_rules(await meters_of_events(conn, types, codes))
    made = prepare(Batch(_SHAPE, events), targets, rules, now, _ANY_AGE)
    stated = [parked[index].stated_at for index in made.indexes]
    statuses = await write(conn, made.rows, stated, now)
    written = dict(zip(made.indexes, statuses, strict=True))
    return [
        _Counted(
            one.unmatched_event_id,
            accounts.get(one.unmatched_event_id),
            _result(one, written.get(index), made.faults.get(index), made.unmatched.get(index)),
        )
        for index, one in enumerate(parked)
    ]


async def _accounts(
    conn: Connection, parked: Sequence[Parked], account_id: UUID | None
) -> dict[UUID, UUID]:
    """Return by event the account it counts for: the one named, its own, or its subject's now."""
    if account_id is not None:
        return {one.unmatched_event_id: account_id for one in parked}
    unknown = {one.subject for one in parked if one.account_id == HOUSE}
    known = {
        subject: a.account_id
        for subject, a in (await find_by_subjects(conn, list(unknown))).items()
    }
    return {
        one.unmatched_event_id: own
        for one in parked
        if (own := known.get(one.subject) if one.account_id == HOUSE else one.account_id)
    }


def _event(one: Parked, accounts: Mapping[UUID, UUID], meter_code: str | None) -> UsageEvent:
    account_id = accounts.get(one.unmatched_event_id)
    return UsageEvent(
        source=one.source,
        id=one.event_id,
        type="" if meter_code else one.event_type,
        meter=meter_code or one.meter,
        subject=str(account_id) if account_id else "",
        at=one.at,
        properties=_PROPERTIES.decode(one.properties),
    )


def _result(
    one: Parked,
    status: Status | None,
    faults: Sequence[FieldError] | None,
    unmatched: str | None,
) -> EventResult:
    if status is not None:
        detail = "other_content" if status is Status.CONFLICT else None
        return EventResult(one.event_id, status, detail)
    if faults:
        return EventResult(one.event_id, Status.INVALID, faults[0].code, tuple(faults))
    return EventResult(one.event_id, Status.UNMATCHED, unmatched)
