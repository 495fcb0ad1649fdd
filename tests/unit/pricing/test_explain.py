from decimal import Decimal
from typing import Any

import pytest

from tallystick.money.errors import UnknownLocale
from tallystick.pricing.explain import explain
from tallystick.pricing.minimum import bounded
from tallystick.pricing.model import FlatPrice, GraduatedPrice, PerUnitPrice, Tier
from tallystick.pricing.rate import rate
from tallystick.pricing.usage import DynamicEvent, DynamicUsage, EventsUsage, Usage
from tallystick.pricing.validate import read_price

D = Decimal
API_CALLS = GraduatedPrice(
    currency="USD",
    tiers=(Tier(up_to=D(1000), unit=D("0.02"), flat=D(5)), Tier(up_to=None, unit=D("0.0125"))),
)


def test_tiers_are_explained_one_by_one() -> None:
    assert explain(rate(API_CALLS, D(1500)), "en") == (
        "tier 0\u20131,000: 1,000 \u00d7 $0.02 + $5.00 = $25.00",
        "tier above 1,000: 500 \u00d7 $0.0125 = $6.25",
    )


def test_included_units_are_explained() -> None:
    price = PerUnitPrice(currency="USD", unit=D("0.02"), included=D(10_000))
    assert explain(rate(price, D(2500)), "en") == (
        "2,500 of 10,000 included",
        "0 \u00d7 $0.02 = $0.00",
    )


def test_numbers_stand_as_the_locale_writes_them() -> None:
    price = PerUnitPrice(currency="EUR", unit=D("0.005"))
    assert explain(rate(price, D(1234)), "de") == (
        "1.234 \u00d7 0,005\u00a0\u20ac = 6,17\u00a0\u20ac",
    )


def test_flat_amounts_and_usage_below_zero_are_explained() -> None:
    assert explain(rate(FlatPrice(currency="JPY", amount=D(4900)), D(0)), "en") == ("\u00a54,900",)
    price = PerUnitPrice(currency="USD", unit=D(1))
    assert explain(rate(price, D(-5)), "en") == ("-5 counted as 0", "0 \u00d7 $1.00 = $0.00")


def test_an_unknown_locale_is_refused() -> None:
    with pytest.raises(UnknownLocale):
        explain(rate(API_CALLS, D(1)), "xx")


TO_THOUSAND = {"up_to": "1000"}
OPEN = {"up_to": None}
EVENTS = EventsUsage(amounts=[D(80), D(50), D(5), D(9000), D(1000)])


@pytest.mark.parametrize(
    ("price", "usage", "sentences"),
    [
        (
            {"model": "package", "size": "1000", "amount": "5", "free": "500"},
            D(2501),
            ["500 of 500 included", "3 packages of 1,000 x $5.00 = $15.00"],
        ),
        (
            {"model": "package", "size": "1000", "amount": "5"},
            D(1),
            ["1 package of 1,000 x $5.00 = $5.00"],
        ),
        (
            {"model": "volume", "tiers": [{**TO_THOUSAND, "unit": "2"}, {**OPEN, "unit": "1",
             "flat": "3"}]},
            D(1500),
            ["all units by tier above 1,000: 1,500 x $1.00 + $3.00 = $1,503.00"],
        ),
        (
            {"model": "capacity", "tiers": [{**TO_THOUSAND, "amount": "20"}, {**OPEN,
             "amount": "30"}]},
            D(950),
            ["peak of 950, tier 0-1,000: $20.00"],
        ),
        (
            {"model": "block", "size": "100", "tiers": [{"up_to_blocks": 2, "amount": "5"},
             {"up_to_blocks": None, "amount": "4"}]},
            D(201),
            ["blocks 0-2: 2 blocks of 100 x $5.00 = $10.00",
             "blocks above 2: 1 block of 100 x $4.00 = $4.00"],
        ),
        (
            {"model": "percentage", "rate": "1.5", "fixed": "0.3", "free_amount": "100",
             "min": "1", "max": "20"},
            EVENTS,
            ["$100.00 free, with 1 event wholly free",
             "1.5% of $1,000.00 + 1 event x $0.30 = $15.30",
             "2 events at the minimum of $1.00 each = $2.00",
             "1 event at the maximum of $20.00 each = $20.00"],
        ),
        (
            {"model": "graduated_percentage", "tiers": [{**TO_THOUSAND, "rate": "2",
             "flat": "1"}, {**OPEN, "rate": "1"}]},
            D(1500),
            ["tier 0-1,000: 2% of $1,000.00 + $1.00 = $21.00",
             "tier above 1,000: 1% of $500.00 = $5.00"],
        ),
        (
            {"model": "dynamic"},
            DynamicUsage(events=[DynamicEvent(amount=D("0.5")), DynamicEvent(amount=D(-1))]),
            ["2 events with amounts of their own: -$0.50",
             "a sum below zero counted as $0.00"],
        ),
        (
            {"model": "per_unit", "unit": "2", "custom_unit": {"code": "credits",
             "rate": "0.01"}, "minimum": "12"},
            D(500),
            ["500 x 2 credits = 1,000 credits", "1,000 x $0.01 = $10.00",
             "$2.00 up to the minimum of $12.00"],
        ),
        (
            {"model": "per_unit", "unit": "2", "maximum": "12"},
            D(7),
            ["7 x $2.00 = $14.00", "-$2.00 down to the maximum of $12.00"],
        ),
    ],
)  # fmt: skip
def test_every_model_is_explained(
    price: dict[str, Any], usage: Usage | Decimal, sentences: list[str]
) -> None:
    made = read_price({**price, "currency": "USD"})
    said = explain(bounded(made, rate(made, usage)), "en")
    assert [one.replace("\u00d7", "x").replace("\u2013", "-") for one in said] == sentences
