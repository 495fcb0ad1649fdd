"""Giving money back, never more than was taken."""

import pytest
import stripe


@pytest.fixture
def paid(client: stripe.StripeClient) -> stripe.PaymentIntent:
    return client.v1.payment_intents.create(
        {
            "amount": 1500,
            "currency": "usd",
            "allowed_payment_method_types": ["card"],
            "payment_method": "pm_card_visa",
            "confirm": True,
        }
    )


def test_a_payment_is_refunded_in_parts_and_never_beyond(
    client: stripe.StripeClient, paid: stripe.PaymentIntent
) -> None:
    first = client.v1.refunds.create(
        {
            "payment_intent": paid.id,
            "amount": 1000,
            "reason": "requested_by_customer",
            "metadata": {"a": "1"},
        }
    )
    assert (first.amount, first.status, first.charge) == (1000, "succeeded", paid.latest_charge)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"payment_intent": paid.id, "amount": 501})
    assert refused.value.param == "amount"
    rest = client.v1.refunds.create({"charge": str(paid.latest_charge)})
    assert rest.amount == 500
    charge = client.v1.charges.retrieve(str(paid.latest_charge))
    assert (charge.amount_refunded, charge.refunded) == (1500, True)
    with pytest.raises(stripe.InvalidRequestError) as over:
        client.v1.refunds.create({"payment_intent": paid.id})
    assert over.value.code == "charge_already_refunded"
    listed = client.v1.refunds.list({"payment_intent": paid.id, "expand": ["data.charge"]})
    assert [refund.id for refund in listed.data] == [rest.id, first.id]
    assert isinstance(listed.data[0].charge, stripe.Charge)
    assert client.v1.refunds.retrieve(first.id).reason == "requested_by_customer"


def test_a_partial_refund_tells_the_sum_so_far(
    client: stripe.StripeClient, paid: stripe.PaymentIntent
) -> None:
    for amount in (100, 200):
        client.v1.refunds.create({"payment_intent": paid.id, "amount": amount})
    events = client.v1.events.list({"type": "charge.refunded"}).data
    assert [e.data.object["amount_refunded"] for e in events] == [300, 100]
    assert events[0].data.object["refunded"] is False
    assert events[0].to_dict()["data"]["previous_attributes"] == {"amount_refunded": 100}
    assert len(client.v1.events.list({"type": "refund.created"}).data) == 2


def test_a_refunds_metadata_can_be_changed(
    client: stripe.StripeClient, paid: stripe.PaymentIntent
) -> None:
    refund = client.v1.refunds.create({"payment_intent": paid.id})
    changed = client.v1.refunds.update(refund.id, {"metadata": {"ticket": "7"}})
    assert changed.to_dict()["metadata"] == {"ticket": "7"}
    assert client.v1.events.list({"type": "refund.updated"}).data[0].data.object["id"] == refund.id


def test_what_was_not_taken_is_not_given_back(client: stripe.StripeClient) -> None:
    unpaid = client.v1.payment_intents.create({"amount": 1500, "currency": "usd"})
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        client.v1.refunds.create({"payment_intent": unpaid.id})


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"payment_intent": "pi_none"}, "payment_intent"),
        ({"charge": "ch_none"}, "charge"),
        ({}, None),
    ],
)
def test_a_refund_names_what_it_is_of(
    client: stripe.StripeClient, params: stripe.params.RefundCreateParams, param: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create(params)
    assert refused.value.http_status == 400
    assert refused.value.param == param
    assert refused.value.code == ("resource_missing" if param else "parameter_missing")


@pytest.mark.parametrize("amount", [0, -1])
def test_a_refund_is_of_something(
    client: stripe.StripeClient, paid: stripe.PaymentIntent, amount: int
) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": paid.id, "amount": amount})
