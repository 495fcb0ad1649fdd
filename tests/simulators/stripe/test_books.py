"""The business's balance: fees, disputes that are answered, and refunds that fail later."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe

Json = dict[str, Any]
Act = Callable[..., Json]
Save = Callable[[str], str]
DAY = 24 * 3600


@pytest.fixture
def pay(
    client: stripe.StripeClient, customer: stripe.Customer, save_card: Save
) -> Callable[..., stripe.PaymentIntent]:
    """Charge a test card of 15.00."""

    def pay(token: str, amount: int = 1500) -> stripe.PaymentIntent:
        return client.v1.payment_intents.create(
            {
                "amount": amount,
                "currency": "usd",
                "customer": customer.id,
                "allowed_payment_method_types": ["card"],
                "payment_method": save_card(token),
                "confirm": True,
                "off_session": True,
            }
        )

    return pay


def told(client: stripe.StripeClient, *kinds: str) -> list[str]:
    listed = client.v1.events.list({"limit": 100}).data
    return [one.type for one in reversed(listed) if one.type.startswith(kinds)]


@pytest.mark.parametrize(("amount", "fee"), [(1500, 74), (50, 31), (10_000, 320), (5017, 175)])
def test_a_charge_has_its_fee(
    client: stripe.StripeClient, pay: Callable[..., Any], amount: int, fee: int
) -> None:
    intent = pay("pm_card_visa", amount)
    charge = client.v1.charges.retrieve(intent.latest_charge, {"expand": ["balance_transaction"]})
    moved = charge.balance_transaction
    assert isinstance(moved, stripe.BalanceTransaction)
    assert (moved.type, moved.amount, moved.fee, moved.net) == ("charge", amount, fee, amount - fee)
    assert [part.amount for part in moved.fee_details] == [fee]
    assert moved.source == charge.id


def test_the_balance_is_listed_by_kind_source_and_time(
    client: stripe.StripeClient, pay: Callable[..., Any], act: Act
) -> None:
    charge = pay("pm_card_visa").latest_charge
    act("clock", advance_seconds=3 * DAY)
    intent = pay("pm_card_visa")
    refund = client.v1.refunds.create({"payment_intent": intent.id, "amount": 500})
    listed = client.v1.balance_transactions.list
    assert [one.amount for one in listed().data] == [-500, 1500, 1500]
    assert [one.source for one in listed({"type": "refund"}).data] == [refund.id]
    (first,) = listed({"source": charge}).data
    assert first.status == "available"
    later = listed({"created": {"gt": first.created}}).data
    assert [one.status for one in later] == ["pending", "pending"]
    one = client.v1.balance_transactions.retrieve(later[0].id, {"expand": ["source"]})
    assert isinstance(one.source, stripe.Refund)
    assert client.v1.refunds.retrieve(refund.id).balance_transaction == one.id


def test_a_captured_hold_is_booked_when_it_is_taken(
    client: stripe.StripeClient, customer: stripe.Customer, save_card: Save
) -> None:
    held = client.v1.payment_intents.create(
        {
            "amount": 1500,
            "currency": "usd",
            "customer": customer.id,
            "allowed_payment_method_types": ["card"],
            "payment_method": save_card("pm_card_visa"),
            "capture_method": "manual",
            "confirm": True,
        }
    )
    assert client.v1.balance_transactions.list().data == []
    client.v1.payment_intents.capture(held.id, {"amount_to_capture": 1000})
    assert [one.amount for one in client.v1.balance_transactions.list().data] == [1000]


@pytest.mark.parametrize(
    ("words", "status", "net"),
    [("winning_evidence", "won", -1500), ("losing_evidence", "lost", -3000)],
)
def test_a_dispute_is_answered_with_evidence(
    client: stripe.StripeClient, pay: Callable[..., Any], words: str, status: Any, net: int
) -> None:
    intent = pay("pm_card_createDispute")
    (dispute,) = client.v1.disputes.list({"payment_intent": intent.id}).data
    assert (dispute.status, dispute.reason, dispute.amount) == (
        "needs_response",
        "fraudulent",
        1500,
    )
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert refused.value.code == "charge_disputed"
    done = client.v1.disputes.update(
        dispute.id, {"evidence": {"uncategorized_text": words}, "submit": True}
    )
    assert done.status == status
    assert sum(moved.net for moved in done.balance_transactions) == net
    reinstated = ["charge.dispute.funds_reinstated"] if status == "won" else []
    assert told(client, "charge.dispute") == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        *reinstated,
        "charge.dispute.closed",
    ]
    with pytest.raises(stripe.InvalidRequestError, match=status):
        client.v1.disputes.update(dispute.id, {"evidence": {"receipt": "file_1"}})


def test_a_dispute_is_opened_and_ended_by_hand(
    client: stripe.StripeClient, pay: Callable[..., Any], act: Act
) -> None:
    intent = pay("pm_card_visa")
    opened = act("disputes/open", payment_intent=intent.id, reason="product_not_received")
    staged = client.v1.disputes.update(
        opened["id"],
        {"evidence": {"customer_name": "Ada"}, "submit": False, "metadata": {"a": "1"}},
    )
    assert (staged.status, staged.evidence.customer_name) == ("needs_response", "Ada")
    assert act("disputes/end", dispute=opened["id"], action="submit")["status"] == "under_review"
    assert act("disputes/end", dispute=opened["id"], action="win")["status"] == "won"
    assert client.v1.charges.retrieve(intent.latest_charge).disputed
    assert client.v1.refunds.create({"payment_intent": intent.id}).status == "succeeded"


def test_a_refund_may_fail_later(
    client: stripe.StripeClient, pay: Callable[..., Any], act: Act
) -> None:
    intent = pay("pm_card_refundFail")
    refund = client.v1.refunds.create({"payment_intent": intent.id, "amount": 600})
    assert refund.status == "succeeded"
    act("clock", advance_seconds=60)
    failed = client.v1.refunds.retrieve(refund.id, {"expand": ["failure_balance_transaction"]})
    assert (failed.status, failed.failure_reason) == ("failed", "lost_or_stolen_card")
    assert isinstance(failed.failure_balance_transaction, stripe.BalanceTransaction)
    assert failed.failure_balance_transaction.amount == 600
    charge = client.v1.charges.retrieve(intent.latest_charge)
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    assert told(client, "refund") == ["refund.created", "refund.updated", "refund.failed"]


def test_a_refund_may_be_pending_for_a_while(
    client: stripe.StripeClient, pay: Callable[..., Any], act: Act
) -> None:
    intent = pay("pm_card_pendingRefund")
    first = client.v1.refunds.create({"payment_intent": intent.id, "amount": 600})
    second = client.v1.refunds.create({"payment_intent": intent.id})
    assert (first.status, first.pending_reason) == ("pending", "processing")
    act("refunds/end", refund=first.id, failure_reason="declined")
    act("clock", advance_seconds=60)
    assert client.v1.refunds.retrieve(first.id).status == "failed"
    assert client.v1.refunds.retrieve(second.id).status == "succeeded"
    assert client.v1.charges.retrieve(intent.latest_charge).amount_refunded == 900
