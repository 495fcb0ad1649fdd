"""Stripe's page over HTTP: opened, paid, read; what does not belong to it is refused by name."""

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.test_stripe_payments import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tallystick.settings import Settings
    from tests.api.conftest import Shop, Stripe

Json = dict[str, Any]
BILLING = "/api/v1/billing"
OPEN = f"{BILLING}/checkout_session"
CARD = {"type": "card", "name": "Ada", "number": "4242424242424242", "exp_month": "12",
        "exp_year": "2040", "cvc": "123"}  # fmt: skip


@pytest.fixture(scope="module")
def settings(stripe_settings: "Settings") -> "Settings":
    return stripe_settings


@pytest.fixture
def gateway(stripe: "Stripe", live: str) -> "Iterator[Stripe]":
    """The simulator, whose webhooks reach a server."""
    assert live
    yield stripe
    stripe.disarm()


async def pay(gateway: "Stripe", page: Json) -> None:
    await asyncio.to_thread(gateway.page, f"/_page/checkout/{page['session_id']}/pay", **CARD)


async def test_what_is_due_is_paid_on_the_page(shop: "Shop", gateway: "Stripe") -> None:
    tenant, invoice = await shop.billed()
    owner = shop.as_person(tenant.owner)
    headers = {"Idempotency-Key": "page-1"}
    opened = await owner.post(OPEN, json={"mode": "payment"}, headers=headers)
    assert opened.status_code == 201, opened.text
    page = opened.json()
    assert page["url"].startswith(gateway.url)
    assert page["session_id"].startswith("cs_")
    assert (page["status"], page["amount_cents"], page["currency"]) == ("open", 5400, "usd")
    again = await owner.post(OPEN, json={"mode": "payment"}, headers=headers)
    assert again.content == opened.content
    await pay(gateway, page)
    await until(
        shop,
        "SELECT status = 'paid' FROM invoices WHERE account_id = $1",
        tenant.account.account_id,
    )
    payment = (await owner.get(f"{BILLING}/payments/{page['payment']}")).json()
    assert (payment["status"], payment["invoice"]) == ("succeeded", invoice["id"])
    read = (await owner.get(f"{OPEN}/{page['id']}")).json()
    assert (read["status"], read["url"]) == ("complete", None)
    other = shop.as_person(shop.acme.owner)
    shop.refused(await other.get(f"{OPEN}/{page['id']}"), 404, "checkout_not_found")
    shop.refused(await owner.post(OPEN, json={"mode": "payment"}), 409, "nothing_to_pay")
    named = {"mode": "payment", "invoice_id": invoice["id"]}
    shop.refused(await owner.post(OPEN, json=named), 400, "already_paid")
    shop.refused(await other.post(OPEN, json=named), 404, "invoice_not_found")


async def test_a_subscription_begins_when_its_first_invoice_is_paid_there(
    shop: "Shop", gateway: "Stripe"
) -> None:
    tenant = await shop.tenant()
    owner = shop.as_person(tenant.owner)
    whose = tenant.account.account_id
    body = {"mode": "subscription", "plan": shop.plan.plan_code}
    opened = await owner.post(OPEN, json=body)
    assert opened.status_code == 201, opened.text
    page = opened.json()
    assert page["subscription"].startswith("sub_")
    if page["payment"] is None:  # the plan bills in arrears: the method is saved
        await pay(gateway, page)
    else:
        assert (await owner.get(f"{BILLING}/subscription")).json()["status"] == "incomplete"
        await pay(gateway, page)
        await until(
            shop,
            "SELECT status = 'active' FROM subscriptions WHERE account_id = $1",
            whose,
        )
    await until(
        shop,
        "SELECT count(*) = 1 FROM payment_methods WHERE account_id = $1 AND status = 'active'",
        whose,
    )


async def test_only_addresses_of_our_own_are_come_back_to(shop: "Shop", stripe: "Stripe") -> None:
    assert stripe
    owner = shop.as_person(shop.acme.owner)
    own = f"{shop.services.settings.public_url}/somewhere?x=1"
    for field in ("success_url", "cancel_url"):
        taken = await owner.post(OPEN, json={"mode": "setup", field: own})
        assert taken.status_code == 201, taken.text
        for url in (
            "https://evil.example/",
            f"{shop.services.settings.public_url}.evil.example/",
            f"{shop.services.settings.public_url}@evil.example/",
            "javascript:alert(1)",
            "//evil.example",
            "http://[::1",
            "",
        ):
            answer = await owner.post(OPEN, json={"mode": "setup", field: url})
            problem = shop.refused(answer, 422, "validation_failed")
            assert shop.fields(problem) == [(field, "url_not_allowed")], url


async def test_what_does_not_belong_to_the_mode_is_named(shop: "Shop", stripe: "Stripe") -> None:
    assert stripe
    owner = shop.as_person(shop.acme.owner)
    invoice = f"inv_{'0' * 26}"
    bad: list[tuple[Json, str]] = [
        ({}, "mode"),
        ({"mode": "embedded"}, "mode"),
        ({"mode": "setup", "amount_cents": 500}, "amount_cents"),
        ({"mode": "setup", "invoice_id": invoice}, "invoice_id"),
        ({"mode": "setup", "plan": "x"}, "plan"),
        ({"mode": "setup", "currency": "usd"}, "currency"),
        ({"mode": "payment", "amount_cents": 500, "currency": "usd"}, "currency"),
        ({"mode": "payment", "plan": "x"}, "plan"),
        ({"mode": "payment", "invoice_id": invoice, "amount_cents": 5}, "amount_cents"),
        ({"mode": "payment", "amount_cents": 49}, "amount_cents"),
        ({"mode": "payment", "amount_cents": 0}, "amount_cents"),
        ({"mode": "payment", "amount_cents": -5}, "amount_cents"),
        ({"mode": "subscription"}, "plan"),
    ]
    for body, field in bad:
        problem = shop.refused(await owner.post(OPEN, json=body), 422, "validation_failed")
        assert [name for name, _ in shop.fields(problem)] == [field], body
    member = shop.as_person(shop.acme.member)
    shop.refused(await member.post(OPEN, json={"mode": "setup"}), 403, "not_allowed")
