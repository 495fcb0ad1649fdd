"""Cards through CCBill over HTTP: token, charge, subscription, rebill, cancellation, webhooks."""

import asyncio
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest

from tallystick.kernel import ids
from tallystick.settings_ccbill import CcbillSettings
from tallystick.simulators.ccbill.app import Options
from tallystick.simulators.ccbill.config import Config
from tallystick.simulators.ccbill.server import running
from tests.api.conftest import address_of, settings_for
from tests.api.test_stripe_payments import until

if TYPE_CHECKING:
    from tallystick.settings import Settings
    from tests.api.conftest import Shop, Tenant

Json = dict[str, Any]
BILLING = "/api/v1/billing"
ACCEPT = "application/vnd.mcn.transaction-service.api.v.2+json"
CARD = {"brand": "VISA", "last4": "1111", "exp_month": 3, "exp_year": 2031}
PEER, PROXY = "64.38.212.7", "127.0.0.1"


class Sim:
    """CCBill's simulator, as a page and as its operator."""

    def __init__(self, url: str) -> None:
        self.url = url

    def look(self, family: str) -> list[Json]:
        found: list[Json] = httpx.get(f"{self.url}/_sim/{family}", trust_env=False).json()["data"]
        return found

    def post(self, name: str, /, **body: object) -> None:
        httpx.post(f"{self.url}/_sim/{name}", json=body, trust_env=False).raise_for_status()

    def token(self, bearer: str, card: str = "4111111111111111") -> str:
        answer = httpx.post(
            f"{self.url}/payment-tokens/merchant-only",
            headers={"authorization": f"Bearer {bearer}", "accept": ACCEPT},
            trust_env=False,
            json={
                "clientAccnum": 900000,
                "clientSubacc": 0,
                "subscriptionId": 0,
                "customerInfo": {
                    "customerFname": "Ada", "customerLname": "Byron", "email": "ada@example.com",
                    "country": "US", "zipcode": "85281",
                },
                "paymentInfo": {
                    "creditCardPaymentInfo": {
                        "cardNum": card, "expMonth": "03", "expYear": "2031", "nameOnCard": "Ada B",
                    }
                },
            },
        )  # fmt: skip
        return str(answer.json()["paymentTokenId"])


@pytest.fixture(scope="module")
def sim(listener: socket.socket) -> Iterator[Sim]:
    config = Config(webhook_forwarded_for=PEER)
    url = f"{address_of(listener)}/api/ccbill/webhook"
    with running(Options(webhook_url=url, config=config)) as base_url:
        yield Sim(base_url)


@pytest.fixture(scope="module")
def settings(sim: Sim) -> "Settings":
    ccbill = CcbillSettings(
        base_url=sim.url,
        datalink_url=sim.url,
        widget_url=f"{sim.url}/v1.13.1/ccbill-advanced-widget.js",
        frame_origins=("https://acs.bank.example",),
        frontend_id="sim-frontend",
        frontend_secret="sim-frontend-secret",
        backend_id="sim-backend",
        backend_secret="sim-backend-secret",
        accnum=900000,
        datalink_username="simlink",
        datalink_password="simlink-secret",
        webhook_ip_enforce=True,
        trusted_proxies=(PROXY,),
    )
    return settings_for(ccbill=ccbill, default_monthly_price_cents=1800)


async def save_card(shop: "Shop", sim: Sim, tenant: "Tenant", **more: Any) -> Json:
    """Save a card as the page does."""
    owner = shop.as_person(tenant.owner)
    bearer = (await owner.post(f"{BILLING}/config/ccbill-token", json={})).json()["access_token"]
    token = await asyncio.to_thread(sim.token, bearer)
    body = {"payment_token_id": token, "card": CARD, **more}
    answer = await owner.post(f"{BILLING}/payment-methods/ccbill-token", json=body)
    assert answer.status_code == 201, answer.text
    return {**answer.json(), "token": token}


