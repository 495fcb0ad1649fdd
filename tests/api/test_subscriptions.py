"""Plans and subscriptions over HTTP, in the Ops Center seed's words."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Shop

Json = dict[str, Any]
BILLING = "/api/v1/billing"


async def test_plans_show_their_prices_as_they_were_written(shop: "Shop") -> None:
    answer = await shop.as_person(shop.acme.member).get(f"{BILLING}/plans")
    (plan,) = answer.json()["plans"]
    assert (plan["code"], plan["version"], plan["currency"]) == ("pro", 1, "usd")
    assert (plan["amount"], plan["amount_cents"]) == (49.0, 4900)
    assert (plan["interval"], plan["interval_count"]) == ("month", 1)
    assert plan["limits"] == {"storage": "10"}
    by_code = {price["code"]: price for price in plan["prices"]}
    assert by_code["fee"]["amount"] == "49"
    assert by_code["calls"]["tiers"] == [
        {"up_to": "1000", "unit": "0.02", "flat": "5"},
        {"up_to": None, "unit": "0.01", "flat": "0"},
    ]
    assert by_code["storage"]["unit"] == "0.1"


async def test_subscribing_begins_a_period_now(shop: "Shop") -> None:
    tenant = await shop.tenant()
    owner = shop.as_person(tenant.owner)
    before = datetime.now(UTC)
    answer = await owner.post(f"{BILLING}/subscriptions", json={"plan": "pro"})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["tier"], made["plan_name"], made["status"]) == ("pro", "Pro", "active")
    assert (made["amount"], made["amount_cents"], made["currency"]) == (49.0, 4900, "usd")
    start = datetime.fromisoformat(made["current_period_start"])
    end = datetime.fromisoformat(made["current_period_end"])
    assert before <= start <= datetime.now(UTC)
    assert timedelta(days=27) < end - start <= timedelta(days=31)
    assert made["cancel_at_period_end"] is False
    assert (await owner.get(f"{BILLING}/subscription")).json() == made


@pytest.mark.parametrize(
    ("plan", "status", "code"),
    [
        ("nothing", 404, "plan_not_found"),
        ("PRO", 404, "plan_not_found"),
        ("", 404, "plan_not_found"),
        ("x" * 300, 404, "plan_not_found"),
        ("pro\0", 422, "validation_failed"),
    ],
)
async def test_a_plan_that_is_not_there_changes_nothing(
    shop: "Shop", plan: str, status: int, code: str
) -> None:
    tenant = await shop.tenant()
    before = await shop.counts()
    answer = await shop.as_person(tenant.owner).post(
        f"{BILLING}/subscriptions", json={"plan": plan}
    )
    shop.refused(answer, status, code)
    assert await shop.counts() == before


async def test_one_subscription_at_a_time(shop: "Shop") -> None:
    tenant = await shop.tenant()
    owner = shop.as_person(tenant.owner)
    assert (await owner.post(f"{BILLING}/subscriptions", json={"plan": "pro"})).status_code == 201
    before = await shop.counts()
    answer = await owner.post(f"{BILLING}/subscriptions", json={"plan": "pro"})
    shop.refused(answer, 409, "already_subscribed")
    assert await shop.counts() == before


async def test_a_plan_in_another_currency_is_a_conflict(shop: "Shop") -> None:
    tenant = await shop.tenant(currency="EUR")
    before = await shop.counts()
    answer = await shop.as_person(tenant.owner).post(
        f"{BILLING}/subscriptions", json={"plan": "pro"}
    )
    shop.refused(answer, 409, "plan_not_in_currency")
    assert await shop.counts() == before


async def test_cancelling_at_the_periods_end_lets_it_run_out(shop: "Shop") -> None:
    tenant = await shop.tenant()
    owner = shop.as_person(tenant.owner)
    made = (await owner.post(f"{BILLING}/subscriptions", json={"plan": "pro"})).json()
    cancel = f"{BILLING}/subscriptions/{made['id']}/cancel"
    for _ in range(2):
        answer = await owner.post(cancel, json={})
        assert answer.status_code == 200, answer.text
        assert (answer.json()["status"], answer.json()["cancel_at_period_end"]) == ("active", True)
    assert answer.json()["current_period_end"] == made["current_period_end"]


async def test_cancelling_now_ends_it_and_bills_what_was_used(shop: "Shop") -> None:
    tenant = await shop.tenant()
    owner = shop.as_person(tenant.owner)
    made = (await owner.post(f"{BILLING}/subscriptions", json={"plan": "pro"})).json()
    cancel = f"{BILLING}/subscriptions/{made['id']}/cancel"
    answer = await owner.post(cancel, json={"at_period_end": False})
    assert answer.status_code == 200
    assert answer.json()["status"] == "canceled"
    shop.refused(await owner.post(cancel, json={}), 409, "subscription_not_active")
    await shop.work()
    assert (await owner.get(f"{BILLING}/subscription")).json()["status"] == "none"
    assert (await owner.post(f"{BILLING}/subscriptions", json={"plan": "pro"})).status_code == 201


async def test_it_asks_for_invoices_of_its_own_and_back(shop: "Shop") -> None:
    owner = shop.as_person((await shop.tenant()).owner)
    begin = {"plan": "pro", "invoice_separately": True}
    made = (await owner.post(f"{BILLING}/subscriptions", json=begin)).json()
    assert made["invoice_separately"] is True
    path = f"{BILLING}/subscriptions/{made['id']}"
    answer = await owner.patch(path, json={"invoice_separately": False})
    assert (answer.status_code, answer.json()["invoice_separately"]) == (200, False)
    assert (await owner.get(path)).json() == answer.json()
    assert (await owner.patch(path, json={})).status_code == 422
    unknown = f"{BILLING}/subscriptions/sub_{'0' * 26}"
    assert (await owner.patch(unknown, json={"invoice_separately": True})).status_code == 404


async def test_members_subscribe_to_nothing(shop: "Shop") -> None:
    tenant = await shop.tenant()
    before = await shop.counts()
    member = shop.as_person(tenant.member)
    answer = await member.post(f"{BILLING}/subscriptions", json={"plan": "pro"})
    shop.refused(answer, 403, "not_allowed")
    assert await shop.counts() == before


async def test_an_account_on_a_test_clock_lives_by_it(shop: "Shop") -> None:
    admin = shop.with_key(shop.house_keys["admin"])
    tenant = await shop.tenant()
    new = {"name": "story", "now": "2030-01-31T09:00:00Z", "accounts": [tenant.id]}
    clock = (await admin.post("/api/v1/admin/test-clocks", json=new)).json()
    assert (clock["status"], clock["now"]) == ("ready", "2030-01-31T09:00:00Z")
    owner = shop.as_person(tenant.owner)
    made = (await owner.post(f"{BILLING}/subscriptions", json={"plan": "pro"})).json()
    assert made["started_at"] == "2030-01-31T09:00:00Z"
    assert made["current_period_end"] == "2030-02-28T00:00:00Z"
    advance = f"/api/v1/admin/test-clocks/{clock['id']}/advance"
    answer = await admin.post(advance, json={"to": "2030-05-01T00:00:00Z"})
    assert (answer.status_code, answer.json()["status"]) == (202, "advancing")
    shop.refused(
        await admin.post(advance, json={"to": "2030-06-01T00:00:00Z"}), 409, "test_clock_advancing"
    )
    await shop.work()
    told = (await admin.get(f"/api/v1/admin/test-clocks/{clock['id']}")).json()
    assert (told["status"], told["now"]) == ("ready", "2030-05-01T00:00:00Z")
    invoices = (await owner.get(f"{BILLING}/invoices")).json()["invoices"]
    ends = [invoice["period_end"][:10] for invoice in invoices]
    assert ends == ["2030-04-30", "2030-03-31", "2030-02-28"]
    account = (await admin.get(f"/api/v1/admin/accounts/{tenant.id}")).json()
    assert account["test_clock"] == clock["id"]
    back = await admin.post(advance, json={"to": "2030-04-01T00:00:00Z"})
    assert shop.fields(shop.refused(back, 422, "validation_failed")) == [("to", "in_the_past")]


async def test_a_change_is_made_billed_scheduled_and_taken_back(shop: "Shop") -> None:
    tenant = await shop.tenant()
    owner = shop.as_person(tenant.owner)
    made = (await owner.post(f"{BILLING}/subscriptions", json={"plan": "pro"})).json()
    one = f"{BILLING}/subscriptions/{made['id']}"
    more = await owner.post(f"{one}/change", json={"quantity": 3})
    assert more.status_code == 200, more.text
    assert (more.json()["quantity"], more.json()["amount_cents"]) == (3, 14700)
    less = (await owner.post(f"{one}/change", json={"quantity": 2})).json()
    assert less["quantity"] == 3
    assert less["scheduled_change"] == {
        "at": made["current_period_end"],
        "plan_version": made["plan_version"],
        "quantity": 2,
    }
    dropped = (await owner.delete(f"{one}/change")).json()
    assert dropped["scheduled_change"] is None
    shop.refused(await owner.delete(f"{one}/change"), 409, "nothing_to_change")
    shop.refused(await owner.post(f"{one}/change", json={"quantity": 3}), 409, "nothing_to_change")
    shop.refused(await owner.post(f"{one}/change", json={"plan": "no"}), 404, "plan_not_found")
    assert (await owner.get(one)).json() == dropped
    assert (await owner.get(f"{BILLING}/subscriptions")).json() == {
        "subscriptions": [dropped],
        "total": 1,
    }


async def test_a_pause_a_return_and_a_new_life(shop: "Shop") -> None:
    tenant = await shop.tenant()
    owner = shop.as_person(tenant.owner)
    made = (await owner.post(f"{BILLING}/subscriptions", json={"plan": "pro"})).json()
    one = f"{BILLING}/subscriptions/{made['id']}"
    shop.refused(await owner.post(f"{one}/resume"), 409, "subscription_active")
    paused = (await owner.post(f"{one}/pause", json={})).json()
    assert paused["status"] == "paused"
    shop.refused(await owner.post(f"{one}/pause", json={}), 409, "subscription_paused")
    assert (await owner.post(f"{one}/resume")).json()["status"] == "active"
    assert (await owner.post(f"{one}/cancel", json={})).json()["cancel_at_period_end"] is True
    assert (await owner.post(f"{one}/resume")).json()["cancel_at_period_end"] is False
    ended = (await owner.post(f"{one}/cancel", json={"at_period_end": False})).json()
    assert ended["status"] == "canceled"
    assert (await owner.post(f"{one}/reactivate")).json()["status"] == "active"
    shop.refused(await owner.post(f"{one}/reactivate"), 409, "subscription_active")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", {"plan": "pro", "trial_days": 30}),
        ("", {"plan": "pro", "anchor_on": "2026-01-31"}),
        ("", {"plan": "pro", "starts_at": "2026-01-31T00:00:00Z"}),
        ("cancel", {"remainder": "refund"}),
    ],
)
async def test_an_owner_gives_no_trials_and_no_refunds(shop: "Shop", path: str, body: Json) -> None:
    tenant = await shop.tenant()
    owner = shop.as_person(tenant.owner)
    place = f"{BILLING}/subscriptions"
    if path:
        made = (await owner.post(place, json={"plan": "pro"})).json()
        place = f"{place}/{made['id']}/{path}"
    before = await shop.counts()
    shop.refused(await owner.post(place, json=body), 403, "not_allowed")
    assert await shop.counts() == before
