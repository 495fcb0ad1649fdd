from decimal import ROUND_DOWN, Context, Decimal, Inexact, localcontext
from fractions import Fraction
from typing import Any

import pytest

from tallystick.money.amount import MINOR_MAX, Money
from tallystick.money.errors import BadAmount, UnknownCurrency
from tallystick.money.rounding import allocate, round_decimal, round_ratio


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [
        (5, 2, 3),
        (-5, 2, -3),
        (3, 2, 2),
        (-3, 2, -2),
        (1, 2, 1),
        (-1, 2, -1),
        (49, 100, 0),
        (-49, 100, 0),
        (50, 100, 1),
        (0, 7, 0),
        (7, 1, 7),
        (2, 3, 1),
        (1, 3, 0),
        (10**40 + 1, 2, (10**40 + 2) // 2),
    ],
)
def test_the_nearest_whole_number_with_ties_away_from_zero(
    numerator: int, denominator: int, expected: int
) -> None:
    assert round_ratio(numerator, denominator) == expected


@pytest.mark.parametrize("denominator", [0, -1])
def test_a_ratio_needs_a_denominator_above_zero(denominator: int) -> None:
    with pytest.raises(BadAmount) as refusal:
        round_ratio(1, denominator)
    assert refusal.value.code == "ratio_undefined"


@pytest.mark.parametrize(("numerator", "denominator"), [(1.0, 2), (1, 2.0), (Decimal(1), 2)])
def test_a_ratio_is_of_integers(numerator: Any, denominator: Any) -> None:
    with pytest.raises(TypeError):
        round_ratio(numerator, denominator)


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("0.125", "USD", 13),
        ("-0.125", "USD", -13),
        ("0.135", "USD", 14),
        ("0.1249999999999999999999999999999999999999", "USD", 12),
        ("2.675", "EUR", 268),
        ("0.5", "JPY", 1),
        ("1.4999", "JPY", 1),
        ("1.0005", "KWD", 1001),
        ("1.00005", "CLF", 10001),
        ("0.005", "MGA", 1),
        ("0.0049999", "USD", 0),
        ("0.0005", "USD", 0),
        ("-0.00000000001", "USD", 0),
        ("1E+3", "USD", 100_000),
        ("1E-999999", "USD", 0),
        ("0E+999999", "USD", 0),
        ("-0", "USD", 0),
        ("92233720368547758.07", "USD", MINOR_MAX),
    ],
)
def test_an_exact_amount_is_rounded_once(text: str, currency: str, minor: int) -> None:
    assert round_decimal(Decimal(text), currency) == Money(minor, currency)


def test_the_ambient_context_has_no_say() -> None:
    amount = Decimal("123456789.125")
    with localcontext(Context(prec=3, rounding=ROUND_DOWN, traps=[Inexact])):
        assert round_decimal(amount, "usd") == Money(12_345_678_913, "USD")


@pytest.mark.parametrize("text", ["1E+400", "1E+999999", "92233720368547758.075", "-1E+17"])
def test_an_absurd_amount_is_not_rounded_but_refused(text: str) -> None:
    with pytest.raises(BadAmount) as refusal:
        round_decimal(Decimal(text), "USD")
    assert refusal.value.code == "amount_too_large"


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_what_is_not_finite_is_not_rounded(text: str) -> None:
    with pytest.raises(BadAmount) as refusal:
        round_decimal(Decimal(text), "USD")
    assert refusal.value.code == "number_not_finite"


@pytest.mark.parametrize("amount", [0.125, 1, "0.125", Fraction(1, 8)])
def test_only_decimals_are_rounded_to_money(amount: Any) -> None:
    with pytest.raises(TypeError):
        round_decimal(amount, "USD")


def test_rounding_needs_a_known_currency() -> None:
    with pytest.raises(UnknownCurrency):
        round_decimal(Decimal(1), "ZZZ")


@pytest.mark.parametrize(
    ("minor", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (-100, [1, 1, 1], [-34, -33, -33]),
        (101, [1, 1, 1], [34, 34, 33]),
        (5, [0, 1, 0], [0, 5, 0]),
        (5, [3, 7], [2, 3]),
        (10, [1, 2, 4], [1, 3, 6]),
        (1, [1, 1], [1, 0]),
        (0, [1, 2], [0, 0]),
        (7, [1], [7]),
        (2, [1, 1, 1, 1], [1, 1, 0, 0]),
        (100, [10**30, 2 * 10**30], [33, 67]),
    ],
)
def test_parts_go_by_largest_remainder_then_by_position(
    minor: int, weights: list[int], parts: list[int]
) -> None:
    assert [part.minor for part in allocate(Money(minor, "USD"), weights)] == parts


@pytest.mark.parametrize("weights", [[], [0], [0, 0], [1, -1, 1], [-1, 3]])
def test_shares_of_nothing_are_refused(weights: list[int]) -> None:
    with pytest.raises(BadAmount) as refusal:
        allocate(Money(100, "USD"), weights)
    assert refusal.value.code == "bad_weights"


@pytest.mark.parametrize("weights", [[0.5, 0.5], [1, Decimal(1)], ["1"]])
def test_weights_are_whole_numbers(weights: Any) -> None:
    with pytest.raises(TypeError):
        allocate(Money(100, "USD"), weights)
