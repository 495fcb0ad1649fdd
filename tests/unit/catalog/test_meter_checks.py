from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tallystick.catalog.meter_checks import make_meter
from tallystick.catalog.model import Meter, MeterFilter, NewMeter, Rounding
from tallystick.kernel.errors import BadInput

AT = datetime(2026, 1, 1, tzinfo=UTC)


def make(**fields: Any) -> Meter:
    return make_meter(msgspec.convert({"code": "a", **fields}, NewMeter), UUID(int=1), AT)


def faults(**fields: Any) -> set[tuple[str, str]]:
    """The faults of a meter whose words come from code, where no decoder checked them before."""
    told = NewMeter(code="a")
    filters = tuple(
        MeterFilter(**{**one, "values": tuple(one.get("values", ()))})
        for one in fields.pop("filters", ())
    )
    rounding = Rounding(**fields.pop("rounding")) if "rounding" in fields else None
    told = msgspec.structs.replace(told, **fields, filters=filters, rounding=rounding)
    with pytest.raises(BadInput) as caught:
        make_meter(told, UUID(int=1), AT)
    return {(fault.field, fault.code) for fault in caught.value.errors}


def test_a_meter_is_named_after_its_code_unless_told_otherwise() -> None:
    meter = make(code="api_calls")
    assert (meter.name, meter.event_type, meter.aggregation) == ("api_calls", "api_calls", "count")
    assert (meter.filters, meter.group_by, meter.rounding, meter.program) == ((), (), None, None)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"code": "Api"}, ("code", "invalid_code")),
        ({"code": "a" * 64}, ("code", "invalid_code")),
        ({"code": "api\n"}, ("code", "invalid_code")),
        ({"name": " "}, ("name", "invalid_text")),
        ({"unit": ""}, ("unit", "invalid_text")),
        ({"event_type": "t" * 256}, ("event_type", "invalid_text")),
        ({"event_type": "\0"}, ("event_type", "invalid_text")),
        ({"aggregation": "median", "property": "n"}, ("aggregation", "unknown_aggregation")),
        ({"aggregation": "sum"}, ("property", "missing")),
        ({"aggregation": "unique_count"}, ("property", "missing")),
        ({"property": "n"}, ("property", "property_of_count")),
        ({"aggregation": "sum", "property": ""}, ("property", "invalid_text")),
        (
            {"aggregation": "sum", "property": "n", "expression": "n"},
            ("expression", "property_or_expression"),
        ),
        ({"aggregation": "sum", "expression": "n +"}, ("expression", "invalid_expression")),
        ({"aggregation": "sum", "expression": "1 + 1"}, ("expression", "invalid_expression")),
        ({"aggregation": "count", "expression": "n"}, ("expression", "not_computed")),
        ({"aggregation": "unique_count", "expression": "n"}, ("expression", "not_computed")),
        ({"aggregation": "count", "allow_negative": True}, ("allow_negative", "not_computed")),
        ({"aggregation": "count", "recurring": True}, ("recurring", "not_recurring")),
        (
            {"aggregation": "max", "property": "n", "recurring": True},
            ("recurring", "not_recurring"),
        ),
        ({"group_by": ("",)}, ("group_by[0]", "invalid_text")),
        ({"group_by": ("a", "b", "a")}, ("group_by[2]", "repeated")),
        ({"group_by": tuple(map(str, range(101)))}, ("group_by", "too_many")),
        ({"filters": [{"property": "m"}]}, ("filters[0].values", "missing")),
        ({"filters": [{"property": "m"}] * 51}, ("filters", "too_many")),
        (
            {"filters": [{"property": "m", "operator": "exists", "values": ["x"]}]},
            ("filters[0].values", "invalid"),
        ),
        (
            {"filters": [{"property": "m", "operator": "like", "values": ["x"]}]},
            ("filters[0].operator", "invalid"),
        ),
        ({"filters": [{"property": "", "values": ["x"]}]}, ("filters[0].property", "invalid_text")),
        (
            {"filters": [{"property": "m", "values": ["x", "y" * 256]}]},
            ("filters[0].values[1]", "invalid_text"),
        ),
        (
            {"filters": [{"property": "m", "values": ["x"] * 201}]},
            ("filters[0].values", "too_many"),
        ),
        ({"rounding": {"mode": "up"}}, ("rounding.mode", "invalid")),
        ({"rounding": {"mode": "ceil", "precision": 13}}, ("rounding.precision", "out_of_range")),
    ],
)
def test_a_meter_that_can_not_count_is_refused(
    fields: dict[str, Any], fault: tuple[str, str]
) -> None:
    assert fault in faults(**fields)


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({"aggregation": "count"}, False),
        ({"aggregation": "sum", "property": "n"}, False),
        ({"aggregation": "sum", "property": "n", "recurring": True}, True),
        ({"aggregation": "sum", "property": "n", "allow_negative": True}, True),
        ({"aggregation": "max", "property": "n"}, True),
        ({"aggregation": "max", "property": "n", "allow_negative": False}, False),
        ({"aggregation": "unique_count", "property": "n"}, False),
        ({"aggregation": "weighted_sum", "property": "n"}, True),
    ],
)
def test_values_below_zero_count_where_they_mean_something(
    fields: dict[str, Any], *, allowed: bool
) -> None:
    assert make(**fields).allow_negative is allowed
