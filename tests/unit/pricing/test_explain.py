from decimal import Decimal

import pytest

from tallystick.money.errors import UnknownLocale
from tallystick.pricing.explain import explain
from tallystick.pricing.model import FlatPrice, GraduatedPrice, PerUnitPrice, Tier
from tallystick.pricing.rate import rate

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
