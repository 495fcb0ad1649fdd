"""Payment methods: test ids, attach and detach, and cards that a page typed in."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import stripe

from tallystick.simulators.stripe.cards import CARDS
from tallystick.simulators.stripe.typed_cards import passes_luhn

PageCall = Callable[..., httpx.Response]
TYPED = {"type": "card", "card[exp_month]": "12", "card[exp_year]": "2040", "card[cvc]": "123"}


def test_each_use_of_a_test_id_makes_a_fresh_method(
    client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    one = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    two = client.v1.payment_methods.attach("pm_card_mastercard", {"customer": customer.id})
    assert one.id != two.id
    assert one.card is not None
    assert (one.card.brand, one.card.last4) == ("visa", "4242")
    listed = client.v1.payment_methods.list({"customer": customer.id, "type": "card"})
    assert [m.id for m in listed.data] == [two.id, one.id]
    assert client.v1.payment_methods.list({"customer": customer.id, "type": "link"}).data == []
    same = client.v1.customers.payment_methods.retrieve(customer.id, one.id)
    assert same.customer == customer.id


def test_a_detached_method_is_never_attached_again(
    client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    client.v1.customers.update(
        customer.id, {"invoice_settings": {"default_payment_method": method.id}}
    )
    assert client.v1.payment_methods.detach(method.id).customer is None
    settings = client.v1.customers.retrieve(customer.id).invoice_settings
    assert settings is not None
    assert settings.default_payment_method is None
    acts: list[Callable[[], object]] = [
        lambda: client.v1.payment_methods.attach(method.id, {"customer": customer.id}),
        lambda: client.v1.payment_methods.detach(method.id),
        lambda: client.v1.payment_methods.update(method.id, {"metadata": {"a": "1"}}),
    ]
    for act in acts:
        with pytest.raises(stripe.InvalidRequestError):
            act()
    detached = client.v1.events.list({"type": "payment_method.detached"}).data[0]
    data = detached.to_dict()["data"]
    assert data["object"]["customer"] is None
    assert data["previous_attributes"] == {"customer": customer.id}


def test_a_method_has_one_owner(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    again = client.v1.payment_methods.attach(method.id, {"customer": customer.id})
    assert again.customer == customer.id
    other = client.v1.customers.create()
    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        client.v1.payment_methods.attach(method.id, {"customer": other.id})
    assert len(client.v1.events.list({"type": "payment_method.attached"}).data) == 1


def test_billing_details_and_expiry_can_be_changed(
    client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    changed = client.v1.payment_methods.update(
        method.id,
        {
            "billing_details": {"name": "Ada", "address": {"postal_code": "69001"}},
            "card": {"exp_month": 1, "exp_year": 2041},
            "metadata": {"a": "1"},
        },
    )
    assert changed.billing_details.name == "Ada"
    assert changed.card is not None
    assert (changed.card.exp_month, changed.card.exp_year) == (1, 2041)
    event = client.v1.events.list({"type": "payment_method.updated"}).data[0]
    assert event.to_dict()["data"]["previous_attributes"]["card"]["exp_month"] == 12


def test_a_token_stands_for_a_card(client: stripe.StripeClient) -> None:
    made = client.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}})
    assert made.card is not None
    assert made.card.last4 == "4242"


def test_a_server_may_not_send_card_numbers(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError, match="generally unsafe"):
        client.v1.payment_methods.create(
            {
                "type": "card",
                "card": {"number": "4242424242424242", "exp_month": 12, "exp_year": 2040},
            }
        )


@pytest.mark.parametrize(
    ("typed", "code", "param"),
    [
        ({"card[number]": "4242424242424241"}, "incorrect_number", "number"),
        ({"card[number]": "4111111111111111"}, "card_declined", None),
        ({"card[number]": "five"}, "incorrect_number", "number"),
        ({"card[exp_month]": "13"}, "invalid_expiry_month", "exp_month"),
        ({"card[exp_year]": "2020"}, "invalid_expiry_year", "exp_year"),
        ({"card[cvc]": "12"}, "invalid_cvc", "cvc"),
        ({"card[number]": "378282246310005", "card[cvc]": "123"}, "invalid_cvc", "cvc"),
    ],
)
def test_what_a_page_typed_wrong_is_refused(
    page_call: PageCall, typed: dict[str, str], code: str, param: str | None
) -> None:
    form = {"card[number]": "4242 4242 4242 4242", **TYPED, **typed}
    answer = page_call("POST", "/v1/payment_methods", **form)
    assert answer.status_code == 402
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"].get("param") == param


def test_no_card_but_a_test_card_is_taken(page_call: PageCall) -> None:
    answer = page_call(
        "POST", "/v1/payment_methods", **TYPED, **{"card[number]": "4111111111111111"}
    )
    assert answer.json()["error"]["decline_code"] == "test_mode_live_card"


def test_a_typed_test_card_becomes_a_method(page_call: PageCall) -> None:
    form = {**TYPED, "card[number]": "4242424242424242", "card[exp_year]": "41"}
    made = page_call("POST", "/v1/payment_methods", **form).json()
    assert made["card"]["exp_year"] == 2041
    assert made["card"]["checks"]["cvc_check"] == "pass"
    assert "number" not in made["card"]


def test_every_listed_card_has_a_right_check_digit() -> None:
    assert all(passes_luhn(card.number) for card in CARDS)
    assert len({card.number for card in CARDS}) == len(CARDS)
    tokens = [token for card in CARDS for token in card.tokens]
    assert len(tokens) == len(set(tokens))


def test_a_network_may_tell_of_a_new_expiry(
    client: stripe.StripeClient, save_card: Callable[[str], str], act: Callable[..., Any]
) -> None:
    card = save_card("pm_card_visa")
    act("cards/renew", payment_method=card, exp_month=2, exp_year=2045)
    (event,) = client.v1.events.list({"type": "payment_method.automatically_updated"}).data
    assert event.to_dict()["data"]["object"]["card"]["exp_year"] == 2045
    assert event.to_dict()["data"]["previous_attributes"]["card"]["exp_month"] == 12
