"""Alert rules, budgets and the forecast over HTTP, from an event to what the account is told."""

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Shop, Tenant

Json = dict[str, Any]
BILLING = "/api/v1/billing"
RULE: Json = {
    "name": "Storage", "watch": "meter", "meter": "storage", "unit": "percent",
    "thresholds": ["80", "100.5"],
}  # fmt: skip
BUDGET: Json = {
    "name": "Month", "watch": "spend", "amount_cents": 6000, "actual_percents": ["80"],
    "forecast_percents": ["100"],
}  # fmt: skip


class Customer:
    """An account on the plan, its owner, and its own usage."""

    def __init__(self, shop: "Shop", tenant: "Tenant") -> None:
        self.shop = shop
        self.tenant = tenant
        self.owner = shop.with_key(tenant.keys["billing:write"])
        self.usage = shop.with_key(tenant.keys["usage:write"])

    async def use(self, n: int, kind: str = "storage") -> None:
        event = {
            "specversion": "1.0", "id": uuid4().hex, "source": "t", "type": kind,
            "subject": self.tenant.id, "data": {"n": n},
        }  # fmt: skip
        sent = await self.usage.post(
            "/api/v1/events", json=event, headers={"Content-Type": "application/cloudevents+json"}
        )
        assert sent.status_code == 204, sent.text

    async def post(self, path: str, body: Json) -> httpx.Response:
        return await self.owner.post(f"{BILLING}{path}", json=body)

    async def get(self, path: str) -> Json:
        answer = await self.owner.get(f"{BILLING}{path}")
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found


@pytest.fixture
async def customer(shop: "Shop") -> Customer:
    tenant = await shop.tenant()
    await shop.subscribe(tenant.account)
    return Customer(shop, tenant)


async def test_a_rule_tells_what_an_event_reached(shop: "Shop", customer: Customer) -> None:
    made = (await customer.post("/usage/alerts", RULE)).json()
    assert made | {"id": "", "created": ""} == {
        **RULE, "id": "", "created": "", "is_active": True
    }  # fmt: skip
    assert (await customer.get("/usage/alerts"))["alerts"] == [made]
    await customer.use(9)
    await shop.work()
    found = await customer.get("/usage/alerts/history")
    (alert,) = found["alerts"]
    assert found["total"] == 1
    assert alert["source"] == made["id"]
    assert (alert["threshold"], alert["quantity"], alert["limit"]) == ("80", "9", "10")
    assert (alert["basis"], alert["account"]) == ("actual", customer.tenant.id)
    staff = await shop.as_person(shop.support).get("/api/v1/admin/usage-alerts")
    assert alert in staff.json()["alerts"]
    refused = await customer.owner.get("/api/v1/admin/usage-alerts")
    shop.refused(refused, 403, "not_allowed")


async def test_a_rule_is_changed_and_deleted(shop: "Shop", customer: Customer) -> None:
    made = (await customer.post("/usage/alerts", RULE)).json()
    place = f"{BILLING}/usage/alerts/{made['id']}"
    change = {"thresholds": ["50"], "is_active": False, "name": "Other"}
    changed = await customer.owner.patch(place, json=change)
    assert changed.json() == {**made, **change}
    assert (await customer.owner.delete(place)).status_code == 204
    shop.refused(await customer.owner.delete(place), 404, "alert_rule_not_found")
    assert (await customer.get("/usage/alerts"))["total"] == 0


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"meter": None}, [("meter", "missing")]),
        ({"meter": "nothing"}, [("meter", "meter_not_found")]),
        ({"watch": "spend"}, [("meter", "unexpected"), ("unit", "unit_does_not_fit")]),
        ({"watch": "credits", "meter": None}, [("unit", "without_limit")]),
        ({"thresholds": []}, [("thresholds", "too_many")]),
        ({"thresholds": ["80", "80.0"]}, [("thresholds", "repeated")]),
        ({"thresholds": ["80", "-1"]}, [("thresholds[1]", "out_of_range")]),
        ({"thresholds": ["1e3"]}, [("thresholds[0]", "not_a_decimal_string")]),
        ({"thresholds": ["NaN"]}, [("thresholds[0]", "not_a_decimal_string")]),
        ({"unit": "quantity", "thresholds": ["0"]}, [("thresholds[0]", "out_of_range")]),
        ({"name": "\u0007"}, [("name", "invalid_text")]),
    ],
)
async def test_a_rule_that_can_not_be_is_refused_with_its_fields(
    shop: "Shop", customer: Customer, changes: Json, wrong: list[tuple[str, str]]
) -> None:
    refused = await customer.post("/usage/alerts", {**RULE, **changes})
    assert shop.fields(shop.refused(refused, 422, "validation_failed")) == wrong
    assert (await customer.get("/usage/alerts"))["total"] == 0


