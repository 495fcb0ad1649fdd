from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.metering.numbers import quantity_fault, read_number


@pytest.mark.parametrize(
    "value",
    [0, 1, 10**15 - 1, "120", "0", "007", "0.5", "1.500000000000", "1.5000000000000000",
     Decimal("1E+3"), Decimal("-0.0"), Decimal("1E-12"), Decimal("999999999999999.999999999999")],
)  # fmt: skip
def test_a_plain_number_not_below_zero_is_a_quantity(value: object) -> None:
    assert quantity_fault(value) is None


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "missing"),
        (True, "not_a_number"),
        ([1], "not_a_number"),
        ({}, "not_a_number"),
        ("", "not_a_number"),
        (" 1", "not_a_number"),
        ("1\n", "not_a_number"),
        ("1,5", "not_a_number"),
        ("1e3", "not_a_number"),
        ("NaN", "not_a_number"),
        ("Infinity", "not_a_number"),
        ("\u0661\u0662", "not_a_number"),  # digits of another script
        ("0x10", "not_a_number"),
        ("1_000", "not_a_number"),
        (-1, "negative_quantity"),
        ("-0.5", "negative_quantity"),
        (Decimal("-1E-12"), "negative_quantity"),
        (10**15, "too_large"),
        (10**400, "too_large"),
        ("1000000000000000.5", "too_large"),
        (Decimal("1E+60"), "too_large"),
        (Decimal("1E-13"), "too_many_decimals"),
        ("0.0000000000001", "too_many_decimals"),
    ],
)
def test_anything_else_is_refused_with_its_reason(value: object, code: str) -> None:
    fault = quantity_fault(value)
    assert fault is not None
    assert fault[0] == code


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20))
def test_a_json_number_keeps_every_digit(value: Decimal) -> None:
    try:
        read = read_number(str(value))
    except ValueError:
        assert abs(value.adjusted()) > 64 or len(str(value)) > 80
    else:
        assert read.as_tuple() == value.as_tuple()


@pytest.mark.parametrize("text", ["1e65", "-1e400", "1e-65", "0e99", "1e999999999999999999999"])
def test_a_number_beyond_all_bounds_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="out of range"):
        read_number(text)
