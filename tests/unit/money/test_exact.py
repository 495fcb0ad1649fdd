from collections.abc import Callable
from decimal import Decimal, getcontext, localcontext
from typing import Any

import pytest

from tallystick.money.errors import BadAmount
from tallystick.money.exact import (
    add,
    canonical,
    exact_context,
    multiply,
    plain,
    shift,
    subtract,
    total,
)

LONG = Decimal("9" * 61)


def test_a_product_beyond_28_digits_keeps_every_digit() -> None:
    price, quantity = Decimal("0.000000000001"), Decimal("123456789012345678.123456789012")
    assert price * quantity != multiply(price, quantity)  # the default context rounds
    assert str(multiply(price, quantity)) == "123456.789012345678123456789012"


def test_sums_are_exact_whatever_the_ambient_context() -> None:
    with localcontext(prec=2):
        assert add(Decimal("1E+20"), Decimal("1E-20")) == Decimal(
            "100000000000000000000.00000000000000000001"
        )
        assert subtract(Decimal(1), Decimal("1E-30")) == Decimal("0." + "9" * 30)
        assert total([Decimal("0.1")] * 10) == 1
        assert shift(Decimal("123.456"), -2) == Decimal("1.23456")
    assert total([]) == 0


@pytest.mark.parametrize(
    "operation",
    [
        lambda: multiply(LONG, LONG),
        lambda: add(Decimal("1E+119"), Decimal("0.1")),
        lambda: subtract(Decimal("1E+120"), Decimal("0.1")),
        lambda: canonical(Decimal("1E+400")),
        lambda: canonical(Decimal("1" * 121)),
        lambda: multiply(Decimal("1E+999999"), Decimal(10)),
        lambda: multiply(Decimal("1E-999999"), Decimal("0.1")),
        lambda: shift(Decimal("1E+999999"), 5),
    ],
)
def test_what_can_not_be_kept_exactly_is_an_error(operation: Callable[[], Decimal]) -> None:
    with pytest.raises(BadAmount) as refusal:
        operation()
    assert refusal.value.code == "number_too_long"


@pytest.mark.parametrize("operation", [add, subtract, multiply])
@pytest.mark.parametrize("other", [1.5, 1, "1"])
def test_only_decimals_are_reckoned_with(
    operation: Callable[[Any, Any], Decimal], other: Any
) -> None:
    with pytest.raises(TypeError):
        operation(Decimal(1), other)
    with pytest.raises(TypeError):
        operation(other, Decimal(1))


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity"])
def test_only_finite_numbers_are_reckoned_with(text: str) -> None:
    with pytest.raises(BadAmount) as refusal:
        multiply(Decimal(text), Decimal(1))
    assert refusal.value.code == "number_not_finite"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1E+3", "1000"),
        ("1E-7", "0.0000001"),
        ("25.000", "25"),
        ("-0", "0"),
        ("-0.00", "0"),
        ("0E+5", "0"),
        ("-12.50", "-12.5"),
        ("100", "100"),
    ],
)
def test_plain_text_has_one_form_and_no_exponent(text: str, expected: str) -> None:
    assert plain(Decimal(text)) == expected
    assert canonical(Decimal(text)) == Decimal(text)


def test_foreign_code_runs_under_the_exact_context_and_leaves_ours_alone() -> None:
    before = getcontext().prec
    with exact_context() as context:
        assert context.prec == 120
    assert getcontext().prec == before
