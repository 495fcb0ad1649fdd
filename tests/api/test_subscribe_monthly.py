"""`POST /subscribe-monthly`: begun, billed and charged at once, through Stripe's simulator."""

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.api.test_stripe_payments import charges, gateway, save_card

if TYPE_CHECKING:
    import httpx

    from tallystick.settings import Settings
    from tests.api.conftest import Shop, Stripe

Json = dict[str, Any]
BILLING, ADMIN = "/api/v1/billing", "/api/v1/admin"
__all__ = ["gateway"]


@pytest.fixture(scope="module")
def settings(stripe_settings: "Settings") -> "Settings":
    return msgspec.structs.replace(stripe_settings, default_monthly_price_cents=2900)


async def ask(who: "httpx.AsyncClient", body: Json | None = None, **more: Any) -> "httpx.Response":
    return await who.post(f"{BILLING}/subscribe-monthly", json=body, **more)


async def test_the_default_price_is_charged_now_and_each_month(
    shop: "Shop", gateway: "Stripe"
) -> None:
    tenant = await shop.tenant()
    card = await save_card(shop, gateway, tenant)
    owner = shop.as_person(tenant.owner)
    assert (await owner.get(f"{BILLING}/config")).json()["default_monthly_price"] == 29.0
    before, headers = len(await charges(gateway)), {"Idempotency-Key": "join"}
    answer = await ask(owner, headers=headers)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    subscription = made["subscription"]
    assert (subscription["status"], subscription["amount_cents"]) == ("active", 2900)
    assert (subscription["interval"], subscription["interval_count"]) == ("month", 1)
    assert (made["invoice"]["status"], made["invoice"]["total_cents"]) == ("paid", 2900)
    assert (made["payment"]["status"], made["payment"]["amount_cents"]) == ("succeeded", 2900)
    assert made["payment"]["payment_method"] == card["id"]
    again = await ask(owner, headers=headers)
    assert (again.json(), again.headers["idempotent-replayed"]) == (made, "true")
    await shop.work()
    assert len(await charges(gateway)) == before + 1
    assert (await owner.get(f"{BILLING}/subscription")).json() == subscription
    shop.refused(await ask(owner), 409, "already_subscribed")
    listed = [one["code"] for one in (await owner.get(f"{BILLING}/plans")).json()["plans"]]
    assert listed == ["pro"]
    taken = await owner.post(f"{BILLING}/subscriptions", json={"plan": "subscribe-monthly"})
    shop.refused(taken, 404, "plan_not_found")


async def test_a_request_that_was_cut_off_goes_on_where_it_was(
    shop: "Shop", gateway: "Stripe"
) -> None:
    tenant = await shop.tenant()
    await save_card(shop, gateway, tenant)
    owner = shop.as_person(tenant.owner)
    headers = {"Idempotency-Key": "cut-off"}
    first = (await ask(owner, headers=headers)).json()
    forget = "DELETE FROM idempotency_keys WHERE key = 'cut-off' RETURNING key"
    assert await shop.rows(forget)
    assert (await ask(owner, headers=headers)).json() == first


async def test_a_declined_card_leaves_it_incomplete_and_another_card_pays_the_same_invoice(
    shop: "Shop", gateway: "Stripe"
) -> None:
    tenant = await shop.tenant()
    bad = await save_card(shop, gateway, tenant, "pm_card_chargeCustomerFail")
    owner = shop.as_person(tenant.owner)
    problem = shop.refused(await ask(owner), 402, "payment_declined")
    assert problem["decline_code"] == "card_declined"
    assert [one["status"] for one in await listed(owner)] == ["incomplete"]
    await shop.work()
    good = await save_card(shop, gateway, tenant)
    answer = await ask(owner, {"payment_method_id": good["id"]})
    assert answer.status_code == 201, answer.text
    assert answer.json()["subscription"]["status"] == "active"
    invoices = (await owner.get(f"{BILLING}/invoices")).json()["invoices"]
    assert [(one["status"], one["total_cents"]) for one in invoices] == [("paid", 2900)]
    settings = (await owner.get(f"{BILLING}/settings")).json()
    assert settings["default_payment_method_id"] == good["id"] != bad["id"]


async def listed(owner: "httpx.AsyncClient") -> list[Json]:
    found: list[Json] = (await owner.get(f"{BILLING}/subscriptions")).json()["subscriptions"]
    return found


async def test_without_a_method_nothing_is_begun(shop: "Shop") -> None:
    tenant = await shop.tenant()
    owner = shop.as_person(tenant.owner)
    shop.refused(await ask(owner), 409, "payment_method_missing")
    answer = await ask(owner, {"payment_method_id": "pm_of_nobody"})
    shop.refused(answer, 404, "payment_method_not_found")
    assert await listed(owner) == []
    euro = shop.as_person((await shop.tenant(currency="EUR")).owner)
    shop.refused(await ask(euro), 409, "monthly_price_missing")


async def test_what_stripe_does_not_take_begins_nothing(shop: "Shop", gateway: "Stripe") -> None:
    tenant = await shop.tenant()
    await save_card(shop, gateway, tenant)
    staff = shop.as_person(shop.admin, tenant.id)
    await shop.work()
    before = await shop.counts()
    small = shop.refused(await ask(staff, {"price_cents": 49}), 422, "validation_failed")
    assert shop.fields(small) == [("amount_cents", "amount_too_small")]
    proof = {"threedsStatus": "Y", "threedsEci": "05"}
    told = shop.refused(await ask(staff, {"threeds": proof}), 422, "validation_failed")
    assert shop.fields(told) == [("threeds", "authentication_not_taken")]
    assert await shop.counts() == before
    assert await listed(staff) == []


async def test_a_price_of_ones_own_is_for_staff_and_made_once(
    shop: "Shop", gateway: "Stripe"
) -> None:
    tenants = [await shop.tenant(), await shop.tenant()]
    owner = shop.as_person(tenants[0].owner)
    shop.refused(await ask(owner, {"price_cents": 1}), 403, "not_allowed")
    problem = shop.refused(
        await ask(owner, {"plan": "pro", "price_cents": 1}), 422, "validation_failed"
    )
    assert shop.fields(problem) == [("price_cents", "one_of")]
    versions = set()
    for tenant in tenants:
        await save_card(shop, gateway, tenant)
        staff = shop.as_person(shop.admin, tenant.id)
        answer = await ask(staff, {"price_cents": 1500})
        assert answer.status_code == 201, answer.text
        versions.add(answer.json()["subscription"]["plan_version"])
        assert answer.json()["payment"]["amount_cents"] == 1500
    assert len(versions) == 1


async def test_a_plan_by_the_month_is_taken_and_no_other(shop: "Shop", gateway: "Stripe") -> None:
    tenant = await shop.tenant()
    await save_card(shop, gateway, tenant)
    owner = shop.as_person(tenant.owner)
    yearly = {"code": "yearly", "name": "Y", "currency": "USD", "interval": "year", "prices": []}
    await shop.as_person(shop.admin).post(f"{ADMIN}/plans", json=yearly)
    shop.refused(await ask(owner, {"plan": "yearly"}), 409, "plan_not_monthly")
    shop.refused(await ask(owner, {"plan": "nothing"}), 404, "plan_not_found")
    made = (await ask(owner, {"plan": "pro"})).json()
    assert (made["subscription"]["tier"], made["subscription"]["status"]) == ("pro", "active")
    assert (made["invoice"], made["payment"]) == (None, None)
    shop.refused(await ask(owner, {"plan": "pro"}), 409, "already_subscribed")
