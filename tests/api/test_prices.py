"""Prices of every model over HTTP: taken, shown again as described, refused by their path."""

from typing import TYPE_CHECKING, Any

import httpx
import jsonschema  # type: ignore[import-untyped]  # has none
import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Shop

Json = dict[str, Any]
PLANS = "/api/v1/admin/plans"
OPEN: Json = {"up_to": None}
PRICES: dict[str, Json] = {
    "flat": {"amount": "49"},
    "per_unit": {
        "unit": "0.0000001",
        "group_by": ["region"],
        "filters": [
            {"values": {"region": ["eu", "us"]}, "price": {"unit": "0.02", "included": "10"}},
            {"values": {"region": [], "size": ["xl"]}, "price": {"unit": "0.04"}},
        ],
        "custom_unit": {"code": "credits", "rate": "0.01"},
        "maximum": "100",
    },
    "package": {"size": "1000", "amount": "5", "free": "500"},
    "graduated": {"tiers": [{"up_to": "10", "unit": "2"}, {**OPEN, "unit": "1", "flat": "3"}]},
    "volume": {"tiers": [{**OPEN, "unit": "1", "flat": "3"}], "minimum": "2", "maximum": "9"},
    "capacity": {"tiers": [{"up_to": "10", "amount": "20"}, {**OPEN, "amount": "30"}]},
    "block": {
        "size": "100",
        "policy": "volume",
        "tiers": [{"up_to_blocks": 2, "amount": "5"}, {"up_to_blocks": None, "amount": "4"}],
    },
    "percentage": {"rate": "1.5", "fixed": "0.3", "free_events": 3, "min": "1", "max": "20"},
    "graduated_percentage": {"tiers": [{**OPEN, "rate": "2", "flat": "1"}]},
    "dynamic": {},
}


@pytest.fixture
async def admin(shop: "Shop") -> httpx.AsyncClient:
    """An admin, in a shop that has a meter for each model."""
    client = shop.as_person(shop.admin)
    for model in PRICES:
        meter = {"code": f"m_{model}", "aggregation": "sum", "property": "n"}
        await client.post("/api/v1/admin/meters", json=meter | {"group_by": ["region", "size"]})
    return client


def plan(*models: str, **changed: Json) -> Json:
    prices = [
        {
            "model": model, "currency": "EUR", "code": model,
            **({} if model == "flat" else {"meter": f"m_{model}"}),
            **PRICES[model], **changed.get(model, {}),
        }
        for model in models
    ]  # fmt: skip
    return {"code": "all", "name": "All", "currency": "EUR", "interval": "month", "prices": prices}


def said(price: Any, shown: Any) -> bool:
    """Tell whether all that was sent is shown again, counts as strings."""
    if isinstance(price, dict):
        return all(name in shown and said(value, shown[name]) for name, value in price.items())
    if isinstance(price, list):
        return all(map(said, price, shown)) and len(price) == len(shown)
    return bool(shown == (str(price) if type(price) is int else price))


async def test_a_price_that_names_no_currency_has_the_plans(admin: httpx.AsyncClient) -> None:
    sent = plan(*PRICES)
    for price in sent["prices"]:
        del price["currency"]
    made = await admin.post(PLANS, json=sent)
    assert made.status_code == 201, made.text
    assert {price["currency"] for price in made.json()["prices"]} == {"EUR"}


async def test_a_price_of_every_model_is_taken_and_shown_again(admin: httpx.AsyncClient) -> None:
    sent = plan(*PRICES)
    made = await admin.post(PLANS, json=sent)
    assert made.status_code == 201, made.text
    assert said(sent["prices"], made.json()["prices"])
    described = (await admin.get("/openapi.json")).json()
    for price in (*sent["prices"], *made.json()["prices"]):
        whole = {"$ref": "#/components/schemas/Price", "components": described["components"]}
        jsonschema.Draft202012Validator(whole).validate(price)


@pytest.mark.parametrize(
    ("model", "change", "field", "code"),
    [
        ("graduated", {"tiers": [{"up_to": "10", "unit": "1"}]}, "tiers[0].up_to",
         "last_tier_closed"),
        ("package", {"size": "0"}, "size", "out_of_range"),
        ("percentage", {"max": "0.5"}, "max", "maximum_below_minimum"),
        ("block", {"tiers": [{"up_to_blocks": "1.5", "amount": "1"},
         {"up_to_blocks": None, "amount": "1"}]}, "tiers[0].up_to_blocks", "not_whole"),
        ("per_unit", {"filters": [{"values": {"region": ["eu"]}, "price": {"unit": "-1"}}]},
         "filters[0].price.unit", "negative"),
        ("volume", {"maximum": 9}, "maximum", "not_a_decimal_string"),
    ],
)  # fmt: skip
async def test_a_bad_figure_is_refused_by_its_path(
    admin: httpx.AsyncClient, model: str, change: Json, field: str, code: str
) -> None:
    answer = await admin.post(PLANS, json=plan(model, **{model: change}))
    assert answer.status_code == 422
    found = [(error["field"], error["code"]) for error in answer.json()["errors"]]
    assert (f"prices[0].{field}", code) in found
