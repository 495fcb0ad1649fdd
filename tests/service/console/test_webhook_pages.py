"""Staff look at webhooks in both directions, and have them again."""

from tallystick.kernel import outbox
from tallystick.kernel.db import WRITER
from tallystick.kernel.ids import HOUSE, new_id, show
from tallystick.kernel.paging import PageRequest
from tallystick.outgoing_webhooks import deliveries, endpoints
from tallystick.outgoing_webhooks.events import WEBHOOK_ENDPOINT_DISABLED, WebhookEndpointDisabled
from tallystick.outgoing_webhooks.model import DeliveryFilter, NewEndpoint
from tallystick.payments.facts import Receipt

from .conftest import HTML, NOW, World

ODD = "evt_1#a b"


async def receive(world: World) -> None:
    body = b'{"id": "x", "client_secret": "hush", "text": "<b>"}'
    told = [Receipt(event_id, "payment.odd", body) for event_id in ("evt_1", ODD)]
    await world.services.inbox.keep("stripe", told, NOW)


async def tell(world: World) -> str:
    """Tell an endpoint of the business something, and return the delivery's id."""
    async with world.services.db.transaction(WRITER) as conn:
        new = NewEndpoint(url="https://hooks.example.com/", description="ours")
        await endpoints.create(conn, HOUSE, new, world.services.endpoint_rules, NOW)
        told = WebhookEndpointDisabled(new_id(), "gone")
        await outbox.append(conn, HOUSE, WEBHOOK_ENDPOINT_DISABLED, told)
        found = await deliveries.list_deliveries(conn, DeliveryFilter(), PageRequest())
    (one,) = found.items
    return show("webhook_delivery", one.webhook_delivery_id)


async def test_staff_read_an_event_without_its_secrets_and_support_changes_nothing(
    world: World,
) -> None:
    await receive(world)
    await world.enter(await world.person(staff_role="support"))
    listed = (await world.http.get("/staff/webhooks?status=received", headers=HTML)).text
    assert "payment.<wbr>odd" in listed
    path = "/staff/webhooks/received/stripe/evt_1"
    assert path in listed
    shown = (await world.http.get(path, headers=HTML)).text
    assert "hush" not in shown
    assert "&lt;b&gt;" in shown
    assert "Handle once more" not in shown
    refused = await world.http.post(f"{path}/replay", data={}, headers=HTML)
    assert refused.status_code == 403
    nothing = (await world.http.get("/staff/webhooks?status=parked", headers=HTML)).text
    assert "No event is parked." in nothing


async def test_an_admin_has_an_event_handled_once_more(world: World) -> None:
    await receive(world)
    await world.enter(await world.person(staff_role="admin"))
    path = "/staff/webhooks/received/stripe/evt_1%23a%20b"
    assert (await world.http.get(path, headers=HTML)).status_code == 200
    answer = await world.post(f"{path}/replay")
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    missing = await world.http.get("/staff/webhooks/received/stripe/evt_2", headers=HTML)
    assert missing.status_code == 404


async def test_an_admin_sees_endpoints_and_sends_a_delivery_again(world: World) -> None:
    await world.enter(await world.person(staff_role="admin"))
    empty = (await world.http.get("/staff/webhooks/sent", headers=HTML)).text
    assert "There is no endpoint." in empty
    path = f"/staff/webhooks/sent/{await tell(world)}"
    listed = (await world.http.get("/staff/webhooks/sent", headers=HTML)).text
    for text in ("https://hooks.example.com/", "The business", "all types", path):
        assert text in listed
    shown = (await world.http.get(path, headers=HTML)).text
    assert "Send again" in shown
    answer = await world.post(f"{path}/replay")
    assert (answer.status_code, answer.headers["location"]) == (303, path)


async def test_an_account_sees_neither(world: World) -> None:
    account = await world.account()
    await world.enter(await world.person((account.account_id, "owner")))
    for path in ("/staff/webhooks", "/staff/webhooks/sent"):
        assert (await world.http.get(path, headers=HTML)).status_code == 403
