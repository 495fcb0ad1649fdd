"""For staff: webhooks of gateways and webhooks to endpoints, and having them again."""

from typing import Annotated, Any, Final, Literal

from litestar import Response, get, post
from litestar.params import FromPath, Parameter, QueryParameter
from litestar.response import Redirect

from tallystick.console import webhook_views as views
from tallystick.console.context import Console
from tallystick.console.rendering import WebRequest, page
from tallystick.console.viewer import BILLING, WEBHOOKS
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF, WRITER
from tallystick.kernel.paging import LIMIT_DEFAULT, PAGE_MAX, PageRequest, page_request
from tallystick.outgoing_webhooks import deliveries, endpoints
from tallystick.outgoing_webhooks.model import DeliveryFilter, DeliveryStatus
from tallystick.webhooks import desk
from tallystick.webhooks.model import EventFilter, InboxState

_READ: Final = {"permission": "staff:read", "page": True}
_ADMIN: Final = {"permission": "staff:admin", "page": True}
_ENDPOINTS: Final = PageRequest(limit=100)
Number = Annotated[int, QueryParameter(name="page", ge=1, le=PAGE_MAX)]
StateChoice = Literal["", "received", "failed", "parked", "done", "ignored"]
StatusChoice = Literal["", "waiting", "delivered", "failed"]
EVENT: Final = f"{views.RECEIVED}/{{gateway:str}}/{{event_id:str}}"
DELIVERY: Final = f"{views.SENT}/{{delivery_id:str}}"


@get(WEBHOOKS, opt=_READ, include_in_schema=False)
async def show_events(
    console: Console,
    request: WebRequest,
    status: Annotated[StateChoice, Parameter(description="empty: all")] = "",
    number: Number = 1,
) -> Response[str]:
    """List what gateways told, newest first."""
    wanted = EventFilter(state=InboxState(status) if status else None)
    async with console.db.transaction(STAFF) as conn:
        found = await desk.list_events(conn, wanted, page_request(number, LIMIT_DEFAULT, None))
    facts = {
        "list": views.event_list(found),
        "choices": views.event_choices(),
        "status": status,
        "query": f"{WEBHOOKS}?status={status}&",
    }
    return page(console, request, "staff_webhooks.html", facts, here=BILLING)


@get(EVENT, opt=_READ, include_in_schema=False)
async def show_event(
    console: Console, request: WebRequest, gateway: FromPath[str], event_id: FromPath[str]
) -> Response[str]:
    """Show one event with its reason, its tries and its body without secrets."""
    async with console.db.transaction(STAFF) as conn:
        row = await desk.get_event(conn, gateway, event_id)
    facts = {
        "kind": row.kind,
        "status": row.state,
        "facts": list(views.event_facts(row)),
        "body": views.body_text(row.body),
        "replay": f"{views.event_path(row)}/replay",
    }
    return page(console, request, "staff_webhook.html", facts, here=BILLING)


@post(f"{EVENT}/replay", opt=_ADMIN, include_in_schema=False)
async def replay_event(
    console: Console, gateway: FromPath[str], event_id: FromPath[str]
) -> Response[Any]:
    """Have an event handled once more."""
    async with console.db.transaction(WRITER) as conn:
        row = await desk.replay_one(conn, gateway, event_id, console.clock())
    return Redirect(views.event_path(row), status_code=303)


@get(views.SENT, opt=_READ, include_in_schema=False)
async def show_deliveries(
    console: Console,
    request: WebRequest,
    status: Annotated[StatusChoice, Parameter(description="empty: all")] = "",
    number: Number = 1,
) -> Response[str]:
    """List endpoints, and what they were told, newest first."""
    wanted = DeliveryFilter(status=DeliveryStatus(status) if status else None)
    part = page_request(number, LIMIT_DEFAULT, None)
    async with console.db.transaction(STAFF) as conn:
        found = await deliveries.list_deliveries(conn, wanted, part)
        known = await endpoints.list_endpoints(conn, None, _ENDPOINTS)
    facts = {
        "list": views.delivery_list(found),
        "endpoints": [views.endpoint_row(one) for one in known.items],
        "choices": views.delivery_choices(),
        "status": status,
        "query": f"{views.SENT}?status={status}&",
    }
    return page(console, request, "staff_webhooks_sent.html", facts, here=BILLING)


@get(DELIVERY, opt=_READ, include_in_schema=False)
async def show_delivery(
    console: Console, request: WebRequest, delivery_id: FromPath[str]
) -> Response[str]:
    """Show one delivery with its body and every try."""
    wanted = ids.parse("webhook_delivery", delivery_id)
    async with console.db.transaction(STAFF) as conn:
        owner = await deliveries.owner_of(conn, wanted)
        log = await deliveries.read_log(conn, owner, wanted)
        endpoint = await endpoints.get(conn, owner, log.delivery.webhook_endpoint_id)
    facts = {
        "kind": log.delivery.kind,
        "status": log.delivery.status,
        "facts": list(views.delivery_facts(log, endpoint)),
        "body": views.body_text(log.body or b""),
        "tries": [views.try_row(one) for one in log.tries],
        "replay": f"{views.SENT}/{delivery_id}/replay",
    }
    return page(console, request, "staff_webhook_sent.html", facts, here=BILLING)


@post(f"{DELIVERY}/replay", opt=_ADMIN, include_in_schema=False)
async def replay_delivery(console: Console, delivery_id: FromPath[str]) -> Response[Any]:
    """Send a delivery again."""
    wanted = ids.parse("webhook_delivery", delivery_id)
    async with console.db.transaction(WRITER) as conn:
        owner = await deliveries.owner_of(conn, wanted)
        await deliveries.replay_one(conn, owner, wanted, console.clock())
    return Redirect(f"{views.SENT}/{delivery_id}", status_code=303)


ROUTES: Final = (
    show_events,
    show_event,
    replay_event,
    show_deliveries,
    show_delivery,
    replay_delivery,
)
