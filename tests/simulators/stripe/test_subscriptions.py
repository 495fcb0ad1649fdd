"""Subscriptions on the clock: started, renewed, changed, fallen behind, ended."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
import stripe

Json = dict[str, Any]
Act = Callable[..., Json]
HOUR, DAY = 3600, 24 * 3600
START = datetime(2031, 1, 31, 9, tzinfo=UTC)


@pytest.fixture
def on_the_31st(act: Act) -> int:
    """Move the clock to a 31 January, where months are told apart."""
    at = int(START.timestamp())
    act("clock", to=at)
    return at


@pytest.fixture
def price(client: stripe.StripeClient) -> stripe.Price:
    return client.v1.prices.create(
        {
            "currency": "usd",
            "unit_amount": 3100,
            "recurring": {"interval": "month"},
            "product_data": {"name": "Pro"},
        }
    )


@pytest.fixture
def subscribe(
    client: stripe.StripeClient,
    customer: stripe.Customer,
    save_card: Callable[[str], str],
    price: stripe.Price,
) -> Callable[..., Any]:
    def subscribe(card: str | None = "pm_card_visa", **wish: Any) -> stripe.Subscription:
        if card:
            wish["default_payment_method"] = save_card(card)
        params: Any = {"customer": customer.id, "items": [{"price": price.id}], **wish}
        return client.v1.subscriptions.create(params)

    return subscribe


def told(client: stripe.StripeClient, *kinds: str) -> list[str]:
    listed = client.v1.events.list({"limit": 100}).data
    return [one.type for one in reversed(listed) if one.type.startswith(kinds)]


def period(subscription: stripe.Subscription) -> list[str]:
    item = subscription["items"].data[0]
    ends = (item.current_period_start, item.current_period_end)
    return [datetime.fromtimestamp(end, UTC).strftime("%m-%d %H") for end in ends]


def bills(client: stripe.StripeClient, subscription: stripe.Subscription) -> list[Any]:
    """Its invoices, oldest first."""
    return client.v1.invoices.list({"subscription": subscription.id}).data[::-1]


@pytest.mark.usefixtures("on_the_31st")
def test_a_subscription_starts_with_a_paid_invoice(
    client: stripe.StripeClient, subscribe: Callable[..., Any]
) -> None:
    made = subscribe(
        metadata={"account": "a1"},
        expand=["latest_invoice.payments"],
    )
    assert made.status == "active"
    assert period(made) == ["01-31 09", "02-28 09"]
    bill = made.latest_invoice
    assert (bill.status, bill.total, bill.billing_reason) == ("paid", 3100, "subscription_create")
    assert bill.parent.subscription_details.subscription == made.id
    assert bill.parent.subscription_details.metadata["account"] == "a1"
    (payment,) = bill.payments.data
    assert (payment.status, payment.amount_paid) == ("paid", 3100)
    intent = client.v1.payment_intents.retrieve(payment.payment.payment_intent)
    assert intent.status == "succeeded"
    assert bill.lines.data[0].pricing.price_details.price == made["items"].data[0].price.id
    assert told(client, "customer.subscription", "invoice") == [
        "customer.subscription.created",
        "invoice.created",
        "invoice.finalized",
        "invoice_payment.paid",
        "invoice.updated",
        "invoice.paid",
        "customer.subscription.updated",
        "invoice.payment_succeeded",
    ]


@pytest.mark.usefixtures("on_the_31st")
def test_it_renews_on_the_last_day_of_short_months(
    client: stripe.StripeClient, subscribe: Callable[..., Any], act: Act
) -> None:
    made = subscribe()
    act("clock", to=int(datetime(2031, 2, 28, 9, 30, tzinfo=UTC).timestamp()))
    renewed = client.v1.subscriptions.retrieve(made.id, {"expand": ["latest_invoice"]})
    assert period(renewed) == ["02-28 09", "03-31 09"]
    assert isinstance(renewed.latest_invoice, stripe.Invoice)
    assert renewed.latest_invoice.status == "draft"
    assert renewed.latest_invoice.number is None
    act("clock", to=int(datetime(2031, 6, 1, tzinfo=UTC).timestamp()))
    paid = bills(client, made)
    assert [bill.status for bill in paid] == ["paid"] * 5
    assert [bill.number.split("-")[1] for bill in paid] == ["0001", "0002", "0003", "0004", "0005"]
    assert period(client.v1.subscriptions.retrieve(made.id)) == ["05-31 09", "06-30 09"]


def test_metered_items_are_billed_afterwards(
    client: stripe.StripeClient, subscribe: Callable[..., Any], act: Act, price: stripe.Price
) -> None:
    meter = client.v1.billing.meters.create(
        {
            "display_name": "Calls",
            "event_name": "calls",
            "default_aggregation": {"formula": "sum"},
        }
    )
    metered = client.v1.prices.create(
        {
            "currency": "usd",
            "product": str(price.product),
            "billing_scheme": "tiered",
            "tiers_mode": "graduated",
            "tiers": [
                {"up_to": 10, "unit_amount": 0},
                {"up_to": "inf", "unit_amount_decimal": Decimal("2.5")},
            ],
            "recurring": {"interval": "month", "usage_type": "metered", "meter": meter.id},
        }
    )
    made = subscribe(items=[{"price": price.id, "quantity": 2}, {"price": metered.id}])
    assert bills(client, made)[0].total == 6200
    client.v1.billing.meter_events.create(
        {
            "event_name": "calls",
            "payload": {"stripe_customer_id": str(made.customer), "value": "15"},
        }
    )
    act("clock", advance_seconds=32 * DAY)
    second = bills(client, made)[1]
    # 10 calls are free, 5 cost 2.5 cents each: 12.5 cents, rounded to 13.
    assert [line.amount for line in second.lines.data] == [6200, 13]
    assert str(second.lines.data[1].quantity_decimal) == "15"
    assert second.total == 6213


def test_a_declined_renewal_is_tried_again_and_then_given_up(
    client: stripe.StripeClient, subscribe: Callable[..., Any], act: Act
) -> None:
    made = subscribe()
    bad = client.v1.payment_methods.attach(
        "pm_card_chargeCustomerFail", {"customer": str(made.customer)}
    )
    client.v1.subscriptions.update(made.id, {"default_payment_method": bad.id})
    act("clock", to=made["items"].data[0].current_period_end + HOUR)
    late = client.v1.subscriptions.retrieve(made.id)
    assert late.status == "past_due"
    bill = bills(client, made)[1]
    assert (bill.status, bill.attempt_count) == ("open", 1)
    act("clock", to=bill.next_payment_attempt)
    assert client.v1.invoices.retrieve(bill.id).attempt_count == 2
    act("clock", advance_seconds=20 * DAY)
    ended = client.v1.subscriptions.retrieve(made.id)
    assert ended.status == "canceled"
    assert ended.cancellation_details is not None
    assert ended.cancellation_details.reason == "payment_failed"
    assert told(client, "invoice.payment_failed") == ["invoice.payment_failed"] * 4
    assert len(client.v1.payment_intents.list({"customer": str(made.customer)}).data) == 2


def test_a_late_payment_brings_it_back(
    client: stripe.StripeClient, subscribe: Callable[..., Any], act: Act
) -> None:
    made = subscribe()
    customer = str(made.customer)
    good = str(made.default_payment_method)
    bad = client.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": customer})
    client.v1.subscriptions.update(made.id, {"default_payment_method": bad.id})
    act("clock", to=made["items"].data[0].current_period_end + HOUR)
    bill = bills(client, made)[1]
    with pytest.raises(stripe.CardError):
        client.v1.invoices.pay(bill.id)
    assert client.v1.invoices.pay(bill.id, {"payment_method": good}).status == "paid"
    assert client.v1.subscriptions.retrieve(made.id).status == "active"


def test_an_unpaid_start_is_incomplete_and_expires(
    client: stripe.StripeClient, subscribe: Callable[..., Any], act: Act
) -> None:
    made = subscribe("pm_card_chargeCustomerFail")
    assert made.status == "incomplete"
    act("clock", advance_seconds=23 * HOUR)
    assert client.v1.subscriptions.retrieve(made.id).status == "incomplete_expired"
    assert bills(client, made)[0].status == "void"
    with pytest.raises(stripe.CardError) as declined:
        subscribe("pm_card_chargeCustomerFail", payment_behavior="error_if_incomplete")
    assert declined.value.code == "card_declined"
    with pytest.raises(stripe.InvalidRequestError, match="no attached payment"):
        subscribe(None)


def test_a_page_pays_the_first_invoice(
    client: stripe.StripeClient,
    subscribe: Callable[..., Any],
    page_call: Callable[..., httpx.Response],
) -> None:
    made = subscribe(
        None,
        payment_behavior="default_incomplete",
        payment_settings={"save_default_payment_method": "on_subscription"},
        expand=["latest_invoice.confirmation_secret"],
    )
    secret = made.latest_invoice.confirmation_secret.client_secret
    intent = secret.partition("_secret_")[0]
    form = {"client_secret": secret, "payment_method": "pm_card_visa"}
    page_call("POST", f"/v1/payment_intents/{intent}/confirm", **form)
    after = client.v1.subscriptions.retrieve(made.id, {"expand": ["default_payment_method"]})
    assert after.status == "active"
    assert isinstance(after.default_payment_method, stripe.PaymentMethod)


def test_a_trial_costs_nothing_and_warns_before_it_ends(
    client: stripe.StripeClient, subscribe: Callable[..., Any], act: Act, on_the_31st: int
) -> None:
    made = subscribe(trial_period_days=14)
    assert (made.status, made.trial_end) == ("trialing", on_the_31st + 14 * DAY)
    assert [bill.total for bill in bills(client, made)] == [0]
    act("clock", advance_seconds=11 * DAY)
    assert told(client, "customer.subscription")[-1] == "customer.subscription.trial_will_end"
    act("clock", advance_seconds=3 * DAY + HOUR)
    after = client.v1.subscriptions.retrieve(made.id)
    assert (after.status, period(after)) == ("active", ["02-14 09", "03-14 09"])
    assert [bill.total for bill in bills(client, made)] == [0, 3100]


@pytest.mark.usefixtures("on_the_31st")
def test_a_change_is_prorated(
    client: stripe.StripeClient, subscribe: Callable[..., Any], act: Act
) -> None:
    made = subscribe()
    item = made["items"].data[0]
    act("clock", advance_seconds=14 * DAY)
    client.v1.subscriptions.update(
        made.id,
        {"items": [{"id": item.id, "quantity": 3}], "proration_behavior": "always_invoice"},
    )
    # Half of 28 days is left: 15.50 back, 46.50 to pay.
    amounts = [line.amount for line in bills(client, made)[-1].lines.data]
    assert amounts == [-1550, 4650]
    client.v1.subscriptions.update(
        made.id, {"items": [{"id": item.id, "quantity": 1}], "proration_behavior": "none"}
    )
    act("clock", advance_seconds=14 * DAY + HOUR)
    assert bills(client, made)[-1].total == 3100


def test_it_ends_at_once_or_with_its_period(
    client: stripe.StripeClient, subscribe: Callable[..., Any], act: Act
) -> None:
    first, second = subscribe(), subscribe()
    told_so = client.v1.subscriptions.update(first.id, {"cancel_at_period_end": True})
    end = first["items"].data[0].current_period_end
    assert (told_so.status, told_so.cancel_at) == ("active", end)
    gone = client.v1.subscriptions.cancel(
        second.id, {"cancellation_details": {"comment": "too much"}}
    )
    assert gone.status == "canceled"
    assert gone.cancellation_details is not None
    assert gone.cancellation_details.comment == "too much"
    act("clock", to=end)
    assert client.v1.subscriptions.retrieve(first.id).status == "canceled"
    assert len(bills(client, first)) == 1
    listed = client.v1.subscriptions.list
    assert listed().data == []
    assert [one.id for one in listed({"status": "ended"}).data] == [second.id, first.id]
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.subscriptions.cancel(first.id)


def test_a_deleted_customer_has_no_subscription_any_more(
    client: stripe.StripeClient, subscribe: Callable[..., Any], act: Act
) -> None:
    made = subscribe()
    client.v1.customers.delete(str(made.customer))
    assert client.v1.subscriptions.retrieve(made.id).status == "canceled"
    act("clock", advance_seconds=40 * DAY)
    assert len(bills(client, made)) == 1


def test_paused_collection_voids_what_is_billed(
    client: stripe.StripeClient, subscribe: Callable[..., Any], act: Act
) -> None:
    made = subscribe()
    client.v1.subscriptions.update(made.id, {"pause_collection": {"behavior": "void"}})
    act("clock", advance_seconds=32 * DAY)
    assert [bill.status for bill in bills(client, made)] == ["paid", "void"]
    client.v1.subscriptions.update(made.id, {"pause_collection": ""})
    act("clock", advance_seconds=31 * DAY)
    assert [bill.status for bill in bills(client, made)] == ["paid", "void", "paid"]


@pytest.mark.parametrize("trial", [None, 7])
def test_checkout_starts_a_subscription(
    *,
    client: stripe.StripeClient,
    price: stripe.Price,
    trial: int | None,
) -> None:
    data: Any = {"metadata": {"account": "a1"}} | ({"trial_period_days": trial} if trial else {})
    session = client.v1.checkout.sessions.create(
        {
            "mode": "subscription",
            "line_items": [{"price": price.id, "quantity": 2}],
            "subscription_data": data,
            "customer_email": "ada@example.com",
            "success_url": "http://shop.example/ok",
        }
    )
    form = {"name": "Ada", "type": "card", "expiry": "12/40", "cvc": "123"}
    refused = httpx.post(str(session.url), data={**form, "number": "4000000000000341"})
    if trial is None:
        assert "declined" in refused.text
        httpx.post(str(session.url), data={**form, "number": "4242424242424242"})
    done = client.v1.checkout.sessions.retrieve(
        session.id, {"expand": ["subscription", "invoice", "customer"]}
    )
    assert done.status == "complete"
    assert done.payment_status == ("no_payment_required" if trial else "paid")
    assert isinstance(done.subscription, stripe.Subscription)
    assert done.subscription.status == ("trialing" if trial else "active")
    assert done.subscription.metadata["account"] == "a1"
    assert isinstance(done.invoice, stripe.Invoice)
    assert done.invoice.status == "paid"
    assert isinstance(done.customer, stripe.Customer)
    assert done.customer.email == "ada@example.com"
