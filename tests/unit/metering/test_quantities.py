from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tallystick.catalog.model import Meter, Rounding
from tallystick.metering.quantities import NOTHING, State, followed, quantity, rounded

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def meter(aggregation: str) -> Meter:
    return Meter(
        meter_id=UUID(int=1), code="m", name="m", unit="unit", event_type="e",
        aggregation=aggregation, property="n", created_at=START,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("aggregation", "state", "expected"),
    [
        ("count", {"event_count": 3, "total": Decimal(3)}, "3"),
        ("sum", {"event_count": 3, "total": Decimal("-1.50")}, "-1.5"),
        ("average", {"event_count": 3, "total": Decimal(2)}, "0.666666666667"),
        ("average", {"event_count": 3, "total": Decimal(-2)}, "-0.666666666667"),
        ("max", {"high": Decimal(-4)}, "-4"),
        ("min", {"low": Decimal(-4)}, "-4"),
        ("latest", {"last": Decimal("7.0")}, "7"),
        # 10 more from the middle of the day on: a level of 5 on the mean.
        ("weighted_sum", {"integral": Decimal(10 * 43200)}, "5"),
        ("weighted_sum", {"integral": Decimal(1)}, "0.000011574074"),
    ],
)
def test_a_quantity_is_what_its_aggregation_says(
    aggregation: str, state: dict[str, Any], expected: str
) -> None:
    told = quantity(meter(aggregation), State(**state), START, START + DAY)
    assert str(told) == expected


@pytest.mark.parametrize(
    "aggregation",
    ["count", "sum", "average", "max", "min", "latest", "unique_count", "weighted_sum"],
)
def test_nothing_is_zero_even_over_no_time(aggregation: str) -> None:
    assert quantity(meter(aggregation), NOTHING, START, START + DAY) == 0
    assert quantity(meter(aggregation), NOTHING, START, START) == 0


def test_what_was_before_a_period_holds_for_all_of_it() -> None:
    before = State(event_count=1, total=Decimal(4), last=Decimal(4), integral=Decimal(99))
    inside = State(event_count=1, total=Decimal(-2), last=Decimal(-2), integral=Decimal(-2 * 43200))
    told = followed(before, inside, START, START + DAY)
    assert quantity(meter("weighted_sum"), told, START, START + DAY) == 3
    assert quantity(meter("sum"), told, START, START + DAY) == 2
    assert quantity(meter("latest"), told, START, START + DAY) == -2
    assert followed(before, NOTHING, START, START + DAY).last == 4


@pytest.mark.parametrize(
    ("mode", "precision", "value", "expected"),
    [
        ("round", 0, "2.5", "3"), ("round", 0, "-2.5", "-3"), ("round", 2, "1.005", "1.01"),
        ("round", -2, "1250", "1300"), ("ceil", 0, "1.000000000001", "2"), ("ceil", 0, "2", "2"),
        ("ceil", -3, "1", "1000"), ("ceil", 1, "-1.19", "-1.1"), ("floor", 0, "1.9", "1"),
        ("floor", 0, "-1.1", "-2"), ("floor", -1, "19", "10"),
    ],
)  # fmt: skip
def test_a_meter_rounds_its_quantity(mode: Any, precision: int, value: str, expected: str) -> None:
    told = rounded(Rounding(mode=mode, precision=precision), Decimal(value))
    assert str(told) == expected


def test_without_rounding_a_quantity_stays_exact() -> None:
    assert rounded(None, Decimal("0.000000000001")) == Decimal("0.000000000001")
