"""Taking money: payment intents, their charges, declines, the payer's step."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import stripe

PageCall = Callable[..., httpx.Response]
SaveCard = Callable[[str], str]
Json = dict[str, Any]
CARD_ONLY: stripe.params.PaymentIntentCreateParams = {
    "amount": 1500,
    "currency": "usd",
    "allowed_payment_method_types": ["card"],
}


def types(client: stripe.StripeClient) -> list[str]:
    return [str(event.type) for event in client.v1.events.list({"limit": 100}).data][::-1]


def charged_off_session(
    client: stripe.StripeClient, customer: stripe.Customer, method: str
) -> stripe.PaymentIntent:
    return client.v1.payment_intents.create(
        {
            **CARD_ONLY,
            "customer": customer.id,
            "payment_method": method,
            "confirm": True,
            "off_session": True,
            "description": "Pro plan",
            "metadata": {"tallystick_payment": "pay_1"},
        }
    )


def test_a_saved_card_is_charged_off_session(
    client: stripe.StripeClient, customer: stripe.Customer, save_card: SaveCard
) -> None:
    intent = charged_off_session(client, customer, save_card("pm_card_visa"))
    assert intent.status == "succeeded"
    assert (intent.amount_received, intent.amount_capturable) == (1500, 0)
    charge = client.v1.charges.retrieve(str(intent.latest_charge), {"expand": ["payment_intent"]})
    assert isinstance(charge.payment_intent, stripe.PaymentIntent)
    assert charge.payment_intent.id == intent.id
    assert (charge.amount_captured, charge.paid, charge.status) == (1500, True, "succeeded")
    assert charge.metadata["tallystick_payment"] == "pay_1"
    assert charge.outcome is not None
    assert charge.outcome.type == "authorized"
    assert types(client)[-3:] == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


@pytest.mark.parametrize(
    ("token", "code", "decline_code", "advice"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline", "try_again_later"),
        (
            "pm_card_chargeDeclinedInsufficientFunds",
            "card_declined",
            "insufficient_funds",
            "try_again_later",
        ),
        ("pm_card_chargeCustomerFail", "card_declined", "generic_decline", "try_again_later"),
        (
            "pm_card_visa_chargeDeclinedStolenCard",
            "card_declined",
            "stolen_card",
            "do_not_try_again",
        ),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None, "do_not_try_again"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None, "confirm_card_data"),
    ],
)
def test_a_decline_is_a_402_with_the_intent_and_a_failed_charge(
    client: stripe.StripeClient, token: str, code: str, decline_code: str | None, advice: str
) -> None:
    with pytest.raises(stripe.CardError) as declined:
        client.v1.payment_intents.create({**CARD_ONLY, "payment_method": token, "confirm": True})
    error = declined.value.error
    assert error is not None
    told = error.to_dict()
    assert (told["code"], told.get("decline_code")) == (code, decline_code)
    assert told["advice_code"] == advice
    assert error.payment_intent is not None
    assert error.payment_intent.status == "requires_payment_method"
    intent = client.v1.payment_intents.retrieve(error.payment_intent.id)
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.code == code
    assert intent.amount_received == 0
    assert intent.latest_charge == error.charge
    charge = client.v1.charges.retrieve(str(error.charge))
    assert (charge.status, charge.failure_code, charge.paid) == ("failed", code, False)
    assert charge.amount_captured == 0
    assert types(client) == [
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
    ]


def test_a_declined_intent_can_be_paid_with_another_card(
    client: stripe.StripeClient, look: Callable[[str], list[Json]]
) -> None:
    intent = client.v1.payment_intents.create(CARD_ONLY)
    with pytest.raises(stripe.CardError):
        client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_chargeDeclined"})
    done = client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert done.status == "succeeded"
    assert done.last_payment_error is None
    assert [charge["status"] for charge in look("charges")] == ["succeeded", "failed"]


def test_a_saved_card_that_always_asks_is_declined_off_session(
    client: stripe.StripeClient,
    customer: stripe.Customer,
    save_card: SaveCard,
    page_call: PageCall,
) -> None:
    method = save_card("pm_card_authenticationRequired")
    with pytest.raises(stripe.CardError) as declined:
        charged_off_session(client, customer, method)
    error = declined.value.error
    assert error is not None
    assert error.code == "authentication_required"
    assert error.payment_intent is not None
    assert error.payment_intent.status == "requires_payment_method"
    assert error.payment_intent.last_payment_error is not None
    asked = error.payment_intent.last_payment_error.payment_method
    assert asked is not None
    assert asked.id == method
    # The payer comes to a page and pays the same intent with the same card.
    secret = str(error.payment_intent.client_secret)
    one = f"/v1/payment_intents/{error.payment_intent.id}"
    waiting = page_call("POST", f"{one}/confirm", client_secret=secret, payment_method=method)
    assert waiting.json()["status"] == "requires_action"
    done = page_call("POST", "/_page/authenticate", client_secret=secret, outcome="complete")
    assert done.json()["status"] == "succeeded"
    intent = client.v1.payment_intents.retrieve(
        error.payment_intent.id, {"expand": ["latest_charge"]}
    )
    assert isinstance(intent.latest_charge, stripe.Charge)
    details = intent.latest_charge.payment_method_details
    assert details is not None
    assert details.card is not None
    assert details.card.three_d_secure is not None
    assert details.card.three_d_secure.result == "authenticated"


def test_a_card_authenticated_at_setup_is_not_asked_again(
    client: stripe.StripeClient, customer: stripe.Customer, save_card: SaveCard
) -> None:
    method = save_card("pm_card_authenticationRequiredOnSetup")
    assert charged_off_session(client, customer, method).status == "succeeded"


def test_a_card_that_was_never_set_up_is_asked_off_session(
    client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    method = client.v1.payment_methods.attach(
        "pm_card_authenticationRequiredOnSetup", {"customer": customer.id}
    )
    with pytest.raises(stripe.CardError) as declined:
        charged_off_session(client, customer, method.id)
    assert declined.value.code == "authentication_required"


def test_a_payer_who_is_present_is_asked(client: stripe.StripeClient, page_call: PageCall) -> None:
    intent = client.v1.payment_intents.create(
        {**CARD_ONLY, "payment_method": "pm_card_authenticationRequired", "confirm": True}
    )
    assert intent.status == "requires_action"
    assert types(client)[-1] == "payment_intent.requires_action"
    secret = str(intent.client_secret)
    failed = page_call("POST", "/_page/authenticate", client_secret=secret, outcome="fail")
    assert failed.json()["error"]["code"] == "payment_intent_authentication_failure"
    assert types(client)[-1] == "payment_intent.payment_failed"


def test_authentication_may_be_followed_by_a_decline(
    client: stripe.StripeClient, page_call: PageCall
) -> None:
    token = "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"
    intent = client.v1.payment_intents.create(
        {**CARD_ONLY, "payment_method": token, "confirm": True}
    )
    secret = str(intent.client_secret)
    declined = page_call("POST", "/_page/authenticate", client_secret=secret, outcome="complete")
    assert declined.json()["error"]["decline_code"] == "insufficient_funds"


def test_a_server_may_refuse_to_wait_for_the_payer(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as declined:
        client.v1.payment_intents.create(
            {
                **CARD_ONLY,
                "payment_method": "pm_card_authenticationRequired",
                "confirm": True,
                "error_on_requires_action": True,
            }
        )
    assert declined.value.code == "authentication_required"


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"amount": 49}, "amount_too_small", "amount"),
        ({"amount": 100_000_000}, "amount_too_large", "amount"),
        ({"amount": 0}, "parameter_invalid_integer", "amount"),
        ({"amount": -5}, "parameter_invalid_integer", "amount"),
        ({"amount": "15.00"}, "parameter_invalid_integer", "amount"),
        ({"amount": 49, "currency": "jpy"}, "amount_too_small", "amount"),
        ({"amount": 1005, "currency": "kwd"}, "parameter_invalid_integer", "amount"),
        ({"currency": "zzz"}, None, "currency"),
        ({"customer": "cus_none"}, "resource_missing", "customer"),
        ({"payment_method": "pm_none"}, "resource_missing", "payment_method"),
        ({"off_session": True}, None, "off_session"),
        ({"capture_method": "later"}, None, "capture_method"),
        ({"payment_method_types": ["card"]}, "parameter_unknown", "payment_method_types"),
    ],
)
def test_what_can_not_be_charged_is_refused_and_leaves_nothing(
    client: stripe.StripeClient, params: Json, code: str | None, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.raw_request("post", "/v1/payment_intents", **{**CARD_ONLY, **params})
    assert refused.value.http_status == 400
    assert (refused.value.code, refused.value.param) == (code, param)
    assert client.v1.payment_intents.list().data == []


@pytest.mark.parametrize("amount", [50, 99_999_999])
def test_the_smallest_and_the_largest_amount_are_charged(
    client: stripe.StripeClient, amount: int
) -> None:
    intent = client.v1.payment_intents.create(
        {**CARD_ONLY, "amount": amount, "payment_method": "pm_card_visa", "confirm": True}
    )
    assert intent.amount_received == amount


@pytest.mark.parametrize("missing", ["amount", "currency"])
def test_amount_and_currency_must_be_there(client: stripe.StripeClient, missing: str) -> None:
    params = {name: value for name, value in CARD_ONLY.items() if name != missing}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.raw_request("post", "/v1/payment_intents", **params)
    assert (refused.value.code, refused.value.param) == ("parameter_missing", missing)


def test_a_customers_card_needs_the_customer(
    client: stripe.StripeClient, save_card: SaveCard
) -> None:
    method = save_card("pm_card_visa")
    with pytest.raises(stripe.InvalidRequestError, match="you must provide the customer"):
        client.v1.payment_intents.create({**CARD_ONLY, "payment_method": method, "confirm": True})


def test_a_card_used_without_a_customer_is_used_up(client: stripe.StripeClient) -> None:
    done = client.v1.payment_intents.create(
        {**CARD_ONLY, "payment_method": "pm_card_visa", "confirm": True}
    )
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        client.v1.payment_intents.create(
            {**CARD_ONLY, "payment_method": str(done.payment_method), "confirm": True}
        )


def test_a_payment_can_save_its_card(
    client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    done = client.v1.payment_intents.create(
        {
            **CARD_ONLY,
            "customer": customer.id,
            "payment_method": "pm_card_visa",
            "setup_future_usage": "off_session",
            "confirm": True,
        }
    )
    saved = client.v1.customers.payment_methods.list(customer.id).data
    assert [method.id for method in saved] == [done.payment_method]


def test_a_held_amount_is_captured_in_part(client: stripe.StripeClient) -> None:
    held = client.v1.payment_intents.create(
        {
            **CARD_ONLY,
            "payment_method": "pm_card_visa",
            "confirm": True,
            "capture_method": "manual",
        }
    )
    assert (held.status, held.amount_capturable, held.amount_received) == (
        "requires_capture",
        1500,
        0,
    )
    for wrong in (0, 1501):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.payment_intents.capture(held.id, {"amount_to_capture": wrong})
    taken = client.v1.payment_intents.capture(held.id, {"amount_to_capture": 1000})
    assert (taken.status, taken.amount_received) == ("succeeded", 1000)
    assert client.v1.charges.retrieve(str(taken.latest_charge)).amount_captured == 1000
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.capture(held.id)
    assert refused.value.code == "payment_intent_unexpected_state"
    assert refused.value.error is not None
    assert refused.value.error.payment_intent is not None
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        client.v1.refunds.create({"payment_intent": held.id, "amount": 1001})


def test_a_held_amount_is_let_go_by_canceling(client: stripe.StripeClient) -> None:
    held = client.v1.payment_intents.create(
        {
            **CARD_ONLY,
            "payment_method": "pm_card_visa",
            "confirm": True,
            "capture_method": "manual",
        }
    )
    gone = client.v1.payment_intents.cancel(held.id, {"cancellation_reason": "duplicate"})
    assert (gone.status, gone.amount_received) == ("canceled", 0)
    assert gone.canceled_at is not None
    assert types(client)[-2:] == ["charge.refunded", "payment_intent.canceled"]
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.confirm(held.id, {"payment_method": "pm_card_visa"})


def test_an_intent_is_changed_until_it_is_done(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create(CARD_ONLY)
    changed = client.v1.payment_intents.update(
        intent.id,
        {"amount": 2000, "metadata": {"a": "1"}, "payment_method": "pm_card_visa"},
    )
    assert (changed.amount, changed.status) == (2000, "requires_confirmation")
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.update(intent.id, {"amount": 10})
    done = client.v1.payment_intents.confirm(intent.id)
    assert done.amount_received == 2000
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.update(intent.id, {"amount": 3000})
    assert refused.value.code == "payment_intent_unexpected_state"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.confirm(intent.id)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.cancel(intent.id)


def test_intents_and_charges_are_found_by_customer_and_time(
    client: stripe.StripeClient, customer: stripe.Customer, save_card: SaveCard
) -> None:
    intent = charged_off_session(client, customer, save_card("pm_card_visa"))
    client.v1.payment_intents.create(
        {**CARD_ONLY, "payment_method": "pm_card_visa", "confirm": True}
    )
    mine = client.v1.payment_intents.list({"customer": customer.id})
    assert [i.id for i in mine.data] == [intent.id]
    assert client.v1.payment_intents.list({"created": {"lt": intent.created}}).data == []
    by_customer = client.v1.charges.list({"customer": customer.id, "expand": ["data.customer"]})
    assert [c.payment_intent for c in by_customer.data] == [intent.id]
    assert isinstance(by_customer.data[0].customer, stripe.Customer)
    by_intent = client.v1.charges.list({"payment_intent": intent.id})
    assert [c.id for c in by_intent.data] == [intent.latest_charge]
    assert len(client.v1.charges.list({"created": {"gte": intent.created}}).data) == 2


def test_deep_expansion_reaches_through_the_charge(client: stripe.StripeClient) -> None:
    done = client.v1.payment_intents.create(
        {
            **CARD_ONLY,
            "payment_method": "pm_card_visa",
            "confirm": True,
            "expand": ["latest_charge.payment_intent"],
        }
    )
    assert isinstance(done.latest_charge, stripe.Charge)
    assert isinstance(done.latest_charge.payment_intent, stripe.PaymentIntent)
