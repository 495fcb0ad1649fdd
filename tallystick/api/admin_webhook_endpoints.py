"""For staff: the business's own webhook endpoints, and a look at those of accounts."""

from datetime import timedelta
from typing import Final

from litestar import delete, get, patch, post

from tallystick.api import webhook_answers as answers
from tallystick.api.services import Services
from tallystick.api.webhook_endpoints import replay_of
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF, WRITER
from tallystick.kernel.ids import HOUSE
from tallystick.kernel.paging import PageRequest
from tallystick.outgoing_webhooks import deliveries, endpoints
from tallystick.outgoing_webhooks.model import DeliveryFilter

BASE: Final = "/api/v1/admin/webhooks"
TAGS: Final = ["Admin: webhook endpoints"]
READ: Final = {"permission": "staff:read"}
ADMIN: Final = {"permission": "staff:admin"}
ENDPOINTS: Final = f"{BASE}/endpoints"
ONE: Final = f"{ENDPOINTS}/{{webhook_endpoint_id:str}}"
DELIVERY: Final = f"{BASE}/deliveries/{{webhook_delivery_id:str}}"


@get(ENDPOINTS, opt=READ, tags=TAGS, summary="Webhook endpoints of all")
async def list_all_endpoints(
    services: Services, paging: PageRequest, account_id: answers.AccountQuery = None
) -> answers.EndpointList:
    """List endpoints, newest first: of one account, or of all with the business's own."""
    owner = ids.parse("account", account_id) if account_id else None
    async with services.db.transaction(STAFF) as conn:
        return answers.endpoint_list(await endpoints.list_endpoints(conn, owner, paging))


@post(
    ENDPOINTS,
    opt={**ADMIN, **answers.TOLD_ONCE, "example": answers.EXAMPLE},
    tags=TAGS,
    summary="Make a webhook endpoint of the business",
)
async def create_own_endpoint(
    data: answers.EndpointBody, services: Services
) -> answers.EndpointAnswer:
    """Make an endpoint that is told of every account. Its secret is in this answer alone."""
    async with services.db.transaction(WRITER) as conn:
        made, secret = await endpoints.create(
            conn, HOUSE, data.asked(), services.endpoint_rules, services.clock()
        )
    return answers.endpoint_answer(made, secret)


@get(ONE, opt=READ, tags=TAGS, summary="Any webhook endpoint")
async def read_any_endpoint(webhook_endpoint_id: str, services: Services) -> answers.EndpointAnswer:
    """Return one endpoint, whosever it is, without its secret."""
    wanted = ids.parse("webhook_endpoint", webhook_endpoint_id)
    async with services.db.transaction(STAFF) as conn:
        owner = await endpoints.owner_of(conn, wanted)
        return answers.endpoint_answer(await endpoints.get(conn, owner, wanted))


@patch(ONE, opt=ADMIN, tags=TAGS, summary="Change any webhook endpoint")
async def change_any_endpoint(
    webhook_endpoint_id: str, data: answers.EndpointChangeBody, services: Services
) -> answers.EndpointAnswer:
    """Change address, description or types, or enable and disable it."""
    wanted = ids.parse("webhook_endpoint", webhook_endpoint_id)
    async with services.db.transaction(WRITER) as conn:
        owner = await endpoints.owner_of(conn, wanted)
        changed = await endpoints.change(conn, owner, wanted, data.asked(), services.endpoint_rules)
    return answers.endpoint_answer(changed)


@delete(ONE, opt=ADMIN, tags=TAGS, summary="Delete any webhook endpoint")
async def delete_any_endpoint(webhook_endpoint_id: str, services: Services) -> None:
    """Delete an endpoint with its secrets and the log of its deliveries."""
    wanted = ids.parse("webhook_endpoint", webhook_endpoint_id)
    async with services.db.transaction(WRITER) as conn:
        await endpoints.delete(conn, await endpoints.owner_of(conn, wanted), wanted)