async def test_the_page_is_told_what_its_script_needs_and_nothing_secret(
    shop: "Shop", sim: Sim
) -> None:
    owner = shop.as_person(shop.acme.owner)
    answer = await owner.get(f"{BILLING}/config")
    assert answer.json()["ccbill"] == {
        "application_id": "sim-frontend", "client_accnum": 900000, "client_subacc": 0,
        "client_subacc_3ds": 0, "widget_url": f"{sim.url}/v1.13.1/ccbill-advanced-widget.js",
        "currency_code": "840",
    }  # fmt: skip
    assert "secret" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert f"script-src 'self' {sim.url};" in policy
    assert f"connect-src 'self' {sim.url};" in policy
    assert f"frame-src 'self' {sim.url} https://acs.bank.example;" in policy


async def test_the_pages_bearer_is_fresh_each_time_and_kept_nowhere(shop: "Shop") -> None:
    owner = shop.as_person(shop.acme.owner)
    headers = {"Idempotency-Key": "bearer"}
    path = f"{BILLING}/config/ccbill-token"
    answers = [await owner.post(path, json={}, headers=headers), await owner.post(path)]
    told = [answer.json()["access_token"] for answer in answers]
    assert len(set(told)) == 2
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
    again = await owner.post(path, json={}, headers=headers)
    assert "access_token" not in again.json()
    kept = await shop.rows("SELECT body FROM idempotency_keys WHERE key = 'bearer'")
    assert all(bearer.encode() not in row["body"] for row in kept for bearer in told)
    member = shop.as_person(shop.acme.member)
    shop.refused(await member.post(path, json={}), 403, "not_allowed")


async def test_a_token_is_saved_once_shown_by_its_page_and_only_ours(
    shop: "Shop", sim: Sim
) -> None:
    tenant, other = await shop.tenant(), await shop.tenant()
    saved = await save_card(shop, sim, tenant)
    assert (saved["gateway"], saved["card"], saved["is_default"]) == (
        "ccbill", {**CARD, "brand": "visa"}, True,
    )  # fmt: skip
    owner, path = shop.as_person(tenant.owner), f"{BILLING}/payment-methods/ccbill-token"
    again = await owner.post(path, json={"payment_token_id": saved["token"]})
    assert (again.status_code, again.json()["id"]) == (201, saved["id"])
    for who, token in ((other, saved["token"]), (tenant, "f" * 32)):
        answer = await shop.as_person(who.owner).post(path, json={"payment_token_id": token})
        shop.refused(answer, 404, "payment_token_not_found")
    answer = await owner.post(path, json={"payment_token_id": "x", "card_number": "4111"})
    assert shop.fields(shop.refused(answer, 422, "validation_failed"))[0][0] == "card_number"
    second = await save_card(shop, sim, tenant, make_default=True)
    listed = (await owner.get(f"{BILLING}/payment-methods")).json()["payment_methods"]
    assert [one["id"] for one in listed if one["is_default"]] == [second["id"]]
    removed = await owner.delete(f"{BILLING}/payment-methods/{saved['token']}")
    assert removed.status_code == 204
    answer = await owner.post(path, json={"payment_token_id": saved["token"]})
    shop.refused(answer, 409, "payment_method_removed")


async def test_charge_once_within_the_limits_and_a_clear_422_outside(
    shop: "Shop", sim: Sim, live: str
) -> None:
    assert live
    tenant = await shop.tenant()
    await save_card(shop, sim, tenant)
    owner, path = shop.as_person(tenant.owner), f"{BILLING}/charge-once"
    paid = await owner.post(path, json={"amount_cents": 4900})
    assert paid.status_code == 201, paid.text
    assert (paid.json()["payment"]["status"], paid.json()["invoice"]["status"]) == (
        "succeeded", "paid",
    )  # fmt: skip
    for cents, code in ((294, "amount_too_small"), (10_001, "amount_too_large")):
        problem = shop.refused(
            await owner.post(path, json={"amount_cents": cents}), 422, "validation_failed"
        )
        assert shop.fields(problem) == [("amount_cents", code)]
    declined = shop.refused(
        await owner.post(path, json={"amount_cents": 6651}), 402, "payment_declined"
    )
    assert declined["decline_code"] == "insufficient_funds"
    await until(
        shop, "SELECT count(*) > 0 FROM webhook_inbox WHERE kind = 'UpSaleSuccess'"
        " AND status = 'done'",
    )  # fmt: skip


