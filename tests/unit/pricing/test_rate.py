from decimal import Decimal, localcontext
from typing import Any

import msgspec
import pytest

from tallystick.kernel.errors import BadInput
from tallystick.money.exact import plain
from tallystick.pricing.model import FlatPrice, GraduatedPrice, PerUnitPrice, Price, Step, Tier
from tallystick.pricing.rate import rate

D = Decimal
API_CALLS = GraduatedPrice(
    currency="USD",
    tiers=(
        Tier(up_to=D(1000), unit=D("0.02"), flat=D(5)),
        Tier(up_to=D(5000), unit=D("0.01"), flat=D(2)),
        Tier(up_to=None, unit=D("0.005")),
    ),
)


def cost(price: Price, quantity: str) -> str:
    return plain(rate(price, D(quantity)).amount)


@pytest.mark.parametrize("quantity", ["0", "1", "1000000", "-5"])
def test_a_flat_price_is_the_same_whatever_is_used(quantity: str) -> None:
    price = FlatPrice(currency="EUR", amount=D("49.00"))
    rated = rate(price, D(quantity))
    assert plain(rated.amount) == "49"
    assert rated.currency == "EUR"
    assert rated.steps[-1] == Step(kind="flat", flat=D(49), amount=D(49))


@pytest.mark.parametrize(
    ("quantity", "amount"),
    [
        ("0", "0"),
        ("1", "0.02"),
        ("12.5", "0.25"),
        ("1E+4", "200"),
        ("0.000000000001", "0.00000000000002"),
    ],
)
def test_a_unit_price_is_due_for_each_unit_and_part(quantity: str, amount: str) -> None:
    assert cost(PerUnitPrice(currency="USD", unit=D("0.02")), quantity) == amount


def test_even_no_usage_has_a_step_to_show() -> None:
    rated = rate(PerUnitPrice(currency="USD", unit=D("0.02")), D(0))
    assert rated.steps == (Step(kind="per_unit", quantity=D(0), unit=D("0.02"), amount=D(0)),)


@pytest.mark.parametrize(
    ("quantity", "amount"),
    [
        ("0", "5"),
        ("1", "5.02"),
        ("999.5", "24.99"),
        ("1000", "25"),
        ("1000.5", "27.005"),
        ("1001", "27.01"),
        ("5000", "67"),
        ("5001", "67.005"),
        ("10000", "92"),
    ],
)
def test_each_tier_prices_its_slice_and_its_fee_is_due_once_entered(
    quantity: str, amount: str
) -> None:
    assert cost(API_CALLS, quantity) == amount


def test_the_steps_of_tiers_say_where_each_amount_came_from() -> None:
    assert rate(API_CALLS, D(1500)).steps == (
        Step(
            kind="tier",
            from_=D(0),
            up_to=D(1000),
            quantity=D(1000),
            unit=D("0.02"),
            flat=D(5),
            amount=D(25),
        ),
        Step(
            kind="tier",
            from_=D(1000),
            up_to=D(5000),
            quantity=D(500),
            unit=D("0.01"),
            flat=D(2),
            amount=D(7),
        ),
    )


def test_the_first_tier_is_entered_at_zero_usage_and_no_other() -> None:
    (only,) = rate(API_CALLS, D(0)).steps
    assert (only.quantity, only.flat, only.amount) == (D(0), D(5), D(5))


@pytest.mark.parametrize(
    ("included", "quantity", "free", "amount"),
    [
        ("100", "0", "0", "5"),
        ("100", "100", "100", "5"),
        ("100", "101", "100", "5.02"),
        ("100", "1100", "100", "25"),
        ("100", "1100.5", "100", "27.005"),
        ("0.5", "1", "0.5", "5.01"),
    ],
)
def test_included_units_come_off_before_the_tiers_count(
    included: str, quantity: str, free: str, amount: str
) -> None:
    rated = rate(msgspec.structs.replace(API_CALLS, included=D(included)), D(quantity))
    assert plain(rated.amount) == amount
    assert rated.steps[0] == Step(kind="included", quantity=D(free), up_to=D(included), amount=D(0))


def test_included_units_of_a_unit_price_are_free() -> None:
    price = PerUnitPrice(currency="USD", unit=D("0.5"), included=D(10_000))
    assert cost(price, "2500") == "0"
    assert cost(price, "10003") == "1.5"


@pytest.mark.parametrize("price", [API_CALLS, PerUnitPrice(currency="USD", unit=D(3))])
def test_usage_below_zero_costs_what_zero_costs(price: Price) -> None:
    rated = rate(price, D(-7))
    assert rated.amount == rate(price, D(0)).amount
    assert rated.steps[0] == Step(kind="below_zero", quantity=D(-7), amount=D(0))


def test_usage_below_zero_leaves_the_included_units_untouched() -> None:
    rated = rate(PerUnitPrice(currency="USD", unit=D(3), included=D(10)), D(-7))
    assert rated.steps[1] == Step(kind="included", quantity=D(0), up_to=D(10), amount=D(0))
    assert rated.steps[2].quantity == 0


def test_the_largest_allowed_numbers_are_still_exact() -> None:
    price = PerUnitPrice(currency="USD", unit=D("999999999999999.999999999999"))
    used = D("9" * 18 + "." + "9" * 40)
    with localcontext(prec=5):
        amount = rate(price, used).amount
    expected = int("9" * 27) * int("9" * 58)
    assert plain(amount).replace(".", "") == str(expected)
    assert len(plain(amount).partition(".")[2]) == 52


@pytest.mark.parametrize(
    ("quantity", "code"),
    [
        ("NaN", "not_finite"),
        ("Infinity", "not_finite"),
        ("1E+400", "too_large"),
        ("1E+18", "too_large"),
        ("-1E+18", "too_large"),
        ("1E-41", "too_many_decimals"),
        ("1E-999999", "too_many_decimals"),
    ],
)
def test_a_quantity_that_can_not_be_rated_exactly_is_refused(quantity: str, code: str) -> None:
    with pytest.raises(BadInput) as refusal:
        rate(API_CALLS, D(quantity))
    assert [(error.field, error.code) for error in refusal.value.errors] == [("quantity", code)]


@pytest.mark.parametrize("quantity", [1.5, 1, "1"])
def test_a_quantity_is_a_decimal(quantity: Any) -> None:
    with pytest.raises(TypeError):
        rate(API_CALLS, quantity)


def test_units_that_no_tier_covers_are_an_error_and_never_free() -> None:
    closed = GraduatedPrice(currency="USD", tiers=(Tier(up_to=D(10), unit=D(1)),))
    assert cost(closed, "10") == "10"
    with pytest.raises(BadInput) as refusal:
        rate(closed, D("10.1"))
    assert refusal.value.errors[0].code == "last_tier_closed"


def test_a_rating_is_json_with_decimal_strings() -> None:
    rated = rate(msgspec.structs.replace(API_CALLS, included=D(10)), D(11))
    assert msgspec.json.decode(msgspec.json.encode(rated)) == {
        "amount": "5.02",
        "currency": "USD",
        "steps": [
            {"kind": "included", "amount": "0", "quantity": "10", "up_to": "10"},
            {
                "kind": "tier",
                "amount": "5.02",
                "quantity": "1",
                "unit": "0.02",
                "flat": "5",
                "from": "0",
                "up_to": "1000",
            },
        ],
    }