@post(
    f"{ONE}/rotate-secret",
    opt={**ADMIN, **answers.TOLD_ONCE},
    tags=TAGS,
    status_code=200,
    summary="Rotate any endpoint's secret",
)
async def rotate_any_secret(
    webhook_endpoint_id: str, services: Services, data: answers.RotateBody | None = None
) -> answers.EndpointAnswer:
    """Make a new secret, told once; the old one signs along for `keep_hours`."""
    wanted = ids.parse("webhook_endpoint", webhook_endpoint_id)
    keep = timedelta(hours=(data or answers.RotateBody()).keep_hours)
    async with services.db.transaction(WRITER) as conn:
        owner = await endpoints.owner_of(conn, wanted)
        rotated, secret = await endpoints.rotate_secret(conn, owner, wanted, services.clock(), keep)
    return answers.endpoint_answer(rotated, secret)


@post(f"{ONE}/replay", opt=ADMIN, tags=TAGS, status_code=202, summary="Send any time range again")
async def replay_any_range(
    webhook_endpoint_id: str, data: answers.ReplayBody, services: Services
) -> answers.ReplayAnswer:
    """Send what an endpoint missed in a time range, 10,000 of each sort at most, oldest first."""
    wanted, span = ids.parse("webhook_endpoint", webhook_endpoint_id), replay_of(data)
    async with services.db.transaction(WRITER) as conn:
        owner = await endpoints.owner_of(conn, wanted)
        found = await deliveries.replay_range(conn, owner, wanted, span, services.clock())
    return answers.replay_answer(found)


@get(f"{BASE}/deliveries", opt=READ, tags=TAGS, summary="Webhook deliveries to all")
async def list_all_deliveries(
    services: Services,
    paging: PageRequest,
    endpoint: answers.EndpointQuery = None,
    status: answers.StatusQuery = None,
    type: answers.TypeQuery = None,  # noqa: A002 - the parameter's name
) -> answers.DeliveryList:
    """List what was told and what waits, newest first, whosever endpoint it goes to."""
    wanted = DeliveryFilter(
        webhook_endpoint_id=ids.parse("webhook_endpoint", endpoint) if endpoint else None,
        status=answers.status_of(status),
        kind=type,
    )
    async with services.db.transaction(STAFF) as conn:
        return answers.delivery_list(await deliveries.list_deliveries(conn, wanted, paging))


@get(DELIVERY, opt=READ, tags=TAGS, summary="Any webhook delivery")
async def read_any_delivery(
    webhook_delivery_id: str, services: Services
) -> answers.DeliveryLogAnswer:
    """Return one delivery with its body and each try, whosever endpoint it goes to."""
    wanted = ids.parse("webhook_delivery", webhook_delivery_id)
    async with services.db.transaction(STAFF) as conn:
        owner = await deliveries.owner_of(conn, wanted)
        return answers.log_answer(await deliveries.read_log(conn, owner, wanted))


@post(f"{DELIVERY}/replay", opt=ADMIN, tags=TAGS, status_code=202, summary="Send any again")
async def replay_any_delivery(
    webhook_delivery_id: str, services: Services
) -> answers.DeliveryAnswer:
    """Send one delivery now, with the same id and body, whatever came of it before."""
    wanted = ids.parse("webhook_delivery", webhook_delivery_id)
    async with services.db.transaction(WRITER) as conn:
        owner = await deliveries.owner_of(conn, wanted)
        found = await deliveries.replay_one(conn, owner, wanted, services.clock())
    return answers.delivery_answer(found)


ROUTES: Final = (
    list_all_endpoints,
    create_own_endpoint,
    read_any_endpoint,
    change_any_endpoint,
    delete_any_endpoint,
    rotate_any_secret,
    replay_any_range,
    list_all_deliveries,
    read_any_delivery,
    replay_any_delivery,
)
