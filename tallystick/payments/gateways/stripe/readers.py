"""What Stripe's objects say when an event brings them, in our words; one function per object."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, TypeVar
from uuid import UUID

import msgspec

from tallystick.kernel.errors import BadInput
from tallystick.payments.facts import (
    ChargeReported,
    ChargeReturned,
    CheckoutEnded,
    CustomerRemoved,
    DisputeReported,
    DisputeState,
    Fact,
    Ignored,
    MethodRemoved,
    MethodRevoked,
    MethodSaved,
    RefundReported,
)
from tallystick.payments.gateways.stripe import wire
from tallystick.payments.gateways.stripe.amounts import from_stripe
from tallystick.payments.gateways.stripe.outcomes import (
    code_of,
    outcome_of_intent,
    outcome_of_refund,
    outcome_of_session,
)
from tallystick.payments.gateways.stripe.wire import id_of
from tallystick.payments.outcomes import Declined, NeedsAction
from tallystick.payments.requests import Bank, Card, MethodDescription

CHECKOUT: Final = "tallystick_checkout"
"""The key of metadata that marks a charge as one of a page, which the payer may try again."""
_SUCCEEDED: Final = "succeeded"

T = TypeVar("T")


def charge(data: wire.EventData) -> Fact:
    """Read a payment intent; one that was not made by us has none of our ids."""
    intent = read(data.object, wire.PaymentIntent)
    ids = our_ids(intent.metadata)
    if ids is None:
        return Ignored("not_ours")
    outcome = outcome_of_intent(intent)
    if CHECKOUT in intent.metadata and isinstance(outcome, Declined | NeedsAction):
        # The payer may type another card on the page, or is asked there; only its end tells.
        return Ignored("page_tells")
    return ChargeReported(
        account_id=ids.tallystick_account,
        attempt_id=ids.tallystick_attempt,
        customer_token=id_of(intent.customer),
        outcome=outcome,
    )


def set_up(data: wire.EventData) -> Fact:
    """Read a setup intent that succeeded."""
    intent = read(data.object, wire.SetupIntent)
    return _saved(id_of(intent.customer), id_of(intent.payment_method))


def kept(data: wire.EventData) -> Fact:
    """Read a method that was attached or changed."""
    method = read(data.object, wire.PaymentMethod)
    return _saved(id_of(method.customer), method.id)


def _saved(customer_token: str | None, method_token: str | None) -> Fact:
    if customer_token is None or method_token is None:
        return Ignored("no_customer")
    return MethodSaved(customer_token, method_token)


def removed(data: wire.EventData) -> Fact:
    """Read a detachment: the former owner stands in what changed, the method has none any more.

    A thin event does not tell what changed.
    """
    method = read(data.object, wire.PaymentMethod)
    if data.previous_attributes is None:
        detached = id_of(method.customer) is None
        return MethodRevoked(method.id) if detached else Ignored("no_customer")
    owner = id_of(data.previous_attributes.get("customer"))
    return MethodRemoved(owner, describe(method)) if owner else Ignored("no_customer")


def mandate(data: wire.EventData) -> Fact:
    """Read a mandate: without one, a bank account may not be debited."""
    told = read(data.object, wire.Mandate)
    method = id_of(told.payment_method)
    if told.status != "inactive" or told.type == "single_use" or method is None:
        return Ignored("mandate_stands")
    return MethodRevoked(method)


def customer_deleted(data: wire.EventData) -> Fact:
    """Read a customer that is no more."""
    return CustomerRemoved(read(data.object, wire.Named).id)


def refunded(data: wire.EventData) -> Fact:
    """Read a refund."""
    refund = read(data.object, wire.Refund)
    of = id_of(refund.payment_intent) or id_of(refund.charge)
    if of is None:
        return Ignored("no_charge")
    amount = from_stripe(refund.amount, refund.currency)
    return RefundReported(
        refund.id, of, amount, outcome_of_refund(refund), our_refund(refund.metadata)
    )


def disputed(data: wire.EventData) -> Fact:
    """Read a dispute; a bank debit that came back is one too, and can not be contested."""
    dispute = read(data.object, wire.Dispute)
    of = id_of(dispute.payment_intent) or id_of(dispute.charge)
    state = DISPUTE_STATES.get(dispute.status)
    if of is None or state is None:
        return Ignored("no_charge" if of is None else "unknown_status")
    amount = from_stripe(dispute.amount, dispute.currency)
    lost = state in {DisputeState.OPENED, DisputeState.LOST}
    if lost and dispute.reason in _RETURN_REASONS:
        return ChargeReturned(dispute.id, of, amount, code_of(dispute.reason))
    return DisputeReported(
        dispute.id, of, amount, state, dispute.reason, _due_by(dispute.evidence_details)
    )


def _due_by(evidence: wire.EvidenceDetails | None) -> datetime | None:
    due_by = evidence.due_by if evidence else None
    return datetime.fromtimestamp(due_by, UTC) if due_by else None


def failed(data: wire.EventData) -> Fact:
    """Read a charge that failed after it had succeeded: a bank debit that came back late.

    Any other is told by its payment intent.
    """
    told = read(data.object, wire.Charge)
    of = id_of(told.payment_intent)
    before = (data.previous_attributes or {}).get("status")
    came_back = before == _SUCCEEDED or told.failure_balance_transaction is not None
    if of is None or not came_back:
        return Ignored("charge_tells")
    amount = from_stripe(told.amount, told.currency)
    return ChargeReturned(told.id, of, amount, code_of(told.failure_code))


def page_ended(data: wire.EventData) -> Fact:
    """Read a session of Checkout that was finished or ran out."""
    session = read(data.object, wire.CheckoutSession)
    ids = our_page(session.metadata or {})
    if ids is None:
        return Ignored("not_ours")
    outcome = outcome_of_session(session)
    return CheckoutEnded(
        ids.tallystick_account, ids.tallystick_checkout, session.id, ids.tallystick_attempt, outcome
    )


def page_refused(data: wire.EventData) -> Fact:
    """Read a session whose bank debit was refused days after the page."""
    ended = page_ended(data)
    if not isinstance(ended, CheckoutEnded):
        return ended
    return msgspec.structs.replace(
        ended, outcome=Declined("bank_debit_refused", reference=ended.outcome.reference)
    )


DISPUTE_STATES: Final[Mapping[str, DisputeState]] = {
    "warning_needs_response": DisputeState.WARNING,
    "warning_under_review": DisputeState.WARNING,
    "warning_closed": DisputeState.WARNING,
    # Settled by a refund before it became a dispute: that refund is told by itself.
    "prevented": DisputeState.WARNING,
    "needs_response": DisputeState.OPENED,
    "under_review": DisputeState.OPENED,
    # The status of versions before 2019: the charge was refunded, the dispute took nothing.
    "charge_refunded": DisputeState.WON,
    "won": DisputeState.WON,
    "lost": DisputeState.LOST,
}

# Reasons that only a bank gives that sends a debit back
# (https://docs.stripe.com/disputes/categories; those of ACH returns).
_RETURN_REASONS: Final = frozenset({
    "account_closed", "bank_cannot_process", "customer_initiated", "debit_not_authorized",
    "incorrect_account_details", "insufficient_funds", "no_account",
})  # fmt: skip


def our_ids(metadata: Mapping[str, str]) -> wire.OurIds | None:
    """Return our ids of a charge; None when it is not one of ours."""
    return _ids(metadata, wire.OurIds)


def our_page(metadata: Mapping[str, str]) -> wire.OurPage | None:
    """Return our ids of a page; None when it is not one of ours."""
    return _ids(metadata, wire.OurPage)


def our_refund(metadata: Mapping[str, str]) -> UUID | None:
    """Return our id of a refund; None when it was made at Stripe."""
    try:
        return UUID(metadata.get("tallystick_refund", ""))
    except ValueError:
        return None


def describe(method: wire.PaymentMethod) -> MethodDescription:
    """Return a method in our words."""
    card, bank = method.card, method.us_bank_account
    return MethodDescription(
        token=method.id,
        customer_token=id_of(method.customer),
        type=method.type,
        card=Card(card.brand, card.last4, card.exp_month, card.exp_year) if card else None,
        bank=Bank(bank.bank_name, bank.last4) if bank else None,
    )


def read(body: bytes | msgspec.Raw, kind: type[T]) -> T:
    """Read JSON; raises BadInput `invalid_payload`."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput("invalid_payload", "The webhook can not be read.") from error


def _ids(metadata: Mapping[str, str], kind: type[T]) -> T | None:
    try:
        return msgspec.convert(dict(metadata), kind)
    except msgspec.ValidationError:
        return None
