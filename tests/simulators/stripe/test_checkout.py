"""Checkout sessions: made with the SDK, paid on the hosted page, completed by the bank's answer."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import stripe

Json = dict[str, Any]
Act = Callable[..., Json]
DAY = 24 * 3600
CARD = {
    "name": "Ada",
    "email": "ada@example.com",
    "type": "card",
    "number": "4242424242424242",
    "expiry": "12 / 40",
    "cvc": "123",
}
BANK = {**CARD, "type": "us_bank_account", "test_account": "success"}


@pytest.fixture
def start(client: stripe.StripeClient) -> Callable[..., Any]:
    """Make a session for 2 x 15.00."""

    def start(**wish: Any) -> stripe.checkout.Session:
        line = {
            "price_data": {
                "currency": "usd",
                "unit_amount": 1500,
                "product_data": {"name": "Credits"},
            },
            "quantity": 2,
        }
        params: Any = {
            "mode": "payment",
            "line_items": [line],
            "success_url": "http://shop.example/ok?session={CHECKOUT_SESSION_ID}",
            "cancel_url": "http://shop.example/cart",
            **wish,
        }
        return client.v1.checkout.sessions.create(params)

    return start


def submit(session: stripe.checkout.Session, form: Json) -> httpx.Response:
    """Press the button of the hosted page."""
    return httpx.post(str(session.url), data=form)


def sessions_told(client: stripe.StripeClient) -> list[str]:
    listed = client.v1.events.list({"limit": 100}).data
    told = [one.type for one in reversed(listed) if one.type.startswith("checkout.session")]
    return [kind.removeprefix("checkout.session.") for kind in told]


def test_a_payment_is_made_on_the_hosted_page(
    client: stripe.StripeClient, start: Callable[..., Any]
) -> None:
    session = start(
        client_reference_id="order-7",
        metadata={"a": "1"},
        payment_intent_data={"metadata": {"tallystick_payment": "p1"}, "description": "Credits"},
    )
    assert (session.status, session.payment_status) == ("open", "unpaid")
    assert (session.amount_total, session.currency) == (3000, "usd")
    page = httpx.get(str(session.url))
    assert "2 x Credits: $30.00 usd" in page.text
    step = submit(session, CARD)
    assert step.headers["location"] == session.url
    back = httpx.get(str(session.url))
    assert back.headers["location"] == f"http://shop.example/ok?session={session.id}"
    done = client.v1.checkout.sessions.retrieve(
        session.id, {"expand": ["payment_intent.latest_charge", "line_items"]}
    )
    assert (done.status, done.payment_status, done.url) == ("complete", "paid", None)
    assert done.metadata is not None
    assert (done.client_reference_id, done.metadata["a"]) == ("order-7", "1")
    assert done.customer_details is not None
    assert done.customer_details.email == "ada@example.com"
    assert isinstance(done.payment_intent, stripe.PaymentIntent)
    assert done.payment_intent.metadata["tallystick_payment"] == "p1"
    assert done.payment_intent.amount_received == 3000
    assert done.line_items is not None
    assert done.line_items.data[0].amount_total == 3000
    assert sessions_told(client) == ["completed"]


def test_a_declined_card_leaves_the_session_open_with_one_intent(
    client: stripe.StripeClient, start: Callable[..., Any]
) -> None:
    session = start()
    refused = submit(session, {**CARD, "number": "4000000000009995"})
    assert "insufficient funds" in refused.text
    assert submit(session, CARD).status_code == 303
    done = client.v1.checkout.sessions.retrieve(session.id)
    assert done.payment_status == "paid"
    assert len(client.v1.payment_intents.list().data) == 1
    assert [charge.status for charge in client.v1.charges.list().data] == ["succeeded", "failed"]


@pytest.mark.parametrize(("outcome", "status"), [("complete", "complete"), ("fail", "open")])
def test_the_banks_check_comes_between(
    client: stripe.StripeClient, start: Callable[..., Any], outcome: str, status: str
) -> None:
    session = start()
    step = submit(session, {**CARD, "number": "4000002760003184"})
    bank = httpx.URL(step.headers["location"])
    assert bank.path == "/_page/authenticate"
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    form = {"client_secret": bank.params["client_secret"], "outcome": outcome}
    back = httpx.post(bank.copy_with(path="/_page/authenticate/hosted"), data=form)
    assert back.headers["location"].startswith(str(session.url))
    assert client.v1.checkout.sessions.retrieve(session.id).status == status


@pytest.mark.parametrize(
    ("account", "last", "paid"),
    [
        ("success", "async_payment_succeeded", "paid"),
        ("noAccount", "async_payment_failed", "unpaid"),
    ],
)
def test_a_debit_is_told_twice(
    *,
    client: stripe.StripeClient,
    start: Callable[..., Any],
    act: Act,
    account: str,
    last: str,
    paid: str,
) -> None:
    session = start(allowed_payment_method_types=["card", "us_bank_account"])
    submit(session, {**BANK, "test_account": account})
    done = client.v1.checkout.sessions.retrieve(session.id)
    assert (done.status, done.payment_status) == ("complete", "unpaid")
    act("clock", advance_seconds=8 * DAY)
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == paid
    assert sessions_told(client) == ["completed", last]


@pytest.mark.parametrize("form", [CARD, BANK])
def test_a_method_is_saved_in_setup_mode(
    client: stripe.StripeClient, customer: stripe.Customer, form: Json
) -> None:
    session = client.v1.checkout.sessions.create(
        {
            "mode": "setup",
            "customer": customer.id,
            "allowed_payment_method_types": ["card", "us_bank_account"],
            "setup_intent_data": {"metadata": {"account": "a1"}},
            "success_url": "http://shop.example/ok",
        }
    )
    assert (session.amount_total, session.payment_status) == (None, "no_payment_required")
    submit(session, form)
    done = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["setup_intent"]})
    assert done.status == "complete"
    assert isinstance(done.setup_intent, stripe.SetupIntent)
    assert done.setup_intent.status == "succeeded"
    assert done.setup_intent.metadata is not None
    assert done.setup_intent.metadata["account"] == "a1"
    assert len(client.v1.payment_methods.list({"customer": customer.id}).data) == 1


def test_a_session_ends_by_itself_or_by_hand(
    client: stripe.StripeClient, start: Callable[..., Any], act: Act
) -> None:
    first, second = start(), start()
    assert client.v1.checkout.sessions.expire(first.id).status == "expired"
    with pytest.raises(stripe.InvalidRequestError, match="can be expired"):
        client.v1.checkout.sessions.expire(first.id)
    act("clock", advance_seconds=DAY)
    assert client.v1.checkout.sessions.retrieve(second.id).status == "expired"
    assert "expired" in submit(second, CARD).text or second.url
    assert sessions_told(client) == ["expired", "expired"]
    assert client.v1.charges.list().data == []
    listed = client.v1.checkout.sessions.list({"status": "expired"})
    assert [one.id for one in listed.data] == [second.id, first.id]


def test_a_customer_is_made_when_it_is_asked_for(
    client: stripe.StripeClient, start: Callable[..., Any]
) -> None:
    session = start(customer_creation="always", customer_email="bob@example.com")
    submit(session, CARD)
    done = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["customer"]})
    assert isinstance(done.customer, stripe.Customer)
    assert done.customer.email == "bob@example.com"


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"mode": "setup"}, "line_items"),
        ({"line_items": []}, "line_items"),
        ({"mode": "subscription"}, "recurring"),
        ({"setup_intent_data": {"description": "x"}}, "setup_intent_data"),
        ({"success_url": None}, "success_url"),
        ({"expires_at": 5}, "30 minutes"),
        ({"customer": "cus_none"}, "No such customer"),
    ],
)
def test_what_does_not_fit_is_refused(start: Callable[..., Any], wish: Json, says: str) -> None:
    if wish.get("mode") == "setup":
        wish = {**wish, "currency": "usd"}
    with pytest.raises(stripe.InvalidRequestError, match=says):
        start(**wish)


def test_prices_belong_to_products(client: stripe.StripeClient, start: Callable[..., Any]) -> None:
    product = client.v1.products.create(
        {"name": "Pro", "default_price_data": {"currency": "eur", "unit_amount": 4900}}
    )
    price = client.v1.prices.retrieve(str(product.default_price), {"expand": ["product"]})
    assert isinstance(price.product, stripe.Product)
    assert (price.unit_amount, price.type, price.product.name) == (4900, "one_time", "Pro")
    session = start(line_items=[{"price": price.id, "quantity": 1}])
    assert (session.amount_total, session.currency) == (4900, "eur")
    client.v1.prices.update(price.id, {"active": False})
    assert client.v1.prices.list({"active": True}).data == []
    tiered = client.v1.prices.create(
        {
            "currency": "usd",
            "product": product.id,
            "billing_scheme": "tiered",
            "tiers_mode": "graduated",
            "tiers": [{"up_to": 10, "unit_amount": 5}, {"up_to": "inf", "unit_amount": 3}],
            "recurring": {"interval": "month"},
            "expand": ["tiers"],
        }
    )
    assert tiered.tiers is not None
    assert [tier.up_to for tier in tiered.tiers] == [10, None]


@pytest.mark.parametrize(
    "wish",
    [
        {"unit_amount": -1},
        {"unit_amount_decimal": "NaN"},
        {"unit_amount": 1, "recurring": {"interval": "year", "interval_count": 4}},
        {"unit_amount": 1, "recurring": {"interval": "month", "interval_count": 0}},
        {"unit_amount": 1, "transform_quantity": {"divide_by": 0, "round": "up"}},
        {"tiers": [{"up_to": 5, "unit_amount": 1}], "tiers_mode": "volume"},
        {},
    ],
)
def test_a_price_that_makes_no_sense_is_refused(client: stripe.StripeClient, wish: Json) -> None:
    params: Any = {"currency": "usd", "product_data": {"name": "Pro"}, **wish}
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.prices.create(params)
    assert client.v1.products.list().data == []
