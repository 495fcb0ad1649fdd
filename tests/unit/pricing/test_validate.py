from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tallystick.kernel.errors import BadInput
from tallystick.pricing.model import FlatPrice, GraduatedPrice, PerUnitPrice, Price, Tier
from tallystick.pricing.validate import read_price, validate

D = Decimal
FLAT: dict[str, Any] = {"model": "flat", "currency": "EUR", "amount": "49"}
PER_UNIT: dict[str, Any] = {"model": "per_unit", "currency": "USD", "unit": "0.02"}


def graduated(*tiers: dict[str, Any]) -> dict[str, Any]:
    return {"model": "graduated", "currency": "USD", "tiers": list(tiers)}


def refusals(data: object) -> list[tuple[str, str]]:
    with pytest.raises(BadInput) as refusal:
        read_price(data)
    assert refusal.value.code == "validation_failed"
    assert refusal.value.detail.startswith(refusal.value.errors[0].field + ": ")
    return [(error.field, error.code) for error in refusal.value.errors]


def test_the_price_of_the_design_is_read_with_every_field() -> None:
    data = msgspec.json.decode(
        b"""{"code": "api_calls", "meter": "api_calls", "currency": "USD", "model": "graduated",
        "tiers": [{"up_to": "1000", "unit": "0.02", "flat": "5"}, {"up_to": null, "unit": "0.01"}],
        "billing": "in_arrears", "included": "0", "minimum": null, "group_by": [],
        "prorate": false}"""
    )
    assert read_price(data) == GraduatedPrice(
        code="api_calls",
        meter="api_calls",
        currency="USD",
        tiers=(
            Tier(up_to=D(1000), unit=D("0.02"), flat=D(5)),
            Tier(up_to=None, unit=D("0.01"), flat=D(0)),
        ),
        billing="in_arrears",
        included=D(0),
        minimum=None,
        group_by=(),
        prorate=False,
    )


def test_each_model_is_named_in_json_and_read_back() -> None:
    prices: list[Price] = [
        FlatPrice(currency="EUR", amount=D(49), billing="in_advance", prorate=True),
        PerUnitPrice(currency="JPY", unit=D("0.0000001"), included=D(5), minimum=D(1)),
        GraduatedPrice(currency="USD", tiers=(Tier(up_to=None, unit=D(1)),), group_by=("region",)),
    ]
    for price in prices:
        text = msgspec.json.encode(price)
        assert msgspec.json.decode(text, type=Price) == price
        assert read_price(msgspec.json.decode(text)) == price


def test_the_currency_is_taken_in_any_case_and_kept_in_upper() -> None:
    assert read_price({**FLAT, "currency": "eur"}).currency == "EUR"
    assert validate(FlatPrice(currency="jpy", amount=D(1))).currency == "JPY"


@pytest.mark.parametrize("currency", ["ZZZ", "", "XAU", "EURO"])
def test_an_unknown_currency_is_refused(currency: str) -> None:
    assert refusals({**FLAT, "currency": currency}) == [("currency", "unknown_currency")]


@pytest.mark.parametrize(
    "number",
    [0.02, 2, "NaN", "sNaN", "Infinity", "-Infinity", " 1", "1_0", "\u0661", "1e400", "1e-999"],
)
def test_a_decimal_is_a_plain_string(number: Any) -> None:
    assert refusals({**PER_UNIT, "unit": number}) == [("unit", "not_a_decimal_string")]
    tiers = graduated({"up_to": None, "unit": "1", "flat": number})
    assert refusals(tiers) == [("tiers[0].flat", "not_a_decimal_string")]


@pytest.mark.parametrize(
    "number", ["", "x", "0x10", "1.2.3", None, True, [], "1e9999999999999999999999"]
)
def test_what_is_no_number_at_all_is_refused_by_its_path(number: Any) -> None:
    assert refusals({**PER_UNIT, "unit": number}) == [("unit", "malformed")]
    tiers = graduated({"up_to": "5", "unit": "1"}, {"up_to": None, "unit": number})
    assert refusals(tiers) == [("tiers[1].unit", "malformed")]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("-0.01", "negative"),
        ("0.0000000000001", "too_many_decimals"),
        ("1e-13", "too_many_decimals"),
        ("1e15", "too_large"),
        ("1000000000000000", "too_large"),
        ("1e99", "too_large"),
    ],
)
def test_an_amount_out_of_bounds_is_refused(number: str, code: str) -> None:
    assert refusals({**FLAT, "amount": number}) == [("amount", code)]
    assert refusals({**FLAT, "minimum": number}) == [("minimum", code)]
    assert refusals({**PER_UNIT, "unit": number}) == [("unit", code)]
    tiers = graduated({"up_to": None, "unit": number, "flat": number})
    assert refusals(tiers) == [("tiers[0].unit", code), ("tiers[0].flat", code)]