async def test_members_read_and_only_owners_write(shop: "Shop", customer: Customer) -> None:
    member = shop.as_person(customer.tenant.member)
    assert (await member.get(f"{BILLING}/usage/alerts")).status_code == 200
    shop.refused(await member.post(f"{BILLING}/usage/alerts", json=RULE), 403, "not_allowed")
    shop.refused(await member.post(f"{BILLING}/budgets", json=BUDGET), 403, "not_allowed")


async def test_a_budget_shows_where_it_stands_and_tells_of_the_forecast(
    shop: "Shop", customer: Customer
) -> None:
    made = (await customer.post("/budgets", BUDGET)).json()
    # A fee of 49.00, and 5.00 for entering the first tier of calls.
    assert (made["used_cents"], made["amount_cents"], made["used_percent"]) == (5400, 6000, 90)
    await shop.work()
    found = (await customer.get("/usage/alerts/history"))["alerts"]
    assert [(one["basis"], one["threshold"]) for one in found] == [("actual", "80")]
    await customer.use(10)
    await shop.work()
    found = (await customer.get("/usage/alerts/history"))["alerts"]
    assert [(one["basis"], one["threshold"]) for one in found] == [
        ("forecast", "100"),
        ("actual", "80"),
    ]
    (shown,) = (await customer.get("/budgets"))["budgets"]
    assert shown["used_cents"] == 5500
    assert shown["expected_cents"] >= 6000
    assert found[0]["quantity"] == str(shown["expected_cents"])


async def test_a_budget_of_a_meter_is_changed_and_deleted(shop: "Shop", customer: Customer) -> None:
    body = {
        "name": "Calls", "watch": "meter", "meter": "api_calls", "quantity": "1000",
        "actual_percents": ["50"],
    }  # fmt: skip
    made = (await customer.post("/budgets", body)).json()
    assert (made["quantity"], made["used_quantity"], made["amount"]) == ("1000", "0", None)
    place = f"{BILLING}/budgets/{made['id']}"
    changed = (await customer.owner.patch(place, json={"quantity": "10"})).json()
    assert (changed["quantity"], changed["actual_percents"]) == ("10", ["50"])
    refused = await customer.owner.patch(place, json={"amount_cents": 10})
    problem = shop.refused(refused, 422, "validation_failed")
    assert shop.fields(problem) == [("amount_cents", "unexpected"), ("quantity", "missing")]
    refused = await customer.owner.patch(place, json={"actual_percents": []})
    problem = shop.refused(refused, 422, "validation_failed")
    assert shop.fields(problem) == [("actual_percents", "missing")]
    assert (await customer.owner.delete(place)).status_code == 204
    shop.refused(await customer.owner.patch(place, json={}), 404, "budget_not_found")


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"amount_cents": None}, [("amount_cents", "missing")]),
        ({"quantity": "5"}, [("quantity", "unexpected")]),
        ({"meter": "api_calls"}, [("meter", "unexpected")]),
        ({"actual_percents": ["0"]}, [("actual_percents[0]", "out_of_range")]),
        ({"forecast_percents": ["1", "1"]}, [("forecast_percents", "repeated")]),
    ],
)
async def test_a_budget_that_can_not_be_is_refused_with_its_fields(
    shop: "Shop", customer: Customer, changes: Json, wrong: list[tuple[str, str]]
) -> None:
    refused = await customer.post("/budgets", {**BUDGET, **changes})
    assert shop.fields(shop.refused(refused, 422, "validation_failed")) == wrong


async def test_the_forecast_is_rated_like_the_invoice(customer: Customer) -> None:
    await customer.use(10)
    found = await customer.get("/usage/forecast")
    storage = next(one for one in found["meters"] if one["code"] == "storage")
    assert (storage["quantity"], storage["limit"], storage["basis"]) == ("10", "10", "run_rate")
    low, expected, high = (float(storage[name]) for name in ("low", "expected", "high"))
    assert low == 10 < expected < high
    spend = found["spend"]
    assert spend["so_far_cents"] == spend["low_cents"] == 5500
    # 0.10 for a unit of storage.
    assert abs(spend["expected_cents"] - (5400 + 10 * expected)) <= 0.5
    assert spend["high_cents"] > spend["expected_cents"]
    assert "weekday" in found["method"]


async def test_without_a_plan_there_is_a_forecast_of_the_month_and_no_spend(
    shop: "Shop",
) -> None:
    customer = Customer(shop, await shop.tenant())
    found = await customer.get("/usage/forecast")
    assert (found["plan"], found["meters"], found["spend"]) == (None, [], None)
    await customer.use(10)
    found = await customer.get("/usage/forecast")
    assert [one["code"] for one in found["meters"]] == ["storage"]