async def test_a_monthly_price_outside_the_limits_begins_nothing(shop: "Shop", sim: Sim) -> None:
    tenant = await shop.tenant()
    saved = await save_card(shop, sim, tenant)
    await save_card(shop, sim, tenant, make_default=True)
    await shop.work()
    staff, before = shop.as_person(shop.admin, tenant.id), await shop.counts()
    for cents, code in ((294, "amount_too_small"), (10_001, "amount_too_large")):
        body = {"price_cents": cents, "payment_method_id": saved["id"]}
        answer = await staff.post(f"{BILLING}/subscribe-monthly", json=body)
        problem = shop.refused(answer, 422, "validation_failed")
        assert shop.fields(problem) == [("amount_cents", code)]
    assert await shop.counts() == before
    methods = (await staff.get(f"{BILLING}/payment-methods")).json()["payment_methods"]
    assert [one["is_default"] for one in methods if one["id"] == saved["id"]] == [False]


async def test_a_monthly_subscription_is_rebilled_by_ccbill_and_cancelled_there(
    shop: "Shop", sim: Sim, live: str
) -> None:
    assert live
    tenant = await shop.tenant()
    await save_card(shop, sim, tenant)
    owner = shop.as_person(tenant.owner)
    made = await owner.post(f"{BILLING}/subscribe-monthly")
    assert made.status_code == 201, made.text
    on = made.json()["subscription"]
    assert (on["status"], on["schedule_owner"]) == ("active", "ccbill")
    shop.refused(await owner.post(f"{BILLING}/subscribe-monthly"), 409, "already_subscribed")
    one = f"{BILLING}/subscriptions/{on['id']}"
    refused = await owner.post(f"{one}/change", json={"plan": "pro"})
    shop.refused(refused, 409, "schedule_at_gateway")
    sale = next(s for s in await asyncio.to_thread(sim.look, "subscriptions")
                if s["id"] == on["external_id"])  # fmt: skip
    assert sale["terms"]["rebills"] == 99
    await asyncio.to_thread(sim.post, "clock/advance", seconds=32 * 86_400)
    await until(
        shop, "SELECT count(*) = 2 FROM payments WHERE account_id = $1 AND settled_at IS NOT NULL",
        tenant.account.account_id,
    )  # fmt: skip
    schedule = (await owner.get(f"{one}/schedule")).json()
    assert (schedule["reference"], schedule["recurring_amount_cents"]) == (
        on["external_id"], 1800,
    )  # fmt: skip
    assert (schedule["next_renewal_at"] is not None, schedule["retry_at"]) == (True, None)
    later = await owner.post(f"{one}/cancel", json={})
    assert (later.status_code, later.json()["cancel_at_period_end"]) == (200, True)
    await shop.work()
    sale = next(s for s in await asyncio.to_thread(sim.look, "subscriptions")
                if s["id"] == on["external_id"])  # fmt: skip
    assert sale["cancelled_at"] is not None
    dated = await owner.post(f"{one}/cancel", json={"ends_at": "2030-01-01T00:00:00Z"})
    assert shop.fields(shop.refused(dated, 422, "validation_failed")) == [
        ("ends_at", "not_at_gateway")
    ]
    now = await owner.post(f"{one}/cancel", json={"at_period_end": False})
    assert (now.status_code, now.json()["status"]) == (200, "canceled")
    await shop.work()


