"""Debits of US bank accounts: processing at once, a result days later, a return even later."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe
from stripe.params import SetupIntentCreateParams

Json = dict[str, Any]
Act = Callable[..., Json]
DAY = 24 * 3600
ONLINE: SetupIntentCreateParams = {
    "mandate_data": {
        "customer_acceptance": {
            "type": "online",
            "online": {"ip_address": "192.0.2.1", "user_agent": "test"},
        }
    }
}


@pytest.fixture
def save_account(client: stripe.StripeClient, customer: stripe.Customer) -> Callable[[str], str]:
    """Save a test account that its bank knows; gives the payment method's id."""

    def save_account(token: str) -> str:
        intent = client.v1.setup_intents.create(
            {
                **ONLINE,
                "customer": customer.id,
                "allowed_payment_method_types": ["us_bank_account"],
                "payment_method": f"pm_usBankAccount_{token}",
                "confirm": True,
            }
        )
        assert intent.status == "succeeded"
        return str(intent.payment_method)

    return save_account


@pytest.fixture
def debit(
    client: stripe.StripeClient, customer: stripe.Customer, save_account: Callable[[str], str]
) -> Callable[[str], stripe.PaymentIntent]:
    """Debit a saved test account of 15.00, off session."""

    def debit(token: str) -> stripe.PaymentIntent:
        intent = client.v1.payment_intents.create(
            {
                "amount": 1500,
                "currency": "usd",
                "customer": customer.id,
                "allowed_payment_method_types": ["us_bank_account"],
                "payment_method": save_account(token),
                "confirm": True,
                "off_session": True,
            }
        )
        assert intent.status == "processing"
        return intent

    return debit


def types(client: stripe.StripeClient, *kinds: str) -> list[str]:
    """The kinds of events there were of these families, oldest first."""
    listed = client.v1.events.list({"limit": 100}).data
    return [one.type for one in reversed(listed) if one.type.startswith(kinds)]


def test_a_debit_succeeds_some_business_days_later(
    client: stripe.StripeClient, debit: Callable[[str], stripe.PaymentIntent], act: Act
) -> None:
    intent = debit("success")
    charge = client.v1.charges.retrieve(str(intent.latest_charge))
    assert (charge.status, charge.paid, charge.balance_transaction) == ("pending", False, None)
    act("clock", advance_seconds=3 * DAY)
    assert client.v1.payment_intents.retrieve(intent.id).status == "processing"
    act("clock", advance_seconds=4 * DAY)
    done = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert (done.status, done.amount_received) == ("succeeded", 1500)
    assert isinstance(done.latest_charge, stripe.Charge)
    details = done.latest_charge.payment_method_details
    assert details is not None
    assert details.us_bank_account is not None
    assert details.us_bank_account.mandate is not None
    assert types(client, "payment_intent", "charge") == [
        "payment_intent.created",
        "charge.pending",
        "payment_intent.processing",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("accountClosed", "account_closed"),
        ("noAccount", "no_account"),
        ("insufficientFunds", "insufficient_funds"),
        ("debitNotAuthorized", "debit_not_authorized"),
    ],
)
def test_a_debit_fails_as_its_account_says(
    *,
    client: stripe.StripeClient,
    debit: Callable[[str], stripe.PaymentIntent],
    act: Act,
    token: str,
    code: str,
) -> None:
    intent = debit(token)
    act("ach/settle", payment_intent=intent.id)
    failed = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert failed.status == "requires_payment_method"
    assert failed.last_payment_error is not None
    assert failed.last_payment_error.code == code
    assert isinstance(failed.latest_charge, stripe.Charge)
    assert (failed.latest_charge.status, failed.latest_charge.failure_code) == ("failed", code)
    revoked = types(client, "mandate.updated") == ["mandate.updated"]
    assert revoked == (code == "debit_not_authorized")


def test_a_debit_may_stay_processing(
    client: stripe.StripeClient, debit: Callable[[str], stripe.PaymentIntent], act: Act
) -> None:
    intent = debit("processing")
    act("clock", advance_seconds=60 * DAY)
    assert client.v1.payment_intents.retrieve(intent.id).status == "processing"
    act("ach/settle", outcome="succeeded")
    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"


def test_a_debit_may_be_disputed_and_the_dispute_is_lost(
    client: stripe.StripeClient, debit: Callable[[str], stripe.PaymentIntent], act: Act
) -> None:
    intent = debit("dispute")
    act("clock", advance_seconds=7 * DAY)
    (dispute,) = client.v1.disputes.list({"payment_intent": intent.id}).data
    assert (dispute.status, dispute.amount) == ("lost", 1500)
    assert dispute.evidence_details.due_by is None
    assert types(client, "charge.dispute") == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.closed",
    ]


def test_a_late_return_is_a_dispute_or_a_failed_charge(
    client: stripe.StripeClient, debit: Callable[[str], stripe.PaymentIntent], act: Act
) -> None:
    first, second = debit("success"), debit("success")
    act("ach/settle")
    act("ach/return", payment_intent=first.id)
    assert client.v1.payment_intents.retrieve(first.id).status == "succeeded"
    assert client.v1.disputes.list().data[0].reason == "insufficient_funds"
    act("ach/return", payment_intent=second.id, shape="failure", failure_code="account_closed")
    after = client.v1.payment_intents.retrieve(
        second.id, {"expand": ["latest_charge.failure_balance_transaction"]}
    )
    assert (after.status, after.amount_received) == ("requires_payment_method", 0)
    assert isinstance(after.latest_charge, stripe.Charge)
    assert after.latest_charge.failure_code == "account_closed"
    moved = after.latest_charge.failure_balance_transaction
    assert isinstance(moved, stripe.BalanceTransaction)
    assert (moved.type, moved.amount) == ("payment_failure_refund", -1500)


def test_a_debit_needs_a_mandate_dollars_and_an_allowed_type(client: stripe.StripeClient) -> None:
    def pay(currency: str = "usd", kind: Any = "us_bank_account") -> None:
        client.v1.payment_intents.create(
            {
                "amount": 1500,
                "currency": currency,
                "allowed_payment_method_types": [kind],
                "payment_method": "pm_usBankAccount_success",
                "confirm": True,
            }
        )

    with pytest.raises(stripe.InvalidRequestError, match="mandate") as refused:
        pay()
    assert refused.value.code == "payment_intent_mandate_invalid"
    with pytest.raises(stripe.InvalidRequestError, match="usd"):
        pay(currency="eur")
    with pytest.raises(stripe.InvalidRequestError, match="not allowed"):
        pay(kind="card")
