from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import msgspec
import pytest

from tallystick.money.amount import MINOR_MAX, Money
from tallystick.money.errors import BadAmount, CurrencyMismatch, MoneyError, UnknownCurrency


def test_amounts_of_one_currency_add_subtract_and_negate() -> None:
    assert Money(150, "USD") + Money(-20, "USD") == Money(130, "USD")
    assert Money(150, "USD") - Money(170, "USD") == Money(-20, "USD")
    assert -Money(150, "USD") == Money(-150, "USD")
    assert sum([Money(1, "JPY"), Money(2, "JPY")], Money.zero("jpy")) == Money(3, "JPY")


def test_amounts_of_one_currency_compare() -> None:
    small, large = Money(-1, "EUR"), Money(1, "EUR")
    assert small < large
    assert small <= large
    assert large > small
    assert large >= small
    assert large >= Money(1, "EUR")
    assert large <= Money(1, "EUR")
    assert not large < Money(1, "EUR")
    assert not large > Money(1, "EUR")
    assert not small >= large
    assert not large <= small


@pytest.mark.parametrize(
    "operation", ["__add__", "__sub__", "__lt__", "__le__", "__gt__", "__ge__"]
)
def test_two_currencies_never_meet(operation: str) -> None:
    with pytest.raises(CurrencyMismatch) as refusal:
        getattr(Money(1, "USD"), operation)(Money(1, "EUR"))
    assert refusal.value.code == "currency_mismatch"
    assert "USD" in refusal.value.detail
    assert "EUR" in refusal.value.detail


def test_equality_of_two_currencies_is_an_answer_not_an_error() -> None:
    assert Money(1, "USD") != Money(1, "EUR")
    assert len({Money(1, "USD"), Money(1, "EUR"), Money(1, "USD")}) == 2


@pytest.mark.parametrize("other", [1, 1.5, Decimal(1), "1", None])
def test_a_number_without_a_currency_is_no_operand(other: Any) -> None:
    amount = Money(1, "USD")
    for operation in ("__add__", "__sub__", "__lt__", "__le__", "__gt__", "__ge__"):
        assert getattr(amount, operation)(other) is NotImplemented
    with pytest.raises(TypeError):
        amount + other
    with pytest.raises(TypeError):
        other - amount


@pytest.mark.parametrize("minor", [1.0, 1.5, "1", Decimal(1), True, None])
def test_minor_units_are_whole_numbers_and_nothing_else(minor: Any) -> None:
    with pytest.raises(TypeError):
        Money(minor, "USD")


def test_a_currency_is_known_and_in_upper_case() -> None:
    with pytest.raises(UnknownCurrency):
        Money(1, "ZZZ")
    with pytest.raises(BadAmount) as refusal:
        Money(1, "usd")
    assert refusal.value.code == "currency_not_upper_case"
    assert "USD" in refusal.value.detail


def test_an_amount_fits_the_database() -> None:
    assert Money(MINOR_MAX, "USD").minor == 9_223_372_036_854_775_807
    assert Money(-MINOR_MAX, "USD").minor == -MINOR_MAX
    for minor in (MINOR_MAX + 1, -MINOR_MAX - 1):
        with pytest.raises(BadAmount) as refusal:
            Money(minor, "USD")
        assert refusal.value.code == "amount_too_large"
    with pytest.raises(BadAmount):
        Money(MINOR_MAX, "USD") + Money(1, "USD")


def test_an_amount_does_not_change() -> None:
    with pytest.raises(AttributeError):
        Money(1, "USD").minor = 2  # type: ignore[misc]  # the point of the test


def test_only_nothing_is_zero() -> None:
    assert Money(0, "USD").is_zero()
    assert Money.zero("usd") == Money(0, "USD")
    assert not Money(-1, "USD").is_zero()


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (150, "USD", "1.50"),
        (-5, "USD", "-0.05"),
        (0, "USD", "0.00"),
        (1235, "JPY", "1235"),
        (1235, "KWD", "1.235"),
        (1235, "CLF", "0.1235"),
        (500, "MGA", "5.00"),
        (MINOR_MAX, "UYW", "922337203685477.5807"),
    ],
)
def test_major_units_carry_all_decimals_of_the_currency(
    minor: int, currency: str, text: str
) -> None:
    amount = Money(minor, currency)
    with localcontext(prec=2):
        assert str(amount.to_decimal()) == text
        assert Money.from_decimal(Decimal(text), currency) == amount


@pytest.mark.parametrize(
    ("text", "currency"),
    [("1.005", "USD"), ("0.5", "JPY"), ("1.0001", "KWD"), ("1E-9999", "USD"), ("1E-400", "JPY")],
)
def test_more_decimals_than_the_currency_has_are_refused(text: str, currency: str) -> None:
    with pytest.raises(BadAmount) as refusal:
        Money.from_decimal(Decimal(text), currency)
    assert refusal.value.code == "too_many_decimals"


@pytest.mark.parametrize("text", ["1E+400", "-1E+999999", "1E+19", "92233720368547758.08"])
def test_an_absurd_amount_is_refused(text: str) -> None:
    with pytest.raises(BadAmount) as refusal:
        Money.from_decimal(Decimal(text), "USD")
    assert refusal.value.code == "amount_too_large"


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_what_is_not_finite_is_refused(text: str) -> None:
    with pytest.raises(BadAmount) as refusal:
        Money.from_decimal(Decimal(text), "USD")
    assert refusal.value.code == "number_not_finite"


@pytest.mark.parametrize(
    "text", ["1.500", "1.5E0", "15E-1", "1.50000000000000000000000000000000000"]
)
def test_the_way_a_number_is_written_does_not_matter(text: str) -> None:
    assert Money.from_decimal(Decimal(text), "usd") == Money(150, "USD")


@pytest.mark.parametrize("text", ["0", "-0", "0E+30", "-0.00000"])
def test_every_zero_is_the_same_zero(text: str) -> None:
    assert Money.from_decimal(Decimal(text), "USD") == Money(0, "USD")


@pytest.mark.parametrize("amount", [1.5, 1, "1.5", True, Fraction(3, 2)])
def test_only_decimals_become_money(amount: Any) -> None:
    with pytest.raises(TypeError):
        Money.from_decimal(amount, "USD")


def test_a_wrong_amount_in_json_is_a_validation_error() -> None:
    assert msgspec.json.decode(b'{"minor": 5, "currency": "EUR"}', type=Money) == Money(5, "EUR")
    for body in (b'{"minor": 5, "currency": "ZZZ"}', b'{"minor": 5.0, "currency": "EUR"}'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(body, type=Money)


def test_every_refusal_is_a_value_error_with_code_and_sentence() -> None:
    with pytest.raises(ValueError, match="ISO 4217") as refusal:
        Money.zero("nope")
    assert isinstance(refusal.value, MoneyError)
    assert refusal.value.code == "unknown_currency"
    assert refusal.value.detail == str(refusal.value)
