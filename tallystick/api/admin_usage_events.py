"""For staff: events that matched nobody, and events that contradict a stored one."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from litestar import get, post
from msgspec import Meta

from tallystick.api import fields
from tallystick.api.answers import Pagination, pagination
from tallystick.api.reasons import because
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF, WRITER, acting
from tallystick.kernel.errors import BadInput, FieldError
from tallystick.kernel.paging import PageRequest
from tallystick.metering import conflicts, unmatched
from tallystick.metering.conflicts_store import KeptConflict
from tallystick.metering.model import TEXT_LENGTH_MAX, EventResult, Status
from tallystick.metering.unmatched_store import Parked

BASE: Final = "/api/v1/admin"
TAGS: Final = ["Admin: usage"]
READ: Final = {"permission": "staff:read"}
FINANCE: Final = {"permission": "staff:finance"}
IDS_MAX: Final = 100
_JSON: Final = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)

ParkedStatus = Literal["parked", "claimed", "discarded"]
UnmatchedId = Annotated[
    str, Meta(extra_json_schema={"pattern": "^uev_[0-7][0-9a-hjkmnp-tv-z]{25}$"})
]
Subject = Annotated[
    str,
    Meta(
        extra_json_schema={
            "minLength": 1,
            "maxLength": TEXT_LENGTH_MAX,
            "pattern": r"^[^\x00-\x1f\x7f-\x9f]+$",
        }
    ),
]


class UnmatchedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it came, and why it is not counted."""

    id: str
    event_id: str
    source: str
    subject: str
    account: str | None
    type: str | None
    meter: str | None
    time: datetime
    properties: dict[str, Any]
    reason: str
    status: str
    received: datetime
    settled: datetime | None
    claimed_account: str | None


class UnmatchedList(msgspec.Struct, frozen=True):
    """One part of the unmatched events, newest first."""

    events: list[UnmatchedEvent]
    pagination: Pagination
    total: int


class SettleEvents(Body, frozen=True, kw_only=True):
    """What to do with which parked events: those named, or the oldest 1,000 of a subject.

    `claim` counts them, for `account` or as an event of `meter` where these are named; `discard`
    never.
    """

    action: Literal["claim", "discard"]
    reason: fields.Reason
    events: Annotated[
        list[UnmatchedId] | None, Meta(extra_json_schema={"description": "Up to 100."})
    ] = None
    subject: Subject | None = None
    account: fields.AccountId | None = None
    meter: fields.MeterCode | None = None


class SettledEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a parked event; `result` is what became of it as usage."""

    id: str
    event_id: str | None
    status: ParkedStatus
    result: Status | None = None
    detail: str | None = None
    errors: tuple[FieldError, ...] = ()


class SettledList(msgspec.Struct, frozen=True):
    """What became of each; those that were settled before are left out."""

    events: list[SettledEvent]
    total: int


class Told(msgspec.Struct, frozen=True):
    """What an event says."""

    type: str
    time: datetime
    properties: dict[str, Any]


class EventConflict(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent, and what is stored (and counted) under the same source and id."""

    id: str
    account: str
    source: str
    event_id: str
    status: str
    received: datetime
    settled: datetime | None
    sent: Told
    stored: Told | None


class ConflictList(msgspec.Struct, frozen=True):
    """One part of the conflicts, newest first."""

    conflicts: list[EventConflict]
    pagination: Pagination
    total: int


class Dismissal(Body, frozen=True, kw_only=True):
    """Why; it is kept in the audit."""

    reason: fields.Reason


class Dismissed(msgspec.Struct, frozen=True):
    """A conflict that is off the list."""

    id: str
    status: str


@get(f"{BASE}/unmatched-events", opt=READ, tags=TAGS, summary="Unmatched events")
async def list_unmatched(
    services: Services,
    paging: PageRequest,
    status: ParkedStatus = "parked",
    subject: str = "",
) -> UnmatchedList:
    """List events that named no known account or meter, or that staff have settled."""
    async with services.db.transaction(STAFF) as conn:
        found = await unmatched.list_parked(conn, paging, status, subject or None)
    return UnmatchedList([_unmatched(one) for one in found.items], pagination(found), found.total)


