from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tallystick.catalog.checks import check_plan_version, read_prices
from tallystick.catalog.limits import read_limits
from tallystick.catalog.model import NewPlanVersion
from tallystick.kernel.errors import BadInput
from tallystick.pricing.model import Price

PER_UNIT: Mapping[str, Any] = {
    "code": "calls", "meter": "api_calls", "currency": "USD", "model": "per_unit", "unit": "0.02",
}  # fmt: skip
FLAT: Mapping[str, Any] = {"code": "base", "currency": "usd", "model": "flat", "amount": "49"}


def version(*prices: Mapping[str, Any], **fields: Any) -> NewPlanVersion:
    told = {"plan_code": "pro", "plan_name": "Pro", "currency": "usd", "interval": "month"}
    read = msgspec.convert(prices, tuple[Price, ...])  # as written, not yet validated
    return NewPlanVersion(prices=read, **{**told, **fields})


def faults_of(new: NewPlanVersion) -> set[tuple[str, str]]:
    with pytest.raises(BadInput) as caught:
        check_plan_version(new, {"api_calls"})
    return {(fault.field, fault.code) for fault in caught.value.errors}


def test_a_sound_version_has_its_currencies_in_upper_case() -> None:
    new = version(PER_UNIT, FLAT, limits={"api_calls": Decimal(1000)})
    checked = check_plan_version(new, {"api_calls"})
    assert checked.currency == "USD"
    assert {price.currency for price in checked.prices} == {"USD"}


def test_a_version_may_cost_nothing() -> None:
    assert check_plan_version(version(), ()).prices == ()


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"plan_code": "Pro"}, ("plan_code", "invalid_code")),
        ({"plan_name": ""}, ("plan_name", "invalid_text")),
        ({"currency": "XXX"}, ("currency", "unknown_currency")),
        ({"interval": "fortnight"}, ("interval", "unknown_interval")),
        ({"interval_count": 0}, ("interval_count", "out_of_range")),
        ({"interval_count": 121}, ("interval_count", "out_of_range")),
        ({"limits": {"tokens": Decimal(1)}}, ("limits.tokens", "meter_not_found")),
        ({"limits": {"api_calls": Decimal(-1)}}, ("limits.api_calls", "negative")),
        ({"limits": {"api_calls": Decimal("NaN")}}, ("limits.api_calls", "not_finite")),
        ({"limits": {"api_calls": Decimal("Infinity")}}, ("limits.api_calls", "not_finite")),
        ({"limits": {"api_calls": Decimal("1e-13")}}, ("limits.api_calls", "too_many_decimals")),
        ({"limits": {"api_calls": Decimal("1e400")}}, ("limits.api_calls", "too_large")),
    ],
)
def test_a_version_that_can_not_be_billed_is_refused(
    changes: dict[str, Any], fault: tuple[str, str]
) -> None:
    assert faults_of(version(**changes)) == {fault}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"code": ""}, ("prices[0].code", "invalid_code")),
        ({"currency": "EUR"}, ("prices[0].currency", "currency_differs")),
        ({"meter": "tokens"}, ("prices[0].meter", "meter_not_found")),
        ({"meter": None}, ("prices[0].meter", "missing")),
        ({"billing": "in_advance"}, ("prices[0].billing", "usage_in_advance")),
        ({"unit": "-1"}, ("prices[0].unit", "negative")),
        ({"unit": "1e-13"}, ("prices[0].unit", "too_many_decimals")),
    ],
)
def test_a_price_that_can_not_be_billed_is_refused(
    change: dict[str, Any], fault: tuple[str, str]
) -> None:
    assert faults_of(version({**PER_UNIT, **change})) == {fault}


def test_a_flat_price_counts_nothing() -> None:
    assert faults_of(version({**FLAT, "meter": "api_calls"})) == {
        ("prices[0].meter", "meter_of_flat")
    }


def test_prices_share_neither_code_nor_meter() -> None:
    assert faults_of(version(PER_UNIT, PER_UNIT)) == {
        ("prices[0].code", "code_repeated"), ("prices[1].code", "code_repeated"),
        ("prices[0].meter", "meter_repeated"), ("prices[1].meter", "meter_repeated"),
    }  # fmt: skip


def test_all_faults_are_told_at_once() -> None:
    new = version({**PER_UNIT, "meter": None}, currency="EUR", interval_count=0)
    assert {field for field, _ in faults_of(new)} == {
        "interval_count", "prices[0].currency", "prices[0].meter",
    }  # fmt: skip


def test_too_many_prices_and_limits_are_refused() -> None:
    prices = [{**PER_UNIT, "code": f"c{at}", "meter": f"m{at}"} for at in range(101)]
    limits = {f"m{at}": Decimal(1) for at in range(101)}
    with pytest.raises(BadInput) as caught:
        check_plan_version(version(*prices, limits=limits), set(limits))
    assert {fault.field for fault in caught.value.errors} == {"prices", "limits"}


def test_a_price_in_json_is_named_by_its_place() -> None:
    with pytest.raises(BadInput) as caught:
        read_prices([PER_UNIT, {**PER_UNIT, "unit": 0.02}])
    assert caught.value.errors[0].field == "prices[1].unit"


@pytest.mark.parametrize("value", [1, 1.5, None, "1e3", "NaN", "", "1,0", True])
def test_a_limit_is_a_plain_decimal_string(value: object) -> None:
    with pytest.raises(BadInput) as caught:
        read_limits({"api_calls": value})
    assert caught.value.errors[0].field == "limits.api_calls"


def test_a_limit_is_read_exactly() -> None:
    assert read_limits({"api_calls": "0.000000000001"}) == {"api_calls": Decimal("1E-12")}
