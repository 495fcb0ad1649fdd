"""What is offered where, and card numbers where none may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.kernel.card_numbers import has_card_number, passes_luhn
from tallystick.payments.method_configs import MethodConfig, available
from tallystick.payments.requests import Capabilities

STRIPE = Capabilities(setups=frozenset({"card", "us_bank_account"}))
CCBILL = Capabilities(saves_tokens=True)
ALL = {"manual": Capabilities(), "stripe": STRIPE, "ccbill": CCBILL}


def codes(
    *configs: MethodConfig, country: str = "FR", currency: str = "EUR", **gateways: Capabilities
) -> list[str]:
    return [one.code for one in available(configs, gateways or ALL, country, currency)]


def transfer(code: str = "wire", **more: object) -> MethodConfig:
    return MethodConfig(code=code, gateway="manual", type="bank_transfer", name="Wire", **more)  # type: ignore[arg-type]  # fields by name


def test_without_any_set_up_each_gateway_is_offered_as_it_is() -> None:
    assert codes() == ["ccbill_card", "stripe_card", "bank_transfer"]
    assert codes(country="US", currency="USD")[2] == "stripe_us_bank_account"
    assert codes(manual=Capabilities()) == ["bank_transfer"]


def test_what_is_set_up_for_a_gateway_takes_the_place_of_what_it_offers_by_itself() -> None:
    assert codes(transfer()) == ["ccbill_card", "stripe_card", "wire"]
    assert codes(transfer(is_active=False)) == ["ccbill_card", "stripe_card"]


@pytest.mark.parametrize(
    ("countries", "currencies", "is_offered"),
    [
        ((), (), True),
        (("FR", "DE"), (), True),
        (("DE",), (), False),
        ((), ("USD",), False),
        (("FR",), ("EUR",), True),
        (("FR",), ("USD",), False),
    ],
)
def test_country_and_currency_both_have_to_fit(
    countries: tuple[str, ...], currencies: tuple[str, ...], *, is_offered: bool
) -> None:
    wire = transfer(countries=countries, currencies=currencies)
    assert ("wire" in codes(wire)) is is_offered


def test_a_gateway_that_is_not_set_up_here_is_not_offered() -> None:
    wallet = MethodConfig(code="paypal", gateway="paypal", type="wallet", name="PayPal")
    assert "paypal" not in codes(wallet)


def test_they_are_shown_by_position() -> None:
    assert codes(transfer("b", position=1), transfer("a", position=2), manual=Capabilities()) == [
        "b",
        "a",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424242",
        "my card: 4242 4242 4242 4242, thanks",
        "5555-5555-5555-4444",
        "378282246310005",
    ],
)
def test_a_card_number_is_seen_wherever_it_stands(text: str) -> None:
    assert has_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "DE89370400440532013000",
        "FR14 2004 1010 0505 0001 3M02 606",
        "INV-2026-000123",
        "+49 30 1234567",
        "4242424242424241",
        "1234567890123456",
        "ref 42424242424242420000000000",
        "",
    ],
)
def test_what_is_no_card_number_is_left_alone(text: str) -> None:
    assert not has_card_number(text)


@given(st.text("0123456789", min_size=12, max_size=18))
def test_of_ten_last_digits_one_checks_the_others(digits: str) -> None:
    assert sum(passes_luhn(digits + str(last)) for last in range(10)) == 1
