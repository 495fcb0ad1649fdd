"""Rounding, sharing and writing money, against models that are right by their simplicity."""

from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.money.amount import MINOR_MAX, Money
from tallystick.money.exact import canonical, multiply, plain
from tallystick.money.rounding import allocate, round_decimal, round_ratio
from tallystick.money.text import parse_money, show_money

CURRENCIES = ("JPY", "USD", "MGA", "KWD", "CLF")  # exponents 0, 2, 2 (Babel says 0), 3, 4
LOCALES = ("en", "de", "fr", "de-CH", "hi", "ar-EG", "fa", "pt-BR", "sv", "pl", "ja", "he", "nl")
minors = st.integers(-MINOR_MAX, MINOR_MAX)
weights = st.lists(st.integers(0, 10**12), min_size=1, max_size=30).filter(any)
decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**14), max_value=10**14)


def half_away(value: Fraction) -> int:
    """The definition: the size plus a half, rounded down, with the sign put back."""
    size = floor(abs(value) + Fraction(1, 2))
    return size if value >= 0 else -size


@given(st.integers(), st.integers(min_value=1))
def test_a_ratio_rounds_as_its_fraction_does(numerator: int, denominator: int) -> None:
    assert round_ratio(numerator, denominator) == half_away(Fraction(numerator, denominator))


@given(st.integers(-(10**6), 10**6), st.integers(1, 50))
def test_ties_go_away_from_zero(whole: int, half: int) -> None:
    tie = (2 * whole + 1) * half
    assert abs(round_ratio(tie, 2 * half)) == floor(abs(Fraction(tie, 2 * half))) + 1


@given(st.integers(), st.integers(min_value=1))
def test_rounding_the_negative_is_the_negative_of_rounding(
    numerator: int, denominator: int
) -> None:
    assert round_ratio(-numerator, denominator) == -round_ratio(numerator, denominator)


@given(decimals, st.sampled_from(CURRENCIES))
def test_a_decimal_rounds_as_its_fraction_does(amount: Decimal, currency: str) -> None:
    exponent = {"JPY": 0, "USD": 2, "MGA": 2, "KWD": 3, "CLF": 4}[currency]
    rounded = round_decimal(amount, currency)
    assert rounded.minor == half_away(Fraction(amount) * 10**exponent)
    wide = Context(prec=1000, rounding=ROUND_HALF_UP)
    assert rounded.to_decimal() == amount.quantize(Decimal((0, (1,), -exponent)), context=wide)


@given(minors, st.sampled_from(CURRENCIES))
def test_major_units_and_back_is_the_same_money(minor: int, currency: str) -> None:
    amount = Money(minor, currency)
    assert Money.from_decimal(amount.to_decimal(), currency) == amount
    assert round_decimal(amount.to_decimal(), currency) == amount


@given(minors, weights)
def test_parts_sum_to_the_whole(minor: int, shares: list[int]) -> None:
    total = Money(minor, "USD")
    assert sum(allocate(total, shares), Money.zero("USD")) == total


@given(minors, weights)
def test_each_part_is_within_one_unit_of_its_exact_share(minor: int, shares: list[int]) -> None:
    for part, share in zip(allocate(Money(minor, "USD"), shares), shares, strict=True):
        exact = Fraction(minor * share, sum(shares))
        assert abs(part.minor - exact) < 1
        assert part.minor == exact or exact.denominator != 1
        assert share or part.is_zero()


@given(st.integers(0, MINOR_MAX), weights)
def test_a_larger_weight_never_gets_less(minor: int, shares: list[int]) -> None:
    parts = allocate(Money(minor, "USD"), shares)
    ranked = sorted(zip(shares, parts, strict=True), key=lambda pair: (pair[0], pair[1].minor))
    assert [part.minor for _, part in ranked] == sorted(part.minor for part in parts)


@given(st.integers(0, MINOR_MAX), weights)
def test_of_equal_weights_the_earlier_never_gets_less(minor: int, shares: list[int]) -> None:
    parts = allocate(Money(minor, "USD"), shares)
    for weight in set(shares):
        equal = [part.minor for part, share in zip(parts, shares, strict=True) if share == weight]
        assert equal == sorted(equal, reverse=True)
        assert equal[0] - equal[-1] <= 1


@given(minors, weights)
def test_a_credit_is_shared_as_the_charge_was(minor: int, shares: list[int]) -> None:
    charge = allocate(Money(minor, "USD"), shares)
    assert allocate(Money(-minor, "USD"), shares) == tuple(-part for part in charge)


@given(minors, st.sampled_from(CURRENCIES), st.sampled_from(LOCALES))
def test_what_is_shown_is_read_back(minor: int, currency: str, locale: str) -> None:
    amount = Money(minor, currency)
    assert parse_money(show_money(amount, locale), currency, locale) == amount


@pytest.mark.parametrize("currency", CURRENCIES)
@pytest.mark.parametrize("locale", LOCALES)
def test_edges_are_read_back_in_every_locale(currency: str, locale: str) -> None:
    for minor in (0, 1, -1, 999, 1000, -1000, 123_456, 10**6, 12_345_678, MINOR_MAX, -MINOR_MAX):
        amount = Money(minor, currency)
        assert parse_money(show_money(amount, locale), currency, locale) == amount


bounded = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**18), max_value=10**18, places=20
)


@given(bounded, bounded)
def test_a_product_is_that_of_the_fractions(left: Decimal, right: Decimal) -> None:
    assert Fraction(multiply(left, right)) == Fraction(left) * Fraction(right)


@given(bounded)
def test_plain_text_is_the_same_number_in_one_form(value: Decimal) -> None:
    assert Decimal(plain(value)) == value
    assert "E" not in plain(value)
    assert plain(Decimal(plain(value))) == plain(value)
    assert canonical(value) == value
