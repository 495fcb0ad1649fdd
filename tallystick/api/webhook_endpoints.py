"""The account's webhook endpoints: whom we tell what happens to it, and what became of that."""

from datetime import timedelta
from typing import Final

from litestar import delete, get, patch, post

from tallystick.accounts.model import Account
from tallystick.api import webhook_answers as answers
from tallystick.api.event_types import EVENT_TYPES
from tallystick.api.fields import check_instant
from tallystick.api.services import Services
from tallystick.kernel import ids
from tallystick.kernel.db import WRITER, account_scope
from tallystick.kernel.paging import PageRequest
from tallystick.outgoing_webhooks import deliveries, endpoints
from tallystick.outgoing_webhooks.model import DeliveryFilter, Replay

TAGS: Final = ["Webhook endpoints"]
READ: Final = {"permission": "billing:read"}
WRITE: Final = {"permission": "billing:write"}
ONE: Final = "/webhook-endpoints/{webhook_endpoint_id:str}"
DELIVERY: Final = "/webhook-deliveries/{webhook_delivery_id:str}"


@get("/webhook-event-types", opt=READ, tags=TAGS, summary="Types of events")
async def list_types() -> answers.EventTypeList:
    """List what endpoints can be told of."""
    return answers.EventTypeList(list(EVENT_TYPES), len(EVENT_TYPES))


@get("/webhook-endpoints", opt=READ, tags=TAGS, summary="Webhook endpoints")
async def list_endpoints(
    services: Services, account: Account, paging: PageRequest
) -> answers.EndpointList:
    """List the account's endpoints, newest first, without their secrets."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await endpoints.list_endpoints(conn, account.account_id, paging)
    return answers.endpoint_list(found)


@post(
    "/webhook-endpoints",
    opt={**WRITE, **answers.TOLD_ONCE, "example": answers.EXAMPLE},
    tags=TAGS,
    summary="Make a webhook endpoint",
)
async def create_endpoint(
    data: answers.EndpointBody, services: Services, account: Account
) -> answers.EndpointAnswer:
    """Make an endpoint. Its secret is in this answer and nowhere else, also not in a repeat's."""
    async with services.db.transaction(WRITER) as conn:
        made, secret = await endpoints.create(
            conn, account.account_id, data.asked(), services.endpoint_rules, services.clock()
        )
    return answers.endpoint_answer(made, secret)


@get(ONE, opt=READ, tags=TAGS, summary="A webhook endpoint")
async def read_endpoint(
    webhook_endpoint_id: str, services: Services, account: Account
) -> answers.EndpointAnswer:
    """Return one endpoint, without its secret."""
    wanted = ids.parse("webhook_endpoint", webhook_endpoint_id)
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        return answers.endpoint_answer(await endpoints.get(conn, account.account_id, wanted))


@patch(ONE, opt=WRITE, tags=TAGS, summary="Change a webhook endpoint")
async def change_endpoint(
    webhook_endpoint_id: str,
    data: answers.EndpointChangeBody,
    services: Services,
    account: Account,
) -> answers.EndpointAnswer:
    """Change address, description or types, or enable and disable it; what waits stays."""
    wanted = ids.parse("webhook_endpoint", webhook_endpoint_id)
    async with services.db.transaction(WRITER) as conn:
        changed = await endpoints.change(
            conn, account.account_id, wanted, data.asked(), services.endpoint_rules
        )
    return answers.endpoint_answer(changed)


@delete(ONE, opt=WRITE, tags=TAGS, summary="Delete a webhook endpoint")
async def delete_endpoint(webhook_endpoint_id: str, services: Services, account: Account) -> None:
    """Delete an endpoint with its secrets and the log of its deliveries."""
    wanted = ids.parse("webhook_endpoint", webhook_endpoint_id)
    async with services.db.transaction(WRITER) as conn:
        await endpoints.delete(conn, account.account_id, wanted)


@post(
    f"{ONE}/rotate-secret",
    opt={**WRITE, **answers.TOLD_ONCE},
    tags=TAGS,
    status_code=200,
    summary="Rotate an endpoint's secret",
)
async def rotate_secret(
    webhook_endpoint_id: str,
    services: Services,
    account: Account,
    data: answers.RotateBody | None = None,
) -> answers.EndpointAnswer:
    """Make a new secret, told once; the old one signs along for `keep_hours`."""
    wanted = ids.parse("webhook_endpoint", webhook_endpoint_id)
    keep = timedelta(hours=(data or answers.RotateBody()).keep_hours)
    async with services.db.transaction(WRITER) as conn:
        rotated, secret = await endpoints.rotate_secret(
            conn, account.account_id, wanted, services.clock(), keep
        )
    return answers.endpoint_answer(rotated, secret)


@post(f"{ONE}/replay", opt=WRITE, tags=TAGS, status_code=202, summary="Send a time range again")
async def replay_range(
    webhook_endpoint_id: str, data: answers.ReplayBody, services: Services, account: Account
) -> answers.ReplayAnswer:
    """Send what an endpoint missed in a time range, 10,000 of each sort at most, oldest first."""
    wanted = ids.parse("webhook_endpoint", webhook_endpoint_id)
    span = replay_of(data)
    async with services.db.transaction(WRITER) as conn:
        found = await deliveries.replay_range(
            conn, account.account_id, wanted, span, services.clock()
        )
    return answers.replay_answer(found)


@get("/webhook-deliveries", opt=READ, tags=TAGS, summary="Webhook deliveries")
async def list_deliveries(
    services: Services,
    account: Account,
    paging: PageRequest,
    *,
    endpoint: answers.EndpointQuery = None,
    status: answers.StatusQuery = None,
    type: answers.TypeQuery = None,  # noqa: A002 - the parameter's name
) -> answers.DeliveryList:
    """List what was told and what waits, newest first; kept for 90 days after its end."""
    wanted = DeliveryFilter(
        account_id=account.account_id,
        webhook_endpoint_id=ids.parse("webhook_endpoint", endpoint) if endpoint else None,
        status=answers.status_of(status),
        kind=type,
    )
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        return answers.delivery_list(await deliveries.list_deliveries(conn, wanted, paging))


@get(DELIVERY, opt=READ, tags=TAGS, summary="A webhook delivery")
async def read_delivery(
    webhook_delivery_id: str, services: Services, account: Account
) -> answers.DeliveryLogAnswer:
    """Return one delivery with its body and each try."""
    wanted = ids.parse("webhook_delivery", webhook_delivery_id)
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        return answers.log_answer(await deliveries.read_log(conn, account.account_id, wanted))


@post(f"{DELIVERY}/replay", opt=WRITE, tags=TAGS, status_code=202, summary="Send a delivery again")
async def replay_delivery(
    webhook_delivery_id: str, services: Services, account: Account
) -> answers.DeliveryAnswer:
    """Send one delivery now, with the same id and body, whatever came of it before."""
    wanted = ids.parse("webhook_delivery", webhook_delivery_id)
    async with services.db.transaction(WRITER) as conn:
        found = await deliveries.replay_one(conn, account.account_id, wanted, services.clock())
    return answers.delivery_answer(found)


def replay_of(data: answers.ReplayBody) -> Replay:
    """Return the time range that a body asks for."""
    return Replay(
        since=check_instant("since", data.since),
        until=check_instant("until", data.until),
        delivered=data.delivered,
    )


ACCOUNT_ROUTES: Final = (
    list_types,
    list_endpoints,
    create_endpoint,
    read_endpoint,
    change_endpoint,
    delete_endpoint,
    rotate_secret,
    replay_range,
    list_deliveries,
    read_delivery,
    replay_delivery,
)
