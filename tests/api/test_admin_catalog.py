"""Meters and plans for staff over HTTP: made, sold in versions, refused field by field."""

from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Shop

Json = dict[str, Any]
ADMIN = "/api/v1/admin"
METER: Json = {"code": "seats"}
PLAN: Json = {"code": "team", "name": "Team", "currency": "usd", "interval": "month", "prices": []}
FLAT: Json = {"model": "flat", "currency": "USD", "code": "fee", "amount": "10"}
UNITS: Json = {
    "model": "per_unit",
    "currency": "USD",
    "code": "calls",
    "meter": "api_calls",
    "unit": "0.1",
}
BY_VOLUME: Json = {
    "model": "volume", "currency": "USD", "code": "calls", "meter": "api_calls",
    "tiers": [{"up_to": None, "unit": "0.1"}],
}  # fmt: skip


@pytest.fixture
def admin(shop: "Shop") -> httpx.AsyncClient:
    return shop.as_person(shop.admin)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"code": ""}, "code"),
        ({"code": "A"}, "code"),
        ({"code": "1a"}, "code"),
        ({"code": "a-b"}, "code"),
        ({"code": "a" * 64}, "code"),
        ({"name": ""}, "name"),
        ({"unit": "\n"}, "unit"),
        ({"event_type": ""}, "event_type"),
        ({"aggregation": "median"}, "aggregation"),
        ({"aggregation": "sum"}, "property"),
        ({"property": "n"}, "property"),
        ({"aggregation": "sum", "property": ""}, "property"),
        ({"aggregation": "sum", "property": "a\0"}, "property"),
    ],
    ids=str,
)
async def test_a_meter_that_can_not_be_is_refused(
    shop: "Shop", admin: httpx.AsyncClient, change: Json, field: str
) -> None:
    before = await shop.counts()
    answer = await admin.post(f"{ADMIN}/meters", json={**METER, **change})
    problem = shop.refused(answer, 422, "validation_failed")
    # The name and the type are the code where they are left out, and wrong with it.
    assert shop.fields(problem)[0][0] == field
    assert await shop.counts() == before


async def test_a_meters_defaults_are_its_code(shop: "Shop", admin: httpx.AsyncClient) -> None:
    made = await admin.post(f"{ADMIN}/meters", json={"code": "logins"})
    assert made.status_code == 201
    meter = made.json()
    assert (meter["name"], meter["event_type"], meter["aggregation"]) == (
        "logins",
        "logins",
        "count",
    )
    answer = await admin.post(f"{ADMIN}/meters", json={"code": "logins"})
    shop.refused(answer, 409, "meter_code_taken")


async def test_a_plan_is_sold_in_versions(shop: "Shop", admin: httpx.AsyncClient) -> None:
    tenant = await shop.tenant()
    owner = shop.as_person(tenant.owner)
    for version, amount in ((1, "10"), (2, "12")):
        plan = {**PLAN, "prices": [{**FLAT, "amount": amount}, UNITS]}
        made = await admin.post(f"{ADMIN}/plans", json=plan)
        assert made.status_code == 201, made.text
        assert (made.json()["version"], made.json()["amount_cents"]) == (version, int(amount) * 100)
        if version == 1:
            subscribed = await owner.post("/api/v1/billing/subscriptions", json={"plan": "team"})
            assert subscribed.status_code == 201
    kept = (await owner.get("/api/v1/billing/subscription")).json()
    assert kept["amount_cents"] == 1000


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"code": "T"}, "code"),
        ({"name": ""}, "name"),
        ({"currency": "XXX"}, "currency"),
        ({"interval": "fortnight"}, "interval"),
        ({"interval_count": 0}, "interval_count"),
        ({"interval_count": 121}, "interval_count"),
        ({"interval_count": 1.0}, "interval_count"),
        ({"prices": [FLAT] * 101}, "prices"),
        ({"prices": [1]}, "prices[0]"),
        ({"prices": [{}]}, "prices[0].model"),
        ({"prices": [{**FLAT, "model": "magic"}]}, "prices[0].model"),
        ({"prices": [{**FLAT, "amount": 10}]}, "prices[0].amount"),
        ({"prices": [{**FLAT, "amount": "ten"}]}, "prices[0].amount"),
        ({"prices": [{**FLAT, "amount": "-1"}]}, "prices[0].amount"),
        ({"prices": [{**FLAT, "amount": "NaN"}]}, "prices[0].amount"),
        ({"prices": [{**FLAT, "amount": "1e99"}]}, "prices[0].amount"),
        ({"prices": [{**FLAT, "amnt": "1"}]}, "prices[0].amnt"),
        ({"prices": [{**FLAT, "currency": "EUR"}]}, "prices[0].currency"),
        ({"prices": [{**FLAT, "code": "\0"}]}, "prices[0].code"),
        ({"prices": [{**FLAT, "meter": "api_calls"}]}, "prices[0].meter"),
        ({"prices": [{**UNITS, "meter": "nothing"}]}, "prices[0].meter"),
        ({"prices": [{**BY_VOLUME, "billing": "in_advance"}]}, "prices[0].billing"),
        ({"limits": {"nothing": "1"}}, "limits.nothing"),
        ({"limits": {"api_calls": "-1"}}, "limits.api_calls"),
        ({"limits": {"api_calls": "x"}}, "limits.api_calls"),
        ({"limits": {"api_calls": 1}}, "limits.api_calls"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a_plan_that_can_not_be_is_refused_in_the_words_of_the_request(
    shop: "Shop", admin: httpx.AsyncClient, change: Json, field: str
) -> None:
    before = await shop.counts()
    answer = await admin.post(f"{ADMIN}/plans", json={**PLAN, **change})
    problem = shop.refused(answer, 422, "validation_failed")
    assert field in [name for name, _ in shop.fields(problem)]
    assert "plan_" not in problem["detail"]
    assert await shop.counts() == before
