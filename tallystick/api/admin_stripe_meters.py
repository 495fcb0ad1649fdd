"""For staff: which meters go to Stripe, what it was told, and what it counted."""

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from litestar import delete, get, post, put
from litestar.params import Parameter, QueryParameter

from tallystick.api import fields
from tallystick.api.answers import Pagination, pagination, plain
from tallystick.api.fields import line
from tallystick.api.reasons import ReasonParameter, because
from tallystick.api.services import Services, meter_rules
from tallystick.api.strict import Body
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF, WRITER, acting
from tallystick.kernel.paging import PageRequest
from tallystick.payments.gateway import not_configured
from tallystick.payments.gateways.stripe import stripe_of
from tallystick.payments.gateways.stripe.meters import StripeMeters
from tallystick.stripe_meters import service
from tallystick.stripe_meters.model import (
    Decision,
    EventStatus,
    HourSide,
    Sides,
    StripeMeter,
    ToldEvent,
)
from tallystick.stripe_meters.outcomes import identifier
from tallystick.stripe_meters.service import Configuration
from tallystick.stripe_meters.summaries import read_sides

BASE: Final = "/api/v1/admin/stripe-meters"
TAGS: Final = ["Admin: Stripe meters"]
READ: Final = {"permission": "staff:read"}
ADMIN: Final = {"permission": "staff:admin"}
FINANCE: Final = {"permission": "staff:finance"}
EVENT_NAME_LENGTH_MAX: Final = 100
"""As long as an event name may be at Stripe."""

Status = Literal[
    "parked", "queued", "unknown", "sent", "refused", "held", "canceling", "canceled",
    "replaced", "settled",
]  # fmt: skip
StatusQuery = Annotated[Status | None, Parameter(description="none: all")]
AccountQuery = Annotated[str | None, Parameter(description="of this account; none: all")]
From = Annotated[datetime, QueryParameter(name="from", description="A whole hour of UTC.")]
To = Annotated[datetime, QueryParameter(name="to", description="A whole hour; exclusive.")]
MeterQuery = Annotated[str, Parameter(description="code of the meter", max_length=63)]
OfAccount = Annotated[str, Parameter(description="id of the account", max_length=63)]


class SetStripeMeter(Body, frozen=True, kw_only=True):
    """Where a meter goes. Hours before `sends_from` are not sent; left out: the running hour."""

    event_name: Annotated[str, line(EVENT_NAME_LENGTH_MAX)]
    sends_from: fields.Instant | None = None
    reason: fields.Reason


class StripeMeterAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A meter and the one at Stripe that it goes to."""

    meter: str
    event_name: str
    stripe_meter: str
    formula: str
    sends_from: datetime


class StripeMeterWaiting(msgspec.Struct, frozen=True):
    """How many events stand so, and since when the oldest does."""

    status: str
    count: int
    oldest: datetime


class StripeMetersState(msgspec.Struct, frozen=True, kw_only=True):
    """Which meters go to Stripe, and how sending goes.

    `hours_waiting` have new usage and are looked at when they have settled. After a failure,
    sending rests until `next_try_at`. `unnamed`: events of the last seven days of which Stripe
    said that they do not count, without saying which.
    """

    configured: bool
    meters: list[StripeMeterAnswer]
    waiting: list[StripeMeterWaiting]
    hours_waiting: int
    unnamed: int
    last_sent_at: datetime | None
    failures_in_a_row: int
    last_error: str | None
    last_error_at: datetime | None
    next_try_at: datetime | None


class StripeMeterEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What Stripe is told of an hour; `id` is the event's identifier there.

    A negative `value` is what it has too much. `reason`: Stripe's code, or why it is held.
    """

    id: str
    account: str
    meter: str
    event_name: str
    hour: datetime
    value: str
    timestamp: datetime
    customer: str | None
    status: str
    reason: str | None
    created: datetime
    first_tried: datetime | None
    sent: datetime | None
    try_count: int


class StripeMeterEventList(msgspec.Struct, frozen=True):
    """A part of what Stripe was told or is to be, newest first."""

    events: list[StripeMeterEvent]
    pagination: Pagination
    total: int


class DecideMeterEvent(Body, frozen=True, kw_only=True):
    """What a person found out: Stripe counts it, it does not, or it was dealt with otherwise."""

    decision: Decision
    reason: fields.Reason


class StripeMeterHour(msgspec.Struct, frozen=True, kw_only=True):
    """An hour as it was sent and as Stripe counted it; `stripe` null: it has nothing there.

    `open` events are on their way, were refused or wait for a person.
    """

    hour: datetime
    sent: str
    sent_events: int
    open_events: int
    stripe: str | None


class StripeMeterSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent and what Stripe counted in [from, to), by hours that have either."""

    account: str
    customer: str
    meter: str
    stripe_meter: str
    formula: str
    from_: datetime = msgspec.field(name="from")
    to: datetime
    hours: list[StripeMeterHour]


@get(BASE, opt=READ, tags=TAGS, summary="Which meters go to Stripe, and how it goes")
async def read_state(services: Services) -> StripeMetersState:
    """Return the meters that go to Stripe, what is not done, and the last error."""
    async with services.db.transaction(STAFF) as conn:
        meters = await service.list_meters(conn)
        state = await service.sync_state(conn, services.clock())
    sync = state.sync
    return StripeMetersState(
        configured=stripe_of(services.gateways) is not None,
        meters=[_meter(meter.code, there) for meter, there in meters],
        waiting=[StripeMeterWaiting(one.status, one.count, one.oldest_at) for one in state.waiting],
        hours_waiting=state.hours_count,
        unnamed=state.unnamed_count,
        last_sent_at=sync.last_sent_at,
        failures_in_a_row=sync.failure_count,
        last_error=sync.last_error,
        last_error_at=sync.last_error_at,
        next_try_at=sync.next_try_at if sync.failure_count else None,
    )


@put(
    f"{BASE}/meters/{{meter_code:str}}",
    opt={**ADMIN, "gateway": True},
    tags=TAGS,
    summary="Send a meter to Stripe",
)
async def set_meter(meter_code: str, data: SetStripeMeter, services: Services) -> StripeMeterAnswer:
    """Say which meter at Stripe gets a meter's hours; Stripe is asked whether it has it."""
    if data.sends_from is not None:
        fields.check_instant("sends_from", data.sends_from)
    rules = meter_rules(services.settings)
    with acting(because(data.reason)):
        setting = Configuration(services.db, _stripe(services), services.clock, rules)
        saved = await setting.set_meter(meter_code, data.event_name, data.sends_from)
    return _meter(meter_code, saved)


@delete(
    f"{BASE}/meters/{{meter_code:str}}",
    opt=ADMIN,
    tags=TAGS,
    status_code=204,
    summary="Send a meter to Stripe no more",
)
async def remove_meter(meter_code: str, services: Services, reason: ReasonParameter) -> None:
    """Send nothing more of a meter; what Stripe has stays there."""
    with acting(because(reason)):
        async with services.db.transaction(WRITER) as conn:
            await service.remove_meter(conn, meter_code)


@get(f"{BASE}/events", opt=READ, tags=TAGS, summary="What Stripe was told")
async def list_events(
    services: Services,
    paging: PageRequest,
    *,
    status: StatusQuery = None,
    account_id: AccountQuery = None,
) -> StripeMeterEventList:
    """List events, newest first, with what became of each."""
    wanted = EventStatus(status) if status else None
    whose = ids.parse("account", account_id) if account_id else None
    async with services.db.transaction(STAFF) as conn:
        found = await service.list_events(conn, paging, wanted, whose)
        codes = await service.codes(conn)
    answers = [_told(event, codes[event.meter_id]) for event in found.items]
    return StripeMeterEventList(answers, pagination(found), found.total)


@post(
    f"{BASE}/events/{{stripe_meter_event_id:str}}/decision",
    opt=FINANCE,
    tags=TAGS,
    status_code=200,
    summary="Decide about an event",
)
async def decide_event(
    stripe_meter_event_id: str, data: DecideMeterEvent, services: Services
) -> StripeMeterEvent:
    """Say what became of an event that Stripe refused or that is held; kept in the audit.

    `counted`: Stripe has it. `not_counted`: what its hour lacks is sent in a new event.
    `settled`: it was dealt with in another way, or never will be sent.
    """
    wanted = ids.parse("stripe_meter_event", stripe_meter_event_id)
    with acting(because(data.reason)):
        async with services.db.transaction(WRITER) as conn:
            event = await service.decide(conn, wanted, data.decision, data.reason, services.clock())
            codes = await service.codes(conn)
    return _told(event, codes[event.meter_id])


@get(f"{BASE}/summaries", opt=READ, tags=TAGS, summary="What was sent, and what Stripe counted")
async def read_summaries(
    services: Services, account_id: OfAccount, meter: MeterQuery, since: From, until: To
) -> StripeMeterSummary:
    """Return an account's usage of a meter by whole hours, as sent and as Stripe counted it.

    Stripe counts a little later than it answers, so the last hours may differ; at most 62 days.
    """
    whose = ids.parse("account", account_id)
    span = fields.check_instant("from", since), fields.check_instant("to", until)
    found = await read_sides(services.db, _stripe(services), whose, meter, span)
    return summary_answer(account_id, meter, found)


def summary_answer(account: str, meter: str, found: Sides) -> StripeMeterSummary:
    """Show both sides."""
    return StripeMeterSummary(
        account=account,
        customer=found.customer,
        meter=meter,
        stripe_meter=found.meter.reference,
        formula=found.meter.formula,
        from_=found.start,
        to=found.end,
        hours=[_hour(one) for one in found.hours],
    )


def _stripe(services: Services) -> StripeMeters:
    stripe = stripe_of(services.gateways)
    if stripe is None:
        raise not_configured("stripe")
    return stripe.meters


def _meter(code: str, there: StripeMeter) -> StripeMeterAnswer:
    return StripeMeterAnswer(
        meter=code,
        event_name=there.event_name,
        stripe_meter=there.reference,
        formula=there.formula,
        sends_from=there.sends_from,
    )


def _told(event: ToldEvent, meter: str) -> StripeMeterEvent:
    return StripeMeterEvent(
        id=identifier(event),
        account=ids.show("account", event.account_id),
        meter=meter,
        event_name=event.event_name,
        hour=event.hour,
        value=plain(event.value),
        timestamp=event.at,
        customer=event.customer,
        status=event.status,
        reason=event.reason,
        created=event.created_at,
        first_tried=event.first_tried_at,
        sent=event.sent_at,
        try_count=event.try_count,
    )


def _hour(one: HourSide) -> StripeMeterHour:
    return StripeMeterHour(
        hour=one.hour,
        sent=plain(one.sent),
        sent_events=one.sent_count,
        open_events=one.open_count,
        stripe=None if one.theirs is None else plain(one.theirs),
    )


ROUTES: Final = (
    read_state,
    set_meter,
    remove_meter,
    list_events,
    decide_event,
    read_summaries,
)
