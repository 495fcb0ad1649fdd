"""Webhook endpoints over HTTP, up to what arrives at them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest
from standardwebhooks.webhooks import Webhook

from tallystick.api.event_types import EVENT_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tallystick.settings import Settings
    from tests.api.conftest import Shop

Json = dict[str, Any]
BILLING = "/api/v1/billing"
ADMIN = "/api/v1/admin/webhooks"


class Receiver:
    """What arrived at a server that takes everything."""

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[Json] = []
        self.raw: list[tuple[bytes, dict[str, str]]] = []

    def of(self, kind: str) -> Json:
        return next(body["data"] for body in self.bodies if body["type"] == kind)


@pytest.fixture(scope="module")
def settings(own_settings: "Callable[..., Settings]") -> "Settings":
    return own_settings(webhook_allow_private=True, webhook_allow_http=True)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:

    got = Receiver()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                lines = [line.split(": ", 1) for line in head.strip().split("\r\n")[1:]]
                headers = {name.lower(): value for name, value in lines}
                body = await reader.readexactly(int(headers["content-length"]))
                got.raw.append((body, headers))
                got.bodies.append(msgspec.json.decode(body))
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    got.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    yield got
    server.close()


async def make(client: httpx.AsyncClient, url: str, path: str = "", **fields: Any) -> Json:
    answer = await client.post(path or f"{BILLING}/webhook-endpoints", json={"url": url, **fields})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_an_invoice_is_told_in_the_apis_own_shape(shop: "Shop", receiver: Receiver) -> None:
    admin = shop.with_key(shop.house_keys["admin"])
    house = await make(admin, receiver.url, f"{ADMIN}/endpoints", event_types=["invoice.finalized"])
    assert house["account"] is None
    tenant, invoice = await shop.billed()
    told = receiver.of("invoice.finalized")
    assert told["account"] == tenant.id
    assert told["invoice"] == invoice
    body, headers = receiver.raw[-1]
    assert Webhook(house["secret"]).verify(body, headers)
    assert {one["type"] for one in receiver.bodies} == {"invoice.finalized"}


async def test_a_payment_names_its_invoice_and_its_subscription_its_period(
    shop: "Shop", receiver: Receiver
) -> None:
    tenant = await shop.tenant()
    owner = shop.with_key(tenant.keys["billing:write"])
    await make(owner, receiver.url)
    await shop.subscribe(tenant.account, ago=timedelta(days=32))
    await shop.work()
    (invoice,) = (await owner.get(f"{BILLING}/invoices")).json()["invoices"]
    manual = {
        "invoice_id": invoice["id"], "payment_method": "bank_transfer",
        "transaction_reference": "T-1", "amount_cents": invoice["total_cents"],
    }  # fmt: skip
    payment = (await owner.post(f"{BILLING}/payments/manual", json=manual)).json()
    admin = shop.with_key(shop.house_keys["admin"])
    await admin.post(f"/api/v1/admin/payments/{payment['id']}/approve", json={"reason": "seen"})
    await shop.work()
    told = receiver.of("payment.succeeded")
    assert told["invoice"] == invoice["id"]
    assert (await owner.get(f"{BILLING}/payments/{payment['id']}")).json() == told["payment"]
    assert receiver.of("invoice.paid")["invoice"]["status"] == "paid"
    began = receiver.of("subscription.started")
    assert began["subscription"]["id"] == invoice["subscription"]
    assert isinstance(began["period_index"], int)


async def test_a_secret_is_told_once_and_not_to_a_repeat(shop: "Shop") -> None:
    tenant = await shop.tenant()
    owner = shop.with_key(tenant.keys["billing:write"])
    key = {"Idempotency-Key": "once"}
    new = {"url": "https://hooks.example.com/", "event_types": ["invoice.paid"]}
    first = await owner.post(f"{BILLING}/webhook-endpoints", json=new, headers=key)
    again = await owner.post(f"{BILLING}/webhook-endpoints", json=new, headers=key)
    made = first.json()
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == made
    one = f"{BILLING}/webhook-endpoints/{made['id']}"
    rotated = await owner.post(f"{one}/rotate-secret", headers={"Idempotency-Key": "2"})
    assert rotated.json()["secret"] not in {secret, None}
    for answer in (await owner.get(one), await owner.get(f"{BILLING}/webhook-endpoints")):
        assert "whsec_" not in answer.text
    async with shop.db.pool.acquire() as conn:
        kept = await conn.fetch("SELECT encode(body, 'escape') AS body FROM idempotency_keys")
    assert kept
    assert not any("whsec_" in str(row["body"]) for row in kept)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"url": "ftp://example.com/"}, [("url", "invalid_url")]),
        ({"url": "https://me:pw@example.com/"}, [("url", "credentials_in_url")]),
        (
            {"url": "https://example.com/", "event_types": ["invoice.paid", "invoice.eaten"]},
            [("event_types[1]", "unknown_event_type")],
        ),
        ({"url": "https://example.com/", "description": "a\nb"}, [("description", "invalid")]),
        ({"url": "https://example.com/", "colour": "red"}, [("colour", "unknown_field")]),
    ],
)
async def test_what_can_not_be_taken_is_named_and_makes_nothing(
    shop: "Shop", fields: Json, wrong: list[tuple[str, str]]
) -> None:
    owner = shop.with_key(shop.acme.keys["billing:write"])
    before = await shop.counts()
    answer = await owner.post(f"{BILLING}/webhook-endpoints", json=fields)
    assert shop.fields(shop.refused(answer, 422, "validation_failed")) == wrong
    assert await shop.counts() == before


async def test_a_member_reads_and_does_not_change(shop: "Shop") -> None:
    member = shop.as_person(shop.acme.member)
    assert (await member.get(f"{BILLING}/webhook-endpoints")).status_code == 200
    answer = await member.post(f"{BILLING}/webhook-endpoints", json={"url": "https://a.example/"})
    shop.refused(answer, 403, "not_allowed")


async def test_deliveries_are_listed_shown_and_sent_again(shop: "Shop", receiver: Receiver) -> None:
    tenant, _ = await shop.billed()
    owner = shop.with_key(tenant.keys["billing:write"])
    endpoint = (await make(owner, receiver.url, event_types=["invoice.finalized"]))["id"]
    now = datetime.now(UTC)
    span = {
        "since": (now - timedelta(hours=1)).isoformat(),
        "until": (now + timedelta(hours=1)).isoformat(),
    }
    one = f"{BILLING}/webhook-endpoints/{endpoint}"
    answer = await owner.post(f"{one}/replay", json=span)
    assert (answer.status_code, answer.json()) == (202, {"again": 0, "made": 1, "more": False})
    await shop.work()
    listed = await owner.get(f"{BILLING}/webhook-deliveries", params={"status": "delivered"})
    (delivery,) = listed.json()["webhook_deliveries"]
    assert (delivery["type"], delivery["endpoint"]) == ("invoice.finalized", endpoint)
    at = f"{BILLING}/webhook-deliveries/{delivery['id']}"
    log = (await owner.get(at)).json()
    assert log["body"].encode() == receiver.raw[-1][0]
    assert [one["status_code"] for one in log["tries"]] == [204]
    again = await owner.post(f"{at}/replay")
    assert (again.status_code, again.json()["status"]) == (202, "waiting")
    await shop.work()
    assert len(receiver.raw) == 2
    assert receiver.raw[0][1]["webhook-id"] == receiver.raw[1][1]["webhook-id"] == delivery["id"]
    staff = shop.as_person(shop.support)
    params = {"endpoint": endpoint, "type": "invoice.finalized"}
    seen = (await staff.get(f"{ADMIN}/deliveries", params=params)).json()
    assert [one["id"] for one in seen["webhook_deliveries"]] == [delivery["id"]]
    shop.refused(
        await staff.post(f"{ADMIN}/deliveries/{delivery['id']}/replay"), 403, "not_allowed"
    )


async def test_an_endpoint_is_changed_disabled_and_deleted(shop: "Shop") -> None:
    tenant = await shop.tenant()
    owner = shop.with_key(tenant.keys["billing:write"])
    made = await make(owner, "https://hooks.example.com/a", description="first")
    one = f"{BILLING}/webhook-endpoints/{made['id']}"
    changed = await owner.patch(one, json={"enabled": False, "event_types": ["credits.low"]})
    assert changed.json()["disabled_reason"] == "by_hand"
    assert changed.json()["description"] == "first"
    admin = shop.with_key(shop.house_keys["admin"])
    listed = await admin.get(f"{ADMIN}/endpoints", params={"account_id": tenant.id})
    assert [found["event_types"] for found in listed.json()["webhook_endpoints"]] == [
        ["credits.low"]
    ]
    enabled = await admin.patch(f"{ADMIN}/endpoints/{made['id']}", json={"enabled": True})
    assert (enabled.json()["enabled"], enabled.json()["disabled_reason"]) == (True, None)
    assert (await owner.delete(one)).status_code == 204
    shop.refused(await owner.get(one), 404, "webhook_endpoint_not_found")


async def test_the_types_are_those_of_the_documentation(shop: "Shop") -> None:
    reader = shop.with_key(shop.acme.keys["billing:read"])
    types = (await reader.get(f"{BILLING}/webhook-event-types")).json()["event_types"]
    assert types == list(EVENT_TYPES)
