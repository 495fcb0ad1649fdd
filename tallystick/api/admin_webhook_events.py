"""For staff: what gateways told us, and having it handled once more."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import get, post
from litestar.params import Parameter
from msgspec import Meta

from tallystick.api import fields
from tallystick.api.answers import Pagination, pagination
from tallystick.api.fields import check_instant
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF, WRITER
from tallystick.kernel.paging import PageRequest
from tallystick.webhooks import desk
from tallystick.webhooks.model import EventFilter, InboxRow, InboxState
from tallystick.webhooks.redaction import readable

BASE: Final = "/api/v1/admin/webhooks/events"
TAGS: Final = ["Admin: received webhooks"]
READ: Final = {"permission": "staff:read"}
ADMIN: Final = {"permission": "staff:admin"}
ONE: Final = f"{BASE}/{{gateway:str}}/{{event_id:str}}"
_NAME: Final = r"^[!-~]([ -~]*[!-~])?$"
_NAME_LENGTH_MAX: Final = 255

Status = Literal["received", "failed", "parked", "done", "ignored"]
StatusQuery = Annotated[Status | None, Parameter(description="none: all")]
GatewayQuery = Annotated[
    Literal["stripe", "ccbill", "paypal", "manual"] | None, Parameter(description="none: all")
]
KindQuery = Annotated[
    str | None,
    Parameter(description="the gateway's type of event", pattern=r"^[!-~]{5,255}$"),
]
Named = Annotated[
    str, Meta(extra_json_schema={"minLength": 1, "maxLength": _NAME_LENGTH_MAX, "pattern": _NAME})
]


class EventAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A received event. `failed`: it was received and could not be handled yet.

    `reason` says why it is not done: of a failure, of one that is parked or ignored.
    """

    gateway: str
    id: str
    type: str
    account: str | None
    status: str
    reason: str | None
    try_count: int
    next_try: datetime | None
    received: datetime
    done: datetime | None


class EventList(msgspec.Struct, frozen=True):
    """A part of the received events, newest first."""

    webhook_events: list[EventAnswer]
    pagination: Pagination
    total: int


class EventWithBody(msgspec.Struct, frozen=True):
    """An event with its body as JSON, secrets hidden; null where it is no JSON and no form."""

    event: EventAnswer
    body: Any


class ReplayEvents(Body, frozen=True, kw_only=True):
    """Which events are handled once more: those of a status, and of these all that is told."""

    status: Status
    gateway: Named | None = None
    event_id: Named | None = None
    type: Named | None = None
    since: fields.Instant | None = None
    until: fields.Instant | None = None


class ReplayedEvents(msgspec.Struct, frozen=True):
    """How many events are handled once more; `more`: there may be others, ask again."""

    count: int
    more: bool


@get(BASE, opt=READ, tags=TAGS, summary="Received webhooks")
async def list_events(
    services: Services,
    paging: PageRequest,
    *,
    gateway: GatewayQuery = None,
    status: StatusQuery = None,
    type: KindQuery = None,  # noqa: A002 - the parameter's name
) -> EventList:
    """List what gateways told, newest first."""
    wanted = EventFilter(gateway=gateway, state=_state(status), kind=type)
    async with services.db.transaction(STAFF) as conn:
        found = await desk.list_events(conn, wanted, paging)
    answers = [event_answer(row) for row in found.items]
    return EventList(answers, pagination(found), found.total)


@get(ONE, opt=READ, tags=TAGS, summary="A received webhook")
async def read_event(gateway: str, event_id: str, services: Services) -> EventWithBody:
    """Return one event with its body, without secrets."""
    async with services.db.transaction(STAFF) as conn:
        row = await desk.get_event(conn, gateway, event_id)
    return EventWithBody(event_answer(row), readable(row.body))


@post(f"{ONE}/replay", opt=ADMIN, tags=TAGS, status_code=202, summary="Handle an event once more")
async def replay_event(gateway: str, event_id: str, services: Services) -> EventAnswer:
    """Have an event handled now, whatever came of it before; what it did is not done twice."""
    async with services.db.transaction(WRITER) as conn:
        return event_answer(await desk.replay_one(conn, gateway, event_id, services.clock()))


@post(
    f"{BASE}/replay",
    opt={**ADMIN, "example": {"gateway": "stripe", "status": "failed"}},
    tags=TAGS,
    status_code=202,
    summary="Handle events once more",
)
async def replay_events(data: ReplayEvents, services: Services) -> ReplayedEvents:
    """Have all events that fit handled now, 10,000 at most, the oldest first."""
    wanted = EventFilter(
        gateway=data.gateway,
        event_id=data.event_id,
        state=_state(data.status),
        kind=data.type,
        since=None if data.since is None else check_instant("since", data.since),
        until=None if data.until is None else check_instant("until", data.until),
    )
    async with services.db.transaction(WRITER) as conn:
        count = await desk.replay(conn, wanted, services.clock())
    return ReplayedEvents(count, more=count == desk.REPLAY_MAX)


def event_answer(row: InboxRow) -> EventAnswer:
    """Show a received event without its body."""
    return EventAnswer(
        gateway=row.gateway,
        id=row.event_id,
        type=row.kind,
        account=ids.show("account", row.account_id) if row.account_id else None,
        status=row.state,
        reason=row.error,
        try_count=row.try_count,
        next_try=row.process_after,
        received=row.received_at,
        done=row.done_at,
    )


def _state(status: str | None) -> InboxState | None:
    return None if status is None else InboxState(status)


ROUTES: Final = (list_events, read_event, replay_event, replay_events)
