"""A plan in several currencies: each account sees, tries and pays the prices in its own."""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Shop

Json = dict[str, Any]
BILLING = "/api/v1/billing"


def prices(currency: str, fee: str, unit: str) -> list[Json]:
    calls = {"code": "calls", "meter": "api_calls", "model": "per_unit", "unit": unit}
    flat = {"code": "fee", "model": "flat", "amount": fee, "billing": "in_advance"}
    return [{**one, "currency": currency} for one in (flat, calls)]


@pytest.fixture(autouse=True)
async def _sold(shop: "Shop") -> None:
    """A plan that is sold in dollars, yen and dinars."""
    plan = {
        "code": "world", "name": "World", "currency": "USD", "interval": "month",
        "prices": [
            *prices("USD", "10", "0.02"), *prices("JPY", "1500", "2.5"),
            *prices("KWD", "3.125", "0.0065"),
        ],
    }  # fmt: skip
    made = await shop.as_person(shop.admin).post("/api/v1/admin/plans", json=plan)
    assert made.status_code == 201, made.text


@pytest.mark.parametrize(
    ("currency", "fee", "usage"), [("USD", 1000, 14), ("JPY", 1500, 18), ("KWD", 3125, 46)]
)
async def test_an_account_is_shown_and_billed_the_prices_in_its_own_currency(
    shop: "Shop", currency: str, fee: int, usage: int
) -> None:
    tenant = await shop.tenant(currency=currency)
    owner = shop.with_key(tenant.keys["billing:write"])
    asked = {"do": "subscribe", "plan": "world"}
    seen = (await owner.post(f"{BILLING}/preview", json=asked)).json()
    assert [one["total_cents"] for one in seen["now"]] == [fee]
    made = (await owner.post(f"{BILLING}/subscriptions", json={"plan": "world"})).json()
    assert (made["currency"], made["amount_cents"]) == (currency.lower(), fee)
    (invoice,) = (await owner.get(f"{BILLING}/invoices")).json()["invoices"]
    assert (invoice["currency"], invoice["amount_due_cents"]) == (currency.lower(), fee)
    event = {"id": "e", "meter": "api_calls", "subject": tenant.id, "properties": {"n": 7}}
    sender = shop.with_key(tenant.keys["usage:write"])
    await sender.post("/api/v1/events", json={"events": [event]})
    spent = (await owner.get(f"{BILLING}/usage/current")).json()["overages"]
    assert spent["total_overage_cost_cents"] == usage
    ended = await owner.post(f"{BILLING}/preview", json={"do": "cancel", "when": "now"})
    (last,) = ended.json()["now"]
    assert {line["price"]: line["amount_cents"] for line in last["lines"]}["calls"] == usage
    assert (await owner.get(f"{BILLING}/subscriptions")).json()["subscriptions"][0] == made


async def test_an_account_whose_currency_has_no_price_learns_which_there_are(
    shop: "Shop",
) -> None:
    tenant = await shop.tenant(currency="CHF")
    owner = shop.with_key(tenant.keys["billing:write"])
    for path, body in (
        ("subscriptions", {"plan": "world"}),
        ("preview", {"do": "subscribe", "plan": "world"}),
    ):
        answer = await owner.post(f"{BILLING}/{path}", json=body)
        problem = shop.refused(answer, 409, "plan_not_in_currency")
        assert "USD, JPY, KWD" in problem["detail"]


async def test_plans_are_listed_by_the_currency_that_is_asked_for(shop: "Shop") -> None:
    reader = shop.with_key((await shop.tenant(currency="EUR")).keys["billing:read"])
    found = (await reader.get(f"{BILLING}/plans", params={"currency": "kwd"})).json()
    assert found["total"] == 1
    (plan,) = found["plans"]
    assert (plan["currency"], plan["amount_cents"]) == ("kwd", 3125)
    assert {price["currency"] for price in plan["prices"]} == {"KWD"}
    every = (await reader.get(f"{BILLING}/plans")).json()["plans"]
    assert {one["code"]: one["currency"] for one in every}["world"] == "usd"
    unknown = await reader.get(f"{BILLING}/plans", params={"currency": "XYZ"})
    assert unknown.status_code == 422
    assert unknown.json()["code"] == "unknown_currency"
