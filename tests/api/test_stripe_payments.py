"""Cards through Stripe over HTTP: saved, charged, refused, resent; a real server takes webhooks."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tallystick.kernel import ids
from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import Conflict
from tallystick.kernel.idempotency import LEASE
from tallystick.payments import approvals
from tallystick.payments.collect import Asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tallystick.settings import Settings
    from tests.api.conftest import Shop, Stripe, Tenant

Json = dict[str, Any]
BILLING = "/api/v1/billing"
WAIT_S = 10.0


@pytest.fixture(scope="module")
def settings(stripe_settings: "Settings") -> "Settings":
    return stripe_settings


@pytest.fixture
def gateway(stripe: "Stripe", live: str) -> "Iterator[Stripe]":
    """The simulator, whose webhooks reach a server; its faults end with the test."""
    assert live
    yield stripe
    stripe.disarm()


async def until(shop: "Shop", sql: str, *values: Any) -> None:
    """Work until the database says so: webhooks come when they come."""
    async with asyncio.timeout(WAIT_S):
        while not (await shop.rows(sql, *values))[0][0]:
            await shop.work()
            await asyncio.sleep(0.02)


async def save_card(
    shop: "Shop", gateway: "Stripe", tenant: "Tenant", card: str = "pm_card_visa"
) -> Json:
    """Save a card as a page does; return it once the webhook has told of it."""
    owner = shop.as_person(tenant.owner)
    before = len((await owner.get(f"{BILLING}/payment-methods")).json()["payment_methods"])
    begun = await owner.post(f"{BILLING}/setup-intent/card", json={})
    assert begun.status_code == 201, begun.text
    secret = begun.json()["client_secret"]
    intent = secret.partition("_secret_")[0]
    answer = await asyncio.to_thread(
        gateway.page,
        f"/v1/setup_intents/{intent}/confirm",
        client_secret=secret,
        payment_method=card,
    )
    if answer["status"] == "requires_action":
        await asyncio.to_thread(
            gateway.page, "/_page/authenticate", client_secret=secret, outcome="complete"
        )
    await until(
        shop,
        "SELECT count(*) > $2 FROM payment_methods WHERE account_id = $1 AND status = 'active'",
        tenant.account.account_id,
        before,
    )
    methods = (await owner.get(f"{BILLING}/payment-methods")).json()["payment_methods"]
    assert len(methods) == before + 1
    newest: Json = max(methods, key=lambda method: method["created"])
    return newest


async def charges(gateway: "Stripe") -> list[Json]:
    return await asyncio.to_thread(gateway.look, "charges")


async def pay(shop: "Shop", tenant: "Tenant", invoice: Json, **more: Any) -> httpx.Response:
    owner = shop.as_person(tenant.owner)
    return await owner.post(f"{BILLING}/invoices/{invoice['id']}/pay", **more)


async def test_the_page_is_told_what_its_form_needs(shop: "Shop", gateway: "Stripe") -> None:
    owner = shop.as_person(shop.acme.owner)
    config = (await owner.get(f"{BILLING}/config")).json()
    assert config["gateways"] == ["manual", "stripe"]
    assert config["stripe"] == {
        "publishable_key": "pk_test_tallystick",
        "script_url": f"{gateway.url}/stripe.js",
        "method_types": ["card", "us_bank_account"],
        "checkout": ["payment", "setup", "subscription"],
    }
    bodies: tuple[Json | None, ...] = ({}, None)
    for body in bodies:
        begun = await owner.post(f"{BILLING}/setup-intent/card", json=body)
        assert begun.status_code == 201
        assert set(begun.json()) == {
            "setup_intent_id", "client_secret", "publishable_key", "script_url",
        }  # fmt: skip
        assert begun.json()["client_secret"].startswith(begun.json()["setup_intent_id"])
    answer = await owner.post(f"{BILLING}/setup-intent/card", json={"card": "4242"})
    problem = shop.refused(answer, 422, "validation_failed")
    assert shop.fields(problem) == [("card", "unknown_field")]
    member = shop.as_person(shop.acme.member)
    answer = await member.post(f"{BILLING}/setup-intent/card", json={})
    shop.refused(answer, 403, "not_allowed")


async def test_a_saved_card_shows_what_may_be_shown(shop: "Shop", gateway: "Stripe") -> None:
    tenant = await shop.tenant()
    method = await save_card(shop, gateway, tenant)
    assert method["gateway"] == "stripe"
    assert method["type"] == "card"
    assert set(method["card"]) == {"brand", "last4", "exp_month", "exp_year"}
    assert (method["card"]["brand"], method["card"]["last4"]) == ("visa", "4242")
    assert (method["is_default"], method["priority"], method["bank"]) == (True, 1, None)
    settings = (await shop.as_person(tenant.owner).get(f"{BILLING}/settings")).json()
    assert settings["default_payment_method_id"] == method["id"]
    assert settings["default_payment_method_token"].startswith("pm_")


async def test_a_method_is_chosen_and_removed_by_our_id_or_the_gateways_token(
    shop: "Shop", gateway: "Stripe"
) -> None:
    tenant = await shop.tenant()
    owner = shop.as_person(tenant.owner)
    first = await save_card(shop, gateway, tenant)
    token = (await owner.get(f"{BILLING}/settings")).json()["default_payment_method_token"]
    second = await save_card(shop, gateway, tenant, "pm_card_mastercard")
    assert (first["is_default"], second["is_default"]) == (True, False)
    for _ in range(2):
        chosen = await owner.post(f"{BILLING}/payment-methods/{second['id']}/set_default")
        assert (chosen.status_code, chosen.json()["is_default"]) == (200, True)
    by_token = await owner.post(
        f"{BILLING}/payment-methods/default", json={"payment_method_id": token}
    )
    assert (by_token.status_code, by_token.json()["id"]) == (200, first["id"])
    removed = await owner.delete(f"{BILLING}/payment-methods/{token}")
    assert (removed.status_code, removed.content) == (204, b"")
    answer = await owner.delete(f"{BILLING}/payment-methods/{token}")
    shop.refused(answer, 404, "payment_method_not_found")
    left = (await owner.get(f"{BILLING}/payment-methods")).json()
    assert [(one["id"], one["is_default"]) for one in left["payment_methods"]] == [
        (second["id"], True)
    ]
    await shop.work()  # the gateway is told through the outbox
    attached = await asyncio.to_thread(gateway.look, "payment_methods")
    assert {one["id"]: one["customer"] for one in attached}[token] is None


async def test_an_invoice_is_charged_once_however_often_it_is_asked(
    shop: "Shop", gateway: "Stripe"
) -> None:
    tenant, invoice = await shop.billed()
    method = await save_card(shop, gateway, tenant)
    before = len(await charges(gateway))
    headers = {"Idempotency-Key": "pay-1"}
    paid = await pay(shop, tenant, invoice, headers=headers)
    assert paid.status_code == 200, paid.text
    payment = paid.json()
    assert (payment["status"], payment["amount_cents"]) == ("succeeded", 5400)
    assert (payment["payment_method"], payment["gateway"]) == (method["id"], "stripe")
    replayed = await pay(shop, tenant, invoice, headers=headers)
    assert replayed.content == paid.content
    assert replayed.headers["idempotent-replayed"] == "true"
    shop.refused(await pay(shop, tenant, invoice), 400, "already_paid")
    assert len(await charges(gateway)) == before + 1
    owner = shop.as_person(tenant.owner)
    shown = (await owner.get(f"{BILLING}/invoices/{invoice['id']}")).json()
    assert (shown["status"], shown["amount_remaining_cents"]) == ("paid", 0)
    assert (await owner.get(f"{BILLING}/payments/{payment['id']}")).json() == payment


async def test_a_process_that_died_before_its_answer_charges_no_second_time(
    shop: "Shop", gateway: "Stripe"
) -> None:
    tenant, invoice = await shop.billed()
    await save_card(shop, gateway, tenant)
    before = len(await charges(gateway))
    headers = {"Idempotency-Key": "pay-dead"}
    first = (await pay(shop, tenant, invoice, headers=headers)).json()
    await shop.rows(
        "UPDATE idempotency_keys SET status = NULL, headers = NULL, body = NULL"
        " WHERE key = 'pay-dead'"
    )
    shop.refused(await pay(shop, tenant, invoice, headers=headers), 409, "request_in_progress")
    try:
        shop.wall.ahead = LEASE + timedelta(seconds=1)
        again = await pay(shop, tenant, invoice, headers=headers)
    finally:
        shop.wall.ahead = timedelta()
    assert again.status_code == 200
    assert again.json() == first
    assert len(await charges(gateway)) == before + 1


async def test_two_keys_at_once_charge_once(shop: "Shop", gateway: "Stripe") -> None:
    tenant, invoice = await shop.billed()
    await save_card(shop, gateway, tenant)
    before = len(await charges(gateway))
    answers = await asyncio.gather(
        *(
            pay(shop, tenant, invoice, headers={"Idempotency-Key": f"race-{number}"})
            for number in range(4)
        )
    )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200
    assert set(statuses[1:]) <= {400, 409}, [answer.text for answer in answers]
    assert len(await charges(gateway)) == before + 1


async def test_a_payment_that_settles_the_invoice_meanwhile_leaves_nothing_to_charge(
    shop: "Shop", gateway: "Stripe"
) -> None:
    """The other one is live when we look at the invoice, and settled when our row goes in."""
    tenant, invoice = await shop.billed()
    await save_card(shop, gateway, tenant)
    account_id, invoice_id = tenant.account.account_id, ids.parse("invoice", invoice["id"])
    manual = {"invoice_id": invoice["id"], "payment_method": "x", "transaction_reference": "y"}
    other = await shop.as_person(tenant.owner).post(f"{BILLING}/payments/manual", json=manual)
    before = len(await charges(gateway))
    wish = shop.services.collector._wish
    async with shop.db.own_transaction(WRITER) as conn:
        payment_id = ids.parse("payment", other.json()["id"])
        await approvals.approve(conn, account_id, payment_id, shop.wall())
        asked = Asked(key="request:late", invoice_id=invoice_id)
        ours = asyncio.create_task(wish(account_id, asked, None))
        await shop.lock_awaited()
    with pytest.raises(Conflict) as refused:
        await ours
    assert refused.value.code == "already_paid"
    assert not await shop.rows("SELECT FROM payments WHERE request_key = 'request:late'")
    assert len(await charges(gateway)) == before


async def test_a_declined_card_is_402_in_words_for_the_customer(
    shop: "Shop", gateway: "Stripe"
) -> None:
    tenant, invoice = await shop.billed()
    await save_card(shop, gateway, tenant, "pm_card_chargeCustomerFail")
    headers = {"Idempotency-Key": "declined"}
    refused = await pay(shop, tenant, invoice, headers=headers)
    problem = shop.refused(refused, 402, "payment_declined")
    assert problem["decline_code"] == "card_declined"
    owner = shop.as_person(tenant.owner)
    payment = (await owner.get(f"{BILLING}/payments/{problem['payment']}")).json()
    assert payment["status"] == "failed"
    assert payment["failure_message"] == problem["detail"]
    replayed = await pay(shop, tenant, invoice, headers=headers)
    assert replayed.content == refused.content
    shown = (await owner.get(f"{BILLING}/invoices/{invoice['id']}")).json()
    assert (shown["status"], shown["amount_due_cents"]) == ("open", 5400)
    mended = await save_card(shop, gateway, tenant)
    named = await pay(shop, tenant, invoice, json={"payment_method_id": mended["id"]})
    assert (named.status_code, named.json()["status"]) == (200, "succeeded")


async def test_a_bank_that_asks_is_answered_through_the_link_of_the_payment(
    shop: "Shop", gateway: "Stripe"
) -> None:
    tenant, invoice = await shop.billed()
    owner = shop.as_person(tenant.owner)
    await save_card(shop, gateway, tenant, "pm_card_authenticationRequired")
    paid = await pay(shop, tenant, invoice)
    assert paid.status_code == 200, paid.text
    payment = paid.json()
    assert payment["status"] == "processing"
    link = f"/billing/payments/{payment['id']}/confirm"
    assert payment["next_action"]["type"] == "authenticate"
    assert payment["next_action"]["url"].endswith(link)
    listed = (await owner.get(f"{BILLING}/payments")).json()["payments"]
    assert [one["next_action"] for one in listed] == [payment["next_action"]]
    action = await owner.post(f"{BILLING}/payments/{payment['id']}/action")
    assert action.status_code == 200, action.text
    assert action.json()["client_secret"].startswith("pi_")
    refreshed = await owner.post(f"{BILLING}/payments/{payment['id']}/refresh", json={})
    assert refreshed.json() == payment
    member = shop.as_person(tenant.member)
    shop.refused(
        await member.post(f"{BILLING}/payments/{payment['id']}/action"), 403, "not_allowed"
    )
    other = shop.as_person(shop.acme.owner)
    for name in ("action", "refresh"):
        answer = await other.post(f"{BILLING}/payments/{payment['id']}/{name}")
        shop.refused(answer, 404, "payment_not_found")


async def test_a_payment_that_is_over_needs_nothing(shop: "Shop", gateway: "Stripe") -> None:
    tenant, invoice = await shop.billed()
    await save_card(shop, gateway, tenant)
    payment = (await pay(shop, tenant, invoice)).json()
    assert payment["next_action"] is None
    owner = shop.as_person(tenant.owner)
    answer = await owner.post(f"{BILLING}/payments/{payment['id']}/action")
    shop.refused(answer, 409, "payment_needs_no_action")


async def test_a_lost_answer_is_processing_and_never_charged_again(
    shop: "Shop", gateway: "Stripe"
) -> None:
    tenant, invoice = await shop.billed()
    await save_card(shop, gateway, tenant)
    before = len(await charges(gateway))
    await asyncio.to_thread(
        gateway.arm, "drop_reply", path="/v1/payment_intents", method="POST", times=None
    )
    unclear = await pay(shop, tenant, invoice)
    assert unclear.status_code == 200, unclear.text
    assert unclear.json()["status"] in {"processing", "succeeded"}
    await asyncio.to_thread(gateway.disarm)
    await until(
        shop,
        "SELECT status = 'paid' FROM invoices WHERE account_id = $1",
        tenant.account.account_id,
    )
    assert len(await charges(gateway)) == before + 1


async def test_a_gateway_that_fails_is_503_and_the_rest_goes_on(
    shop: "Shop", gateway: "Stripe"
) -> None:
    tenant = await shop.tenant()
    await asyncio.to_thread(gateway.arm, "status", status=500, path="/v1/*", times=None)
    owner = shop.as_person(tenant.owner)
    answer = await owner.post(f"{BILLING}/setup-intent/card", json={})
    problem = shop.refused(answer, 503, "gateway_unavailable")
    assert "500" not in str(problem["detail"])
    for name in ("invoices", "payments", "payment-methods", "subscription", "settings", "config"):
        assert (await owner.get(f"{BILLING}/{name}")).status_code == 200
    await asyncio.to_thread(gateway.disarm)
    assert (await owner.post(f"{BILLING}/setup-intent/card", json={})).status_code == 201


async def test_autopay_collects_what_the_billing_run_finalized(
    shop: "Shop", gateway: "Stripe"
) -> None:
    tenant = await shop.tenant()
    owner = shop.as_person(tenant.owner)
    await save_card(shop, gateway, tenant)
    switched = await owner.post(f"{BILLING}/autopay", json={"enabled": True})
    assert (switched.status_code, switched.json()["autopay"]) == (200, True)
    await shop.subscribe(tenant.account, ago=timedelta(days=32))
    await shop.work()
    (invoice,) = (await owner.get(f"{BILLING}/invoices")).json()["invoices"]
    assert invoice["status"] == "paid"
    (payment,) = (await owner.get(f"{BILLING}/payments")).json()["payments"]
    assert (payment["status"], payment["invoice"]) == ("succeeded", invoice["id"])


async def test_what_names_no_method_of_the_account_charges_nothing(
    shop: "Shop", gateway: "Stripe"
) -> None:
    tenant, invoice = await shop.billed()
    before = await charges(gateway)
    shop.refused(await pay(shop, tenant, invoice), 409, "payment_method_missing")
    for name in ("pm_x", "x" * 255, f"pm_{'0' * 26}", ""):
        answer = await pay(shop, tenant, invoice, json={"payment_method_id": name})
        shop.refused(answer, 404, "payment_method_not_found")
    answer = await pay(shop, tenant, invoice, json={"payment_method_id": "a\0"})
    shop.refused(answer, 422, "validation_failed")
    assert await charges(gateway) == before


async def test_an_account_without_stripe_here_still_has_its_books(
    shop: "Shop", again: "Callable[..., Shop]"
) -> None:
    """No Stripe key: payment routes say so, and what is ours still answers."""
    tenant, invoice = await shop.billed()
    without = again(stripe_secret_key=None, stripe_publishable_key=None)
    owner = without.as_person(tenant.owner)
    assert (await owner.get(f"{BILLING}/config")).json()["stripe"] is None
    assert (await owner.get(f"{BILLING}/invoices/{invoice['id']}")).status_code == 200