@pytest.mark.parametrize(
    "number", ["0", "-0", "0.000000000001", "0.10000000000000000", "0e30", "999999999999999"]
)
def test_an_amount_within_bounds_is_taken(number: str) -> None:
    assert read_price({**PER_UNIT, "unit": number}) == PerUnitPrice(currency="USD", unit=D(number))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_struct_with_a_number_that_is_not_finite_is_refused(number: str) -> None:
    tier = Tier(up_to=D(number), unit=D(number))
    with pytest.raises(BadInput) as refusal:
        validate(
            GraduatedPrice(
                currency="USD",
                tiers=(tier, Tier(up_to=D(5), unit=D(1)), Tier(up_to=None, unit=D(1))),
            )
        )
    assert [(error.field, error.code) for error in refusal.value.errors] == [
        ("tiers[0].unit", "not_finite"),
        ("tiers[0].up_to", "not_finite"),
    ]


@pytest.mark.parametrize(("number", "code"), [("-1", "negative"), ("1e18", "too_large")])
def test_included_units_are_zero_or_more(number: str, code: str) -> None:
    assert refusals({**PER_UNIT, "included": number}) == [("included", code)]


def test_included_units_of_a_flat_price_are_a_mistake() -> None:
    assert refusals({**FLAT, "included": "1"}) == [("included", "included_without_units")]
    assert read_price({**FLAT, "included": "0"}) == FlatPrice(currency="EUR", amount=D(49))


OPEN = {"up_to": None, "unit": "1"}


@pytest.mark.parametrize(
    ("tiers", "expected"),
    [
        ([], [("tiers", "tier_count")]),
        ([OPEN] * 1001, [("tiers", "tier_count")]),
        ([{"up_to": "10", "unit": "1"}], [("tiers[0].up_to", "last_tier_closed")]),
        ([OPEN, OPEN], [("tiers[0].up_to", "open_tier_not_last")]),
        ([{"up_to": "0", "unit": "1"}, OPEN], [("tiers[0].up_to", "tiers_not_ascending")]),
        ([{"up_to": "-1", "unit": "1"}, OPEN], [("tiers[0].up_to", "negative")]),
        (
            [{"up_to": "10", "unit": "1"}, {"up_to": "10", "unit": "1"}, OPEN],
            [("tiers[1].up_to", "tiers_not_ascending")],
        ),
        (
            [{"up_to": "10", "unit": "1"}, {"up_to": "9", "unit": "1"}, OPEN],
            [("tiers[1].up_to", "tiers_not_ascending")],
        ),
        (
            [{"up_to": "10", "unit": "-1"}, {"up_to": "5", "unit": "1"}],
            [
                ("tiers[0].unit", "negative"),
                ("tiers[1].up_to", "tiers_not_ascending"),
                ("tiers[1].up_to", "last_tier_closed"),
            ],
        ),
    ],
)
def test_tiers_ascend_and_only_the_last_has_no_end(
    tiers: list[dict[str, Any]], expected: list[tuple[str, str]]
) -> None:
    assert refusals(graduated(*tiers)) == expected


def test_a_thousand_tiers_are_taken() -> None:
    closed = [{"up_to": str(at), "unit": "1"} for at in range(1, 1000)]
    read_price(graduated(*closed, OPEN))


def test_every_mistake_is_named_at_once() -> None:
    data = {**PER_UNIT, "unit": "-1", "currency": "ZZZ", "included": "-1", "minimum": "-1"}
    assert [field for field, _ in refusals(data)] == ["currency", "included", "minimum", "unit"]


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"currency": "USD"}, "model"),
        ({**FLAT, "model": "free"}, "model"),
        ({"model": "flat", "currency": "USD"}, "amount"),
        ({"model": "flat", "amount": "1"}, "currency"),
        ({**FLAT, "teirs": []}, "teirs"),
        (graduated({"up_to": None}), "tiers[0].unit"),
        (graduated({"unit": "1"}), "tiers[0].up_to"),
        (graduated({**OPEN, "fee": "1"}), "tiers[0].fee"),
        ({**FLAT, "billing": "later"}, "billing"),
        ({**FLAT, "prorate": "yes"}, "prorate"),
        ([], "price"),
        ("flat", "price"),
        (None, "price"),
    ],
)
def test_the_wrong_shape_is_refused_by_its_path(data: object, field: str) -> None:
    assert refusals(data) == [(field, "malformed")]
