from collections.abc import Mapping
from decimal import Decimal

import pytest

from tallystick.catalog.expression import (
    DEPTH_MAX,
    STEPS_MAX,
    BadExpression,
    NoValue,
    evaluate,
    parse,
    properties_of,
)


def value(text: str, **properties: str) -> Decimal:
    named: Mapping[str, Decimal] = {name: Decimal(told) for name, told in properties.items()}
    return evaluate(parse(text), named.__getitem__)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("10 - 4 - 3", "3"),
        ("100 / 10 / 5", "2"),
        ("-a * -2", "6"),
        ("--a", "3"),
        ("- (a + b)", "-7"),
        ("a*b+0.5", "12.5"),
        ("1/3", "0.333333333333"),
        ("2/3", "0.666666666667"),
        ("-2/3", "-0.666666666667"),
        ("1/2000000000000 ", "0.000000000001"),
        ("0.1 + 0.2", "0.3"),
        ("min(a, b)", "3"),
        ("max(a, b, 10, 2)", "10"),
        ("min(a)", "3"),
        ("abs(a - b)", "1"),
        ("round(2.5)", "3"),
        ("round(-2.5)", "-3"),
        ("round(1.005, 2)", "1.01"),
        ("round(1250, -2)", "1300"),
        ("ceil(1.001)", "2"),
        ("ceil(-1.9)", "-1"),
        ("ceil(1.001, 2)", "1.01"),
        ("floor(-1.001)", "-2"),
        ("floor(1999, -3)", "1000"),
        ("event.properties.a * event.properties.b", "12"),
        ('"a" + "b"', "7"),
        ("999999999999999.999999999999 * 999999999999999.999999999999",
         "999999999999999999999999998000.000000000000000000000001"),
    ],
)  # fmt: skip
def test_an_expression_is_computed_exactly(text: str, expected: str) -> None:
    assert value(text, a="3", b="4") == Decimal(expected)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "character 1"),
        ("a +", "at character 4, where the end stands"),
        ("a b", "wants an operation at character 3"),
        ("(a", "wants )"),
        ("a)", "wants an operation"),
        ("pow(a, 2)", "wants an operation"),
        ("round(a, b)", "wants a whole number"),
        ("round(a, 0.5)", "wants a whole number"),
        ("round(a, 13)", "wants a whole number"),
        ("abs(a, b)", "wants )"),
        ("1e5", "can not be read"),
        ("1.2.3", "can not be read"),
        ("1.", "can not be read"),
        ("1234567890123456", "can not be read"),
        ("a ** b", "wants a number"),
        ("a; b", "can not be read from '; b'"),
        ("a\0", "can not be read"),
        ("__import__('os')", "can not be read"),
        ("a" * 501, "500 characters"),
        ("+".join("a" * (STEPS_MAX // 2 + 1)), "60 numbers"),
        ("(" * DEPTH_MAX + "a" + ")" * DEPTH_MAX, "nested"),
        ("-" * 499 + "(", "a number"),
    ],
)
def test_what_is_not_of_the_language_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(BadExpression) as caught:
        parse(text)
    assert said in str(caught.value)


def test_a_division_by_zero_has_no_value() -> None:
    with pytest.raises(NoValue):
        value("1 / (a - a)", a="3")


def test_a_function_is_one_only_before_a_parenthesis() -> None:
    assert properties_of(parse('min + max(round, "floor") + "in put" + min')) == (
        "min", "round", "floor", "in put",
    )  # fmt: skip


def test_a_program_is_written_in_steps() -> None:
    assert parse("round(in * 0.25, 2)") == (
        ("property", "in"), ("number", "0.25"), ("multiply", None), ("round", 2),
    )  # fmt: skip
