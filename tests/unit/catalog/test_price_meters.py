from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tallystick.catalog.meter_checks import make_meter
from tallystick.catalog.model import NewMeter
from tallystick.catalog.price_meters import price_meter_problems
from tallystick.pricing.model import Price

AT = datetime(2026, 1, 1, tzinfo=UTC)
CALLS: Mapping[str, Any] = {"aggregation": "sum", "property": "n", "group_by": ["region"]}
SEATS: Mapping[str, Any] = {"aggregation": "sum", "property": "n", "recurring": True}
TIERS = [{"up_to": None, "unit": "1"}]


def faults(price: Mapping[str, Any], meter: Mapping[str, Any]) -> list[tuple[str, str]]:
    made = make_meter(msgspec.convert({"code": "m", **meter}, NewMeter), UUID(int=1), AT)
    told = {"currency": "USD", "meter": "m", "model": "per_unit", **price}
    read = msgspec.convert(told, Price)
    return [(one.field, one.code) for one in price_meter_problems([read], {"m": made})]


@pytest.mark.parametrize(
    ("price", "meter"),
    [
        ({"unit": "1", "group_by": ["region"]}, CALLS),
        (
            {"unit": "1", "filters": [
                {"values": {"region": ["eu"]},
                 "price": {"currency": "USD", "model": "per_unit", "unit": "2"}}]},
            CALLS,
        ),
        ({"model": "percentage", "rate": "1", "fixed": "1"}, CALLS),
        ({"model": "percentage", "rate": "1"}, {**CALLS, "aggregation": "max"}),
        ({"model": "dynamic"}, {"aggregation": "count"}),
        ({"unit": "1", "prorate": True}, SEATS),
        ({"model": "volume", "tiers": TIERS, "prorate": True}, SEATS),
    ],
)  # fmt: skip
def test_a_meter_that_tells_all_is_taken(price: dict[str, Any], meter: dict[str, Any]) -> None:
    assert faults(price, meter) == []


@pytest.mark.parametrize(
    ("price", "meter", "field", "code"),
    [
        ({"unit": "1", "group_by": ["tier"]}, CALLS, "group_by[0]", "not_grouped"),
        ({"model": "dynamic"}, {**CALLS, "aggregation": "max"}, "meter", "meter_not_additive"),
        ({"model": "dynamic"}, SEATS, "meter", "meter_not_additive"),
        (
            {"model": "percentage", "rate": "1", "fixed": "1"},
            {**CALLS, "aggregation": "latest"},
            "meter",
            "meter_not_additive",
        ),
        (
            {"unit": "1", "filters": [
                {"values": {"region": ["eu"]},
                 "price": {"currency": "USD", "model": "per_unit", "unit": "2"}}]},
            {**CALLS, "aggregation": "latest"},
            "filters",
            "meter_not_additive",
        ),
        (
            {"unit": "1", "filters": [
                {"values": {"tier": []},
                 "price": {"currency": "USD", "model": "per_unit", "unit": "2"}}]},
            CALLS,
            "filters",
            "not_grouped",
        ),
        ({"unit": "1", "prorate": True}, CALLS, "prorate", "not_recurring"),
        (
            {"model": "package", "size": "1", "amount": "1", "prorate": True},
            SEATS,
            "prorate",
            "invalid",
        ),
    ],
)  # fmt: skip
def test_what_a_meter_can_not_tell_is_named(
    price: dict[str, Any], meter: dict[str, Any], field: str, code: str
) -> None:
    assert faults(price, meter) == [(f"prices[0].{field}", code)]
