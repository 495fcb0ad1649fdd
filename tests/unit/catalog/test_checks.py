from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tallystick.catalog.checks import check_plan_version, read_prices
from tallystick.catalog.limits import read_limits
from tallystick.catalog.model import NewPlanVersion
from tallystick.catalog.plan_terms import usage_periods
from tallystick.kernel.errors import BadInput
from tallystick.pricing.model import Price

PER_UNIT: Mapping[str, Any] = {
    "code": "calls", "meter": "api_calls", "currency": "USD", "model": "per_unit", "unit": "0.02",
}  # fmt: skip
COMMITTED, OTHER = "unknown_currency", "currency_differs"
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
        ({"tier": "Gold"}, ("tier", "invalid_code")),
        ({"billing": "sometime"}, ("billing", "invalid")),
        ({"proration": "by_hour"}, ("proration", "invalid")),
        ({"trial_days": -1}, ("trial_days", "out_of_range")),
        ({"trial_days": 3651}, ("trial_days", "out_of_range")),
        ({"interval": "week", "fixed_months": True}, ("fixed_months", "without_months")),
        ({"usage_interval": "fortnight"}, ("usage_interval", "unknown_interval")),
        ({"usage_interval": "year"}, ("usage_interval", "does_not_divide")),
        ({"usage_interval": "day"}, ("usage_interval", "does_not_divide")),
        ({"minimum_commitment": {"XXX": Decimal(1)}}, ("minimum_commitment.XXX", COMMITTED)),
        ({"minimum_commitment": {"EUR": Decimal(1)}}, ("minimum_commitment.EUR", OTHER)),
        ({"minimum_commitment": {"USD": Decimal(-1)}}, ("minimum_commitment.USD", "negative")),
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
        ({"invoice_at": "period"}, ("prices[0].invoice_at", "invalid")),
        ({"on_decrease": "credit"}, ("prices[0].on_decrease", "invalid")),
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


@pytest.mark.parametrize(
    ("terms", "count"),
    [
        ({"interval": "year", "usage_interval": "month"}, 12),
        ({"interval": "year", "usage_interval": "quarter"}, 4),
        ({"interval": "month", "interval_count": 3, "usage_interval": "month"}, 3),
        ({"interval": "month", "interval_count": 4, "usage_interval": "quarter"}, None),
        ({"interval": "week", "usage_interval": "day"}, 7),
        ({"interval": "month", "usage_interval": "week"}, None),
        ({"interval": "half_year"}, 1),
    ],
)
def test_usage_is_billed_so_often_in_a_period(terms: dict[str, Any], count: int | None) -> None:
    assert usage_periods(version(**terms)) == count


EUROS = ({**FLAT, "currency": "EUR"}, {**PER_UNIT, "currency": "EUR"})


def test_a_version_may_have_prices_in_several_currencies() -> None:
    new = version(FLAT, PER_UNIT, *EUROS, minimum_commitment={"eur": Decimal(9)})
    checked = check_plan_version(new, {"api_calls"})
    assert [price.currency for price in checked.prices] == ["USD", "USD", "EUR", "EUR"]
    assert checked.minimum_commitment == {"EUR": Decimal(9)}


@pytest.mark.parametrize(
    ("prices", "fault"),
    [
        ((FLAT, PER_UNIT, EUROS[0]), ("prices", "currency_incomplete")),
        ((FLAT, *EUROS), ("prices[2].currency", "currency_differs")),
        (
            (PER_UNIT, {**FLAT, "code": "calls", "currency": "EUR"}),
            ("prices[1].meter", "currency_incomplete"),
        ),
    ],
)
def test_the_same_is_sold_in_each_currency(
    prices: tuple[Mapping[str, Any], ...], fault: tuple[str, str]
) -> None:
    assert faults_of(version(*prices)) == {fault}


def test_a_currency_is_committed_to_once() -> None:
    twice = {"usd": Decimal(1), "USD": Decimal(2)}
    assert faults_of(version(FLAT, minimum_commitment=twice)) == {
        ("minimum_commitment.usd", "repeated"), ("minimum_commitment.USD", "repeated"),
    }  # fmt: skip


def test_a_flat_price_is_billed_as_the_plan_says_unless_it_says_otherwise() -> None:
    told = [FLAT, {**FLAT, "billing": "in_arrears"}, PER_UNIT]
    read = read_prices(told, currency="USD", billing="in_advance")
    assert [price.billing for price in read] == ["in_advance", "in_arrears", "in_arrears"]


def test_a_price_that_names_no_currency_has_the_plans() -> None:
    bare = {key: value for key, value in PER_UNIT.items() if key != "currency"}
    read = read_prices([bare, {**FLAT, "currency": "JPY"}], currency="EUR")
    assert [price.currency for price in read] == ["EUR", "JPY"]


def test_the_faults_of_all_prices_are_told_at_once() -> None:
    with pytest.raises(BadInput) as caught:
        read_prices([{**PER_UNIT, "unit": 1}, FLAT, {**FLAT, "amount": "-1"}], currency="USD")
    assert [fault.field for fault in caught.value.errors] == ["prices[0].unit", "prices[2].amount"]


def test_too_many_prices_and_limits_are_refused() -> None:
    prices = [{**PER_UNIT, "code": f"c{at}", "meter": f"m{at}"} for at in range(101)]
    limits = {f"m{at}": Decimal(1) for at in range(101)}
    with pytest.raises(BadInput) as caught:
        check_plan_version(version(*prices, limits=limits), set(limits))
    assert {fault.field for fault in caught.value.errors} == {"prices", "limits"}


def test_a_price_in_json_is_named_by_its_place() -> None:
    with pytest.raises(BadInput) as caught:
        read_prices([PER_UNIT, {**PER_UNIT, "unit": 0.02}], currency="USD")
    assert caught.value.errors[0].field == "prices[1].unit"


@pytest.mark.parametrize("value", [1, 1.5, None, "1e3", "NaN", "", "1,0", True])
def test_a_limit_is_a_plain_decimal_string(value: object) -> None:
    with pytest.raises(BadInput) as caught:
        read_limits({"api_calls": value})
    assert caught.value.errors[0].field == "limits.api_calls"


def test_a_limit_is_read_exactly() -> None:
    assert read_limits({"api_calls": "0.000000000001"}) == {"api_calls": Decimal("1E-12")}
