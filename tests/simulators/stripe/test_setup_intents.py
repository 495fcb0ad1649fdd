"""Saving a card: setup intents from the server and from a page."""

from collections.abc import Callable

import httpx
import pytest
import stripe

PageCall = Callable[..., httpx.Response]
CARD_ONLY: stripe.params.SetupIntentCreateParams = {"allowed_payment_method_types": ["card"]}
TYPED = {
    "payment_method_data[type]": "card",
    "payment_method_data[card][exp_month]": "12",
    "payment_method_data[card][exp_year]": "2040",
    "payment_method_data[card][cvc]": "123",
}


@pytest.fixture
def intent(client: stripe.StripeClient, customer: stripe.Customer) -> stripe.SetupIntent:
    return client.v1.setup_intents.create(
        {**CARD_ONLY, "customer": customer.id, "usage": "off_session", "metadata": {"a": "1"}}
    )


def types(client: stripe.StripeClient) -> list[str]:
    return [str(event.type) for event in client.v1.events.list({"limit": 100}).data][::-1]


def test_a_confirmed_card_belongs_to_the_customer(
    client: stripe.StripeClient, customer: stripe.Customer, intent: stripe.SetupIntent
) -> None:
    assert intent.status == "requires_payment_method"
    done = client.v1.setup_intents.confirm(
        intent.id,
        {"payment_method": "pm_card_visa", "expand": ["payment_method", "latest_attempt"]},
    )
    assert done.status == "succeeded"
    assert isinstance(done.payment_method, stripe.PaymentMethod)
    assert done.payment_method.customer == customer.id
    assert isinstance(done.latest_attempt, stripe.SetupAttempt)
    assert done.latest_attempt.status == "succeeded"
    assert types(client) == [
        "customer.created",
        "setup_intent.created",
        "payment_method.attached",
        "setup_intent.succeeded",
    ]


@pytest.mark.parametrize(
    ("token", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
    ],
)
def test_a_declined_card_is_not_saved(
    *,
    client: stripe.StripeClient,
    customer: stripe.Customer,
    intent: stripe.SetupIntent,
    token: str,
    code: str,
    decline_code: str | None,
) -> None:
    with pytest.raises(stripe.CardError) as declined:
        client.v1.setup_intents.confirm(intent.id, {"payment_method": token})
    assert declined.value.http_status == 402
    assert declined.value.error is not None
    error = declined.value.error.to_dict()
    assert (error["code"], error.get("decline_code")) == (code, decline_code)
    assert error["setup_intent"]["status"] == "requires_payment_method"
    after = client.v1.setup_intents.retrieve(intent.id)
    assert after.last_setup_error is not None
    assert after.last_setup_error.code == code
    assert after.payment_method is None
    assert client.v1.customers.payment_methods.list(customer.id).data == []
    assert types(client)[-1] == "setup_intent.setup_failed"
    assert (
        client.v1.setup_intents.confirm(intent.id, {"payment_method": "pm_card_visa"}).status
        == "succeeded"
    )


def test_a_card_that_only_fails_when_charged_is_saved(save_card: Callable[[str], str]) -> None:
    assert save_card("pm_card_chargeCustomerFail")


@pytest.mark.parametrize(
    "token", ["pm_card_authenticationRequired", "pm_card_authenticationRequiredOnSetup"]
)
def test_a_bank_may_ask_the_payer(
    client: stripe.StripeClient, intent: stripe.SetupIntent, page_call: PageCall, token: str
) -> None:
    waiting = client.v1.setup_intents.confirm(intent.id, {"payment_method": token})
    assert waiting.status == "requires_action"
    assert waiting.next_action is not None
    assert waiting.next_action.type == "use_stripe_sdk"
    assert types(client)[-1] == "setup_intent.requires_action"
    secret = str(intent.client_secret)
    done = page_call("POST", "/_page/authenticate", client_secret=secret, outcome="complete")
    assert done.json()["status"] == "succeeded"
    assert "metadata" not in done.json()
    assert client.v1.setup_intents.retrieve(intent.id).status == "succeeded"


def test_a_payer_who_fails_the_check_saves_nothing(
    client: stripe.StripeClient, intent: stripe.SetupIntent, page_call: PageCall
) -> None:
    client.v1.setup_intents.confirm(intent.id, {"payment_method": "pm_card_authenticationRequired"})
    secret = str(intent.client_secret)
    failed = page_call("POST", "/_page/authenticate", client_secret=secret, outcome="fail")
    assert failed.status_code == 402
    assert failed.json()["error"]["code"] == "setup_intent_authentication_failure"
    assert "customer" not in failed.json()["error"]["setup_intent"]
    assert client.v1.setup_intents.retrieve(intent.id).status == "requires_payment_method"
    again = page_call("POST", "/_page/authenticate", client_secret=secret, outcome="complete")
    assert again.json()["error"]["code"] == "setup_intent_unexpected_state"