async def test_staff_see_what_ccbill_says_of_a_subscription_that_it_renews(
    shop: "Shop", sim: Sim, live: str
) -> None:
    assert live
    tenant = await shop.tenant()
    await save_card(shop, sim, tenant)
    owner, staff = shop.as_person(tenant.owner), shop.as_person(shop.support)
    on = (await owner.post(f"{BILLING}/subscribe-monthly")).json()["subscription"]
    path = f"/api/v1/admin/subscriptions/{on['id']}/gateway-status"
    said = await staff.get(path)
    assert said.status_code == 200, said.text
    assert said.json() == {
        "subscription": on["id"], "status": "active", "gateway": "ccbill",
        "reference": on["external_id"], "is_active": True, "renews": True,
        "rebills": 0, "refunds": 0, "voids": 0, "chargebacks": 0,
    }  # fmt: skip
    shop.refused(await owner.get(path), 403, "not_allowed")
    gone = {"action": "drop", "method": "GET", "path": "/utils/*", "times": None}
    await asyncio.to_thread(lambda: sim.post("faults", **gone))
    shop.refused(await staff.get(path), 503, "gateway_unavailable")
    await asyncio.to_thread(httpx.delete, f"{sim.url}/_sim/faults", trust_env=False)
    await owner.post(f"{BILLING}/subscriptions/{on['id']}/cancel", json={})
    await shop.work()
    told = (await staff.get(path)).json()
    assert (told["renews"], told["is_active"], told["status"]) == (False, True, "active")
    ours = await shop.subscribe((await shop.tenant()).account)
    shown = ids.show("subscription", ours.subscription_id)
    for name, status, code in (
        (shown, 409, "gateway_can_not"),
        (ids.show("subscription", ids.new_id()), 404, "subscription_not_found"),
    ):
        path = f"/api/v1/admin/subscriptions/{name}/gateway-status"
        shop.refused(await staff.get(path), status, code)


async def test_webhooks_come_from_ccbills_addresses_behind_our_proxy_alone(shop: "Shop") -> None:
    body = {"subscriptionId": "1", "clientAccnum": "900000", "timestamp": "2026-01-05 07:08:52"}
    transport = shop.transport
    for path in ("/api/ccbill/webhook", "/api/v1/webhooks/ccbill"):
        for peer, forwarded, status in (
            (PROXY, PEER, 200), (PROXY, f"{PEER}, 192.0.2.66", 400), (PROXY, None, 400),
            ("192.0.2.66", PEER, 400), (PEER, None, 200),
        ):  # fmt: skip
            app = httpx.ASGITransport(transport.app, client=(peer, 4242))
            headers = {"X-Forwarded-For": forwarded} if forwarded else {}
            async with httpx.AsyncClient(transport=app, base_url="http://t.test") as client:
                answer = await client.post(
                    f"{path}?eventType=Expiration", json=body, headers=headers
                )
            assert answer.status_code == status, (peer, forwarded)
    count = "SELECT count(*) FROM webhook_inbox WHERE kind = 'Expiration' AND body LIKE $1"
    assert (await shop.rows(count, b'%"subscriptionId":"1"%'))[0][0] == 1


async def test_both_forms_and_a_contradiction_over_http(shop: "Shop") -> None:
    path = "/api/ccbill/webhook?eventType=Void&clientAccnum=900000&clientSubacc=0000"
    fields = {"subscriptionId": "7", "transactionId": "7", "timestamp": "2026-01-05 07:08:52",
              "amount": "5.00", "currencyCode": "840", "password": "hunter2"}  # fmt: skip
    app = httpx.ASGITransport(shop.transport.app, client=(PEER, 4242))
    async with httpx.AsyncClient(transport=app, base_url="http://t.test") as client:
        for kind in ("application/x-www-form-encoded", "application/x-www-form-urlencoded"):
            body = httpx.QueryParams(fields)
            sent = await client.post(path, content=str(body), headers={"content-type": kind})
            assert sent.status_code == 200, sent.text
        await client.post(path, json=fields)
        await client.post(path, json={**fields, "amount": "9.00"})
    rows = await shop.rows(
        "SELECT status, error, body FROM webhook_inbox WHERE kind = 'Void' ORDER BY received_at"
    )
    assert [(row["status"], row["error"]) for row in rows] == [
        ("received", None), ("parked", "event_differs"),
    ]  # fmt: skip
    assert all(b"hunter2" not in row["body"] for row in rows)
    assert {msgspec.json.decode(row["body"])["amount"] for row in rows} == {"5.00", "9.00"}