@post(
    f"{BASE}/unmatched-events",
    opt=FINANCE,
    tags=TAGS,
    status_code=200,
    summary="Claim or discard unmatched events",
)
async def settle_unmatched(data: SettleEvents, services: Services) -> SettledList:
    """Count parked events as if they had matched in time, or give them up.

    One that can not be counted stays parked and says why; the others are counted.
    """
    wanted = _wanted(data)
    account_id = ids.parse("account", data.account) if data.account else None
    now = services.clock()
    with acting(because(data.reason)):
        async with services.db.transaction(WRITER) as conn:
            events = await unmatched.lock_parked(conn, wanted, data.subject)
            if data.action == "discard":
                await unmatched.discard(conn, events, now)
                told = [_discarded(one) for one in events]
            else:
                results = await unmatched.claim(
                    conn, events, account_id=account_id, meter_code=data.meter, now=now
                )
                told = [_claimed(event_id, result) for event_id, result in results]
    return SettledList(told, len(told))


@get(f"{BASE}/event-conflicts", opt=READ, tags=TAGS, summary="Events that contradict")
async def list_conflicts(
    services: Services,
    paging: PageRequest,
    status: Literal["open", "dismissed"] = "open",
    account_id: str | None = None,
) -> ConflictList:
    """List events sent under the id of a stored one with other content; none of them counts."""
    wanted = ids.parse("account", account_id) if account_id else None
    async with services.db.transaction(STAFF) as conn:
        found = await conflicts.list_conflicts(conn, paging, status, wanted)
    return ConflictList([_conflict(one) for one in found.items], pagination(found), found.total)


@post(
    f"{BASE}/event-conflicts/{{conflict_id:str}}/dismiss",
    opt=FINANCE,
    tags=TAGS,
    status_code=200,
    summary="Dismiss a conflict",
)
async def dismiss_conflict(conflict_id: str, data: Dismissal, services: Services) -> Dismissed:
    """Take a conflict off the list; the stored event stands."""
    wanted = ids.parse("event_conflict", conflict_id)
    with acting(because(data.reason)):
        async with services.db.transaction(WRITER) as conn:
            await conflicts.dismiss(conn, wanted, services.clock())
    return Dismissed(conflict_id, "dismissed")


def _wanted(data: SettleEvents) -> list[UUID]:
    """Return the ids of the events named; raises BadInput for what does not fit together."""
    if (data.events is None) == (data.subject is None):
        raise BadInput.field("events", "events_or_subject", "name events, or a subject")
    named = data.events if data.events is not None else [""]
    if not 1 <= len(named) <= IDS_MAX:
        raise BadInput.field("events", "length", f"must be 1 to {IDS_MAX} events")
    if data.action == "discard" and (data.account or data.meter):
        field = "account" if data.account else "meter"
        raise BadInput.field(field, "not_discarded_to", "is only for claiming")
    return [ids.parse("unmatched_event", text) for text in data.events or ()]


def _unmatched(one: Parked) -> UnmatchedEvent:
    return UnmatchedEvent(
        id=ids.show("unmatched_event", one.unmatched_event_id),
        event_id=one.event_id,
        source=one.source,
        subject=one.subject,
        account=None if one.account_id == ids.HOUSE else ids.show("account", one.account_id),
        type=one.event_type or None,
        meter=one.meter,
        time=one.at,
        properties=_JSON.decode(one.properties),
        reason=one.reason,
        status=one.status,
        received=one.received_at,
        settled=one.settled_at,
        claimed_account=ids.show("account", one.claimed_account_id)
        if one.claimed_account_id
        else None,
    )


def _discarded(one: Parked) -> SettledEvent:
    shown = ids.show("unmatched_event", one.unmatched_event_id)
    return SettledEvent(id=shown, event_id=one.event_id, status="discarded")


def _claimed(event_id: UUID, result: EventResult) -> SettledEvent:
    is_parked = result.status in (Status.INVALID, Status.UNMATCHED)
    return SettledEvent(
        id=ids.show("unmatched_event", event_id),
        event_id=result.id,
        status="parked" if is_parked else "claimed",
        result=result.status,
        detail=result.detail,
        errors=result.errors,
    )


def _conflict(one: KeptConflict) -> EventConflict:
    stored = None
    if one.stored_event_type is not None and one.stored_at is not None:
        properties = _JSON.decode(one.stored_properties or "{}")
        stored = Told(one.stored_event_type, one.stored_at, properties)
    return EventConflict(
        id=ids.show("event_conflict", one.usage_conflict_id),
        account=ids.show("account", one.account_id),
        source=one.source,
        event_id=one.event_id,
        status=one.status,
        received=one.received_at,
        settled=one.settled_at,
        sent=Told(one.event_type, one.at, _JSON.decode(one.properties)),
        stored=stored,
    )


ROUTES: Final = (list_unmatched, settle_unmatched, list_conflicts, dismiss_conflict)
