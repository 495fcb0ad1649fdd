"""Meters over HTTP: all their fields, refusals by field, and what they count of events sent."""

from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Shop

Json = dict[str, Any]
METERS = "/api/v1/admin/meters"
FULL: Json = {
    "code": "tokens",
    "name": "Tokens",
    "unit": "tokens",
    "event_type": "completion",
    "aggregation": "sum",
    "property": None,
    "expression": "round(input * 0.25 + output, 2)",
    "filters": [
        {"property": "model", "operator": "is", "values": ["large", "small"]},
        {"property": "test", "operator": "is_absent", "values": []},
    ],
    "group_by": ["model", "region"],
    "rounding": {"mode": "ceil", "precision": -1},
    "recurring": False,
    "allow_negative": False,
}


@pytest.fixture
def admin(shop: "Shop") -> httpx.AsyncClient:
    return shop.as_person(shop.admin)


async def test_a_meter_is_made_with_all_its_fields_and_read_again(
    shop: "Shop", admin: httpx.AsyncClient
) -> None:
    made = await admin.post(METERS, json=FULL)
    assert made.status_code == 201, made.text
    meter = made.json()
    assert {name: meter[name] for name in FULL} == FULL
    reader = shop.with_key(shop.globex.keys["billing:read"])
    assert (await reader.get("/api/v1/meters/tokens")).json() == meter
    listed = (await reader.get("/api/v1/meters")).json()
    assert meter in listed["meters"]
    shop.refused(await reader.get("/api/v1/meters/nothing"), 404, "meter_not_found")


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"aggregation": "sum"}, "property", "missing"),
        ({"aggregation": "sum", "expression": "a +"}, "expression", "invalid_expression"),
        ({"aggregation": "sum", "expression": "1"}, "expression", "invalid_expression"),
        (
            {"aggregation": "max", "property": "a", "expression": "a"},
            "expression",
            "property_or_expression",
        ),
        ({"recurring": True}, "recurring", "not_recurring"),
        ({"filters": [{"property": "a"}]}, "filters[0].values", "missing"),
        ({"filters": [{"property": "a", "operator": "like"}]}, "filters[0].operator", ""),
        ({"filters": [{"property": "a", "value": "x"}]}, "filters[0].value", "unknown_field"),
        ({"group_by": ["a", "a"]}, "group_by[1]", "repeated"),
        ({"rounding": {"mode": "up"}}, "rounding.mode", ""),
        ({"rounding": {"mode": "round", "precision": 99}}, "rounding.precision", "out_of_range"),
        ({"rounding": {"mode": "round", "precision": 1.0}}, "rounding.precision", ""),
    ],
)
async def test_a_meter_that_can_not_count_is_refused_with_its_field(
    shop: "Shop", admin: httpx.AsyncClient, change: Json, field: str, code: str
) -> None:
    answer = await admin.post(METERS, json={"code": "refused", **change})
    assert answer.status_code == 422, answer.text
    (fault,) = answer.json()["errors"]
    assert fault["field"] == field
    assert not code or fault["code"] == code
    reader = shop.with_key(shop.globex.keys["billing:read"])
    shop.refused(await reader.get("/api/v1/meters/refused"), 404, "meter_not_found")


async def test_only_an_admin_makes_meters(shop: "Shop") -> None:
    answer = await shop.as_person(shop.support).post(METERS, json={"code": "mine"})
    shop.refused(answer, 403, "not_allowed")


async def test_an_event_that_gives_a_meter_no_value_is_named(
    shop: "Shop", admin: httpx.AsyncClient
) -> None:
    for body in (
        {"aggregation": "max", "expression": "size / count", "code": "chunk", "event_type": "up"},
        {"aggregation": "unique_count", "property": "who", "code": "people", "event_type": "up"},
    ):
        assert (await admin.post(METERS, json=body)).status_code == 201
    sender = shop.with_key(shop.globex.keys["usage:write"])

    async def send(properties: Json) -> list[tuple[str, str]]:
        event = {"id": "1", "type": "up", "subject": shop.globex.id, "properties": properties}
        answer = await sender.post("/api/v1/events", json={"events": [event]})
        told = answer.json()
        faults = told.get("errors") or told["events"][0].get("errors") or []
        return [(fault["field"], fault["code"]) for fault in faults]

    place = "events[0].properties"
    assert await send({"size": 1, "count": 0, "who": "a"}) == [(place, "divides_by_zero")]
    assert await send({"size": "x", "count": 1}) == [
        (f"{place}.size", "not_a_number"), (f"{place}.who", "missing"),
    ]  # fmt: skip
    assert await send({"size": 1, "count": 1, "who": "a" * 256}) == [
        (f"{place}.who", "value_too_long")
    ]
    assert await send({"size": -1, "count": 3, "who": 7}) == []