def test_a_page_confirms_with_what_was_typed(
    client: stripe.StripeClient, intent: stripe.SetupIntent, page_call: PageCall
) -> None:
    form = {
        **TYPED,
        "payment_method_data[card][number]": "4242424242424242",
        "client_secret": str(intent.client_secret),
    }
    done = page_call("POST", f"/v1/setup_intents/{intent.id}/confirm", **form)
    assert done.headers["access-control-allow-origin"] == "*"
    assert done.json()["status"] == "succeeded"
    seen = page_call(
        "GET", f"/v1/setup_intents/{intent.id}", client_secret=str(intent.client_secret)
    )
    assert seen.json()["payment_method"] == done.json()["payment_method"]
    assert client.v1.setup_intents.retrieve(intent.id).status == "succeeded"


@pytest.mark.parametrize("secret", ["", "wrong", "seti_x_secret_y"])
def test_a_page_needs_the_right_client_secret(
    intent: stripe.SetupIntent, page_call: PageCall, secret: str
) -> None:
    form = {"client_secret": secret} if secret else {}
    for method, path in (("GET", ""), ("POST", "/confirm")):
        answer = page_call(method, f"/v1/setup_intents/{intent.id}{path}", **form)
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "client_secret"


def test_another_customers_card_is_refused(
    client: stripe.StripeClient, intent: stripe.SetupIntent
) -> None:
    other = client.v1.customers.create({"payment_method": "pm_card_visa"})
    method = client.v1.customers.payment_methods.list(other.id).data[0].id
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.setup_intents.confirm(intent.id, {"payment_method": method})
    assert refused.value.code == "resource_missing"
    assert refused.value.param == "payment_method"


def test_a_server_that_confirms_with_redirects_allowed_needs_a_return_url(
    client: stripe.StripeClient,
) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="return_url"):
        client.v1.setup_intents.create({"payment_method": "pm_card_visa", "confirm": True})
    assert client.v1.setup_intents.list().data == []
    done = client.v1.setup_intents.create(
        {
            "payment_method": "pm_card_visa",
            "confirm": True,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        }
    )
    assert done.status == "succeeded"


def test_a_redirected_payer_comes_back_with_the_result(
    client: stripe.StripeClient, base_url: str
) -> None:
    intent = client.v1.setup_intents.create(
        {
            "payment_method": "pm_card_authenticationRequired",
            "confirm": True,
            "return_url": "https://shop.example/back?order=7",
        }
    )
    assert intent.next_action is not None
    assert intent.next_action.redirect_to_url is not None
    bank = httpx.get(str(intent.next_action.redirect_to_url.url))
    assert "Complete authentication" in bank.text
    assert "<script" not in bank.text
    left = httpx.post(
        f"{base_url}/_page/authenticate/hosted",
        data={"client_secret": str(intent.client_secret), "outcome": "complete"},
    )
    assert left.status_code == 303
    back = httpx.URL(left.headers["location"])
    assert back.host == "shop.example"
    assert back.params["order"] == "7"
    assert back.params["setup_intent"] == intent.id
    assert back.params["redirect_status"] == "succeeded"
    assert client.v1.setup_intents.retrieve(intent.id).status == "succeeded"


def test_a_canceled_intent_stays_canceled(
    client: stripe.StripeClient, intent: stripe.SetupIntent
) -> None:
    done = client.v1.setup_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})
    assert (done.status, done.cancellation_reason) == ("canceled", "abandoned")
    acts: list[Callable[[], object]] = [
        lambda: client.v1.setup_intents.cancel(intent.id),
        lambda: client.v1.setup_intents.confirm(intent.id, {"payment_method": "pm_card_visa"}),
        lambda: client.v1.setup_intents.update(intent.id, {"payment_method": "pm_card_visa"}),
    ]
    for act in acts:
        with pytest.raises(stripe.InvalidRequestError) as refused:
            act()
        assert refused.value.code == "setup_intent_unexpected_state"
    changed = client.v1.setup_intents.update(intent.id, {"metadata": {"b": "2"}})
    assert changed.to_dict()["metadata"] == {"a": "1", "b": "2"}


def test_intents_are_listed_by_customer_and_method(
    client: stripe.StripeClient, customer: stripe.Customer, intent: stripe.SetupIntent
) -> None:
    other = client.v1.setup_intents.create(
        {**CARD_ONLY, "payment_method": "pm_card_visa", "confirm": True}
    )
    mine = client.v1.setup_intents.list({"customer": customer.id})
    assert [i.id for i in mine.data] == [intent.id]
    by_method = client.v1.setup_intents.list({"payment_method": str(other.payment_method)})
    assert [i.id for i in by_method.data] == [other.id]


def test_the_old_name_of_the_allowed_types_is_gone(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.raw_request("post", "/v1/setup_intents", payment_method_types=["card"])
    assert refused.value.code == "parameter_unknown"


def test_other_kinds_of_method_are_refused_by_name(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="must be one of card or us_bank_account"):
        client.v1.setup_intents.create({"allowed_payment_method_types": ["sepa_debit"]})
