"""Which filter usage belongs to, prices in a unit of their own, and the bounds of a period."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tallystick.kernel.errors import BadInput
from tallystick.pricing.filters import filter_of, filter_properties, price_for
from tallystick.pricing.minimum import bounded
from tallystick.pricing.model import CustomAmount, PerUnitPrice, Price, Step
from tallystick.pricing.rate import rate
from tallystick.pricing.validate import read_price

D = Decimal
BASE: dict[str, Any] = {"model": "per_unit", "currency": "USD", "unit": "1"}


def filtered(*filters: tuple[dict[str, Any], str], **other: Any) -> dict[str, Any]:
    made = [{"values": values, "price": {"unit": unit}} for values, unit in filters]
    return {**BASE, "filters": made, **other}


def unit_for(price: Price, **properties: str | None) -> str:
    part = price_for(price, properties)
    assert isinstance(part, PerUnitPrice)
    return str(part.unit)


PRICE = read_price(
    filtered(
        ({"region": ["eu", "us"]}, "2"),
        ({"region": ["eu"], "size": ["xl"]}, "3"),
        ({"region": ["us"], "size": []}, "4"),
        ({"size": ["xl"]}, "5"),
    )
)


@pytest.mark.parametrize(
    ("properties", "unit"),
    [
        ({}, "1"),
        ({"region": "asia"}, "1"),
        ({"region": None}, "1"),
        ({"region": "eu"}, "2"),
        ({"region": "eu", "size": "s"}, "2"),
        ({"region": "eu", "size": "xl"}, "3"),
        ({"region": "us", "size": "anything"}, "4"),
        ({"region": "us"}, "2"),
        ({"size": "xl"}, "5"),
        ({"region": "asia", "size": "xl"}, "5"),
        ({"size": ""}, "1"),
    ],
)
def test_usage_belongs_to_the_most_specific_filter_that_matches(
    properties: dict[str, str | None], unit: str
) -> None:
    assert unit_for(PRICE, **properties) == unit


def test_named_values_are_more_specific_than_any_value() -> None:
    price = read_price(filtered(({"size": []}, "2"), ({"size": ["xl"]}, "3")))
    assert unit_for(price, size="xl") == "3"
    assert unit_for(price, size="s") == "2"


def test_of_filters_as_specific_the_first_one_takes_the_usage() -> None:
    price = read_price(filtered(({"region": ["eu"]}, "2"), ({"size": ["xl"]}, "3")))
    found = filter_of(price, {"region": "eu", "size": "xl"})
    assert found == price.filters[0]


def test_the_properties_of_all_filters_are_what_usage_must_be_told_apart_by() -> None:
    assert filter_properties(PRICE) == ("region", "size")
    assert filter_properties(read_price(BASE)) == ()


def test_a_filters_price_takes_model_currency_and_custom_unit_from_the_whole() -> None:
    unit = {"code": "credits", "rate": "0.5"}
    price = read_price(filtered(({"a": ["b"]}, "3"), currency="usd", custom_unit=unit))
    part = price_for(price, {"a": "b"})
    assert (part.currency, part.custom_unit) == ("USD", price.custom_unit)
    assert rate(part, D(4)).amount == D(6)
    assert read_price(msgspec.json.decode(msgspec.json.encode(price))) == price


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([({}, "1")], [("filters[0].values", "out_of_range")]),
        ([({"": ["x"]}, "1")], [("filters[0].values.", "invalid_text")]),
        ([({"a": ["x", "x"]}, "1")], [("filters[0].values.a", "repeated")]),
        ([({"a": ["x" * 256]}, "1")], [("filters[0].values.a", "value_too_long")]),
        ([({"a": ["x"]}, "-1")], [("filters[0].price.unit", "negative")]),
        (
            [({"a": ["x", "y"]}, "1"), ({"a": ["y"]}, "2")],
            [("filters[1].values", "filters_overlap")],
        ),
        ([({"a": []}, "1"), ({"a": []}, "2")], [("filters[1].values", "filters_overlap")]),
        ([({"a": ["x"]}, "1")] * 101, [("filters", "too_many")]),
    ],
)
def test_filters_that_make_no_sense_are_refused(
    filters: list[tuple[dict[str, Any], str]], expected: list[tuple[str, str]]
) -> None:
    assert refusals(filtered(*filters)) == expected


@pytest.mark.parametrize(
    ("figures", "field", "code"),
    [
        ({"unit": "1", "minimum": "1"}, "minimum", "not_in_filter"),
        ({"unit": "1", "code": "x"}, "code", "not_in_filter"),
        ({"unit": "1", "filters": [{"values": {"a": []}, "price": BASE}]}, "filters",
         "not_in_filter"),
        ({"unit": "1", "currency": "EUR"}, "currency", "currency_differs"),
        ({"model": "flat", "amount": "1"}, "model", "model_differs"),
        ({"unit": 1}, "unit", "not_a_decimal_string"),
        ({"units": "1"}, "units", "malformed"),
    ],
)  # fmt: skip
def test_a_filter_says_figures_and_nothing_else(
    figures: dict[str, Any], field: str, code: str
) -> None:
    data = {**BASE, "filters": [{"values": {"a": ["x"]}, "price": figures}]}
    assert refusals(data)[0] == (f"filters[0].price.{field}", code)


def test_filters_within_filters_are_refused_however_deep() -> None:
    data: dict[str, Any] = BASE
    for _ in range(5_000):
        data = {**BASE, "filters": [{"values": {"a": ["x"]}, "price": data}]}
    assert refusals(data) == [("filters[0].price.filters", "not_in_filter")]


def test_a_flat_price_has_no_usage_to_tell_apart() -> None:
    flat = {"model": "flat", "currency": "USD", "amount": "1", "group_by": ["a"]}
    assert refusals(flat) == [("group_by", "without_usage")]


@pytest.mark.parametrize(
    ("group_by", "field", "code"),
    [
        (["a", "a"], "group_by[1]", "repeated"),
        ([""], "group_by[0]", "invalid_text"),
        ([str(at) for at in range(11)], "group_by", "too_many"),
    ],
)
def test_groups_are_few_and_differ(group_by: list[str], field: str, code: str) -> None:
    assert refusals({**BASE, "group_by": group_by}) == [(field, code)]


def refusals(data: object) -> list[tuple[str, str]]:
    with pytest.raises(BadInput) as refusal:
        read_price(data)
    return [(error.field, error.code) for error in refusal.value.errors]


# -- custom units --

CREDITS = {**BASE, "unit": "2", "custom_unit": {"code": "credits", "rate": "0.0125"}}


def test_a_price_in_a_custom_unit_keeps_both_amounts() -> None:
    rated = rate(read_price(CREDITS), D(500))
    assert rated.amount == D("12.5")
    assert rated.custom == CustomAmount(code="credits", amount=D(1000), rate=D("0.0125"))
    assert rated.steps == (
        Step(kind="per_unit", quantity=D(500), unit=D(2), amount=D(1000), custom_unit="credits"),
        Step(kind="conversion", quantity=D(1000), unit=D("0.0125"), amount=D("12.5")),
    )


@pytest.mark.parametrize(
    ("unit", "field", "code"),
    [
        ({"code": "credits", "rate": "0"}, "custom_unit.rate", "out_of_range"),
        ({"code": "credits", "rate": "-1"}, "custom_unit.rate", "negative"),
        ({"code": "1x", "rate": "1"}, "custom_unit.code", "invalid_code"),
        ({"code": "", "rate": "1"}, "custom_unit.code", "invalid_code"),
        ({"code": "credits"}, "custom_unit.rate", "malformed"),
    ],
)
def test_a_custom_unit_has_a_name_and_a_rate_above_zero(
    unit: dict[str, str], field: str, code: str
) -> None:
    assert refusals({**BASE, "custom_unit": unit}) == [(field, code)]


# -- minimum and maximum --


@pytest.mark.parametrize(
    ("quantity", "amount", "step"),
    [
        ("6", "10", Step(kind="minimum", flat=D(10), amount=D(4))),
        ("10", "10", None),
        ("15", "15", None),
        ("20", "20", None),
        ("22.5", "20", Step(kind="maximum", flat=D(20), amount=D("-2.5"))),
    ],
)
def test_a_period_is_billed_within_the_bounds(
    quantity: str, amount: str, step: Step | None
) -> None:
    price = read_price({**BASE, "minimum": "10", "maximum": "20"})
    rated = rate(price, D(quantity))
    found = bounded(price, rated)
    assert found.amount == D(amount)
    assert found.steps == (rated.steps if step is None else (*rated.steps, step))


def test_the_maximum_is_not_below_the_minimum() -> None:
    bounds = {"minimum": "2", "maximum": "1"}
    assert refusals({**BASE, **bounds}) == [("maximum", "maximum_below_minimum")]
    assert refusals({**BASE, "maximum": "-1"}) == [("maximum", "negative")]
