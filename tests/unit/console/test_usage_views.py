"""Usage in words, and bars that are never longer than their track."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.catalog.model import Meter
from tallystick.console.formats import Formats
from tallystick.console.usage_views import MeterView, bar_widths, meter_view
from tallystick.metering.usage_report import MeterUsage
from tallystick.money.amount import Money

FORMATS = Formats("en-GB", ZoneInfo("Europe/Paris"))
METER = Meter(
    meter_id=UUID(int=1),
    code="api_calls",
    name="API calls",
    unit="calls",
    event_type="api_calls",
    aggregation="sum",
    property="n",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)
quantities = st.decimals(0, 10**15, places=4)


def view(quantity: str, limit: str | None, cost_minor: int = 0) -> MeterView:
    used = Decimal(quantity)
    most = None if limit is None else Decimal(limit)
    percent = None if most is None else (used / most * 100 if most else Decimal(100))
    return meter_view(
        MeterUsage(
            meter=METER,
            quantity=used,
            limit=most,
            percent=percent,
            overage=max(used - most, Decimal(0)) if most is not None else Decimal(0),
            overage_cost=Money(cost_minor, "EUR"),
        ),
        FORMATS,
    )


@pytest.mark.parametrize(
    ("quantity", "limit", "widths"),
    [
        ("30", "40", ("75", "0")),
        ("40", "40", ("100", "0")),
        ("50", "40", ("80", "20")),
        ("0", "40", ("0", "0")),
        ("0", "0", ("0", "0")),
        ("5", "0", ("0", "100")),
        ("-5", "40", ("0", "0")),
    ],
)
def test_the_bar_shows_the_included_part_and_then_the_rest(
    quantity: str, limit: str, widths: tuple[str, str]
) -> None:
    included, over = bar_widths(Decimal(quantity), Decimal(limit))
    assert (included, over) == (Decimal(widths[0]), Decimal(widths[1]))


def test_without_a_limit_there_is_no_bar() -> None:
    assert bar_widths(Decimal(5), None) == (Decimal(0), Decimal(0))
    assert not view("5", None).has_limit


@given(quantities, quantities)
def test_both_parts_of_a_bar_fit_its_track(quantity: Decimal, limit: Decimal) -> None:
    included, over = bar_widths(quantity, limit)
    assert included >= 0
    assert over >= 0
    assert included + over <= 100


@given(quantities, quantities)
def test_a_bar_over_the_plan_is_full(quantity: Decimal, limit: Decimal) -> None:
    included, over = bar_widths(quantity, limit)
    assert (included + over == 100) or quantity <= limit


def test_usage_inside_the_plan_says_its_share_rounded_down() -> None:
    shown = view("9999", "10000")
    assert (shown.quantity, shown.of, shown.note) == (
        "9,999",
        "of 10,000 calls",
        "99% of the plan",
    )
    assert not shown.is_over


def test_overage_says_how_much_and_what_it_costs() -> None:
    shown = view("12500.5", "10000", cost_minor=375)
    assert shown.is_over
    assert shown.note == "2,500.5 calls over the plan \u00b7 \u20ac3.75 so far"
    assert shown.value_now == "100"
    assert shown.spoken == f"12,500.5 of 10,000 calls: {shown.note}"


def test_the_bar_warns_from_eighty_percent() -> None:
    assert view("79", "100").level == "calm"
    assert view("80", "100").level == "near"
    assert view("120", "100").level == "calm"  # the part over it is red enough


def test_an_unlimited_meter_says_what_it_costs() -> None:
    shown = view("12", None, cost_minor=240)
    assert (shown.of, shown.note) == (
        "calls",
        "No limit in this plan \u00b7 \u20ac2.40 so far",
    )
