"""Stripe's webhooks in our words."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, TypeVar
from uuid import UUID

import msgspec

from tallystick.kernel.errors import BadInput
from tallystick.payments.facts import (
    ChargeReported,
    DisputeReported,
    DisputeState,
    Fact,
    GatewayEvent,
    Ignored,
    MethodRemoved,
    MethodSaved,
    Receipt,
    RefundReported,
)
from tallystick.payments.gateways.stripe.amounts import from_stripe
from tallystick.payments.gateways.stripe.outcomes import outcome_of_intent, outcome_of_refund
from tallystick.payments.gateways.stripe.wire import (
    Dispute,
    Event,
    EventData,
    Head,
    OurIds,
    PaymentIntent,
    PaymentMethod,
    Refund,
    SetupIntent,
    id_of,
)
from tallystick.payments.requests import Bank, Card, MethodDescription

_CLIENT_SECRET: Final = re.compile(rb'("client_secret"\s*:\s*)"(?:[^"\\]|\\.)*"')
T = TypeVar("T")


def receipt(body: bytes) -> Receipt:
    """Return what may be stored of a signed body: all but the client secrets in it.

    With a client secret a page may act on the intent, so it has no place in a table that staff
    read; the bytes around it stay as they came.
    """
    head = _read(body, Head)
    return Receipt(head.id, head.type, _CLIENT_SECRET.sub(rb"\1null", body))


def read_event(body: bytes, *, livemode: bool) -> GatewayEvent:
    """Read an event for an account of ours in this mode; raises BadInput `invalid_payload`."""
    head = _read(body, Head)
    if head.object != "event":
        at = datetime.fromtimestamp(0, UTC)
        return GatewayEvent(head.id, head.type, at, livemode, Ignored("thin_event"))
    event = _read(body, Event)
    return GatewayEvent(
        event_id=event.id,
        kind=event.type,
        created_at=datetime.fromtimestamp(event.created, UTC),
        livemode=event.livemode,
        fact=_fact(event, livemode=livemode),
    )


def _fact(event: Event, *, livemode: bool) -> Fact:
    if event.livemode != livemode:
        return Ignored("other_mode")
    if event.account is not None:
        return Ignored("other_account")
    for prefix, read in _READERS.items():
        if event.type.startswith(prefix):
            return read(event.data)
    return Ignored("unknown_kind")


def _charge(data: EventData) -> Fact:
    intent = _read(data.object, PaymentIntent)
    ids = our_ids(intent.metadata)
    if ids is None:
        return Ignored("not_ours")
    return ChargeReported(
        account_id=ids.tallystick_account,
        attempt_id=ids.tallystick_attempt,
        customer_token=id_of(intent.customer),
        outcome=outcome_of_intent(intent),
    )


def _set_up(data: EventData) -> Fact:
    intent = _read(data.object, SetupIntent)
    return _saved(id_of(intent.customer), id_of(intent.payment_method))


def _kept(data: EventData) -> Fact:
    method = _read(data.object, PaymentMethod)
    return _saved(id_of(method.customer), method.id)


def _saved(customer_token: str | None, method_token: str | None) -> Fact:
    if customer_token is None or method_token is None:
        return Ignored("no_customer")
    return MethodSaved(customer_token, method_token)


def _removed(data: EventData) -> Fact:
    """Read a detachment: the former owner stands in what changed, the method has none any more."""
    owner = (data.previous_attributes or {}).get("customer")
    if not isinstance(owner, str):
        return Ignored("no_customer")
    return MethodRemoved(owner, describe(_read(data.object, PaymentMethod)))


def _refunded(data: EventData) -> Fact:
    refund = _read(data.object, Refund)
    charge = id_of(refund.payment_intent) or id_of(refund.charge)
    if charge is None:
        return Ignored("no_charge")
    amount = from_stripe(refund.amount, refund.currency)
    return RefundReported(
        refund.id, charge, amount, outcome_of_refund(refund), our_refund(refund.metadata)
    )


def _disputed(data: EventData) -> Fact:
    dispute = _read(data.object, Dispute)
    charge = id_of(dispute.payment_intent) or id_of(dispute.charge)
    state = DISPUTE_STATES.get(dispute.status)
    if charge is None or state is None:
        return Ignored("no_charge" if charge is None else "unknown_status")
    amount = from_stripe(dispute.amount, dispute.currency)
    return DisputeReported(dispute.id, charge, amount, state, dispute.reason)


DISPUTE_STATES: Final[Mapping[str, DisputeState]] = {
    "warning_needs_response": DisputeState.WARNING,
    "warning_under_review": DisputeState.WARNING,
    "warning_closed": DisputeState.WARNING,
    "needs_response": DisputeState.OPENED,
    "under_review": DisputeState.OPENED,
    "won": DisputeState.WON,
    "lost": DisputeState.LOST,
}


_READERS: Final[Mapping[str, Callable[[EventData], Fact]]] = {
    "payment_intent.": _charge,
    "setup_intent.succeeded": _set_up,
    "payment_method.attached": _kept,
    "payment_method.updated": _kept,
    "payment_method.automatically_updated": _kept,
    "payment_method.detached": _removed,
    "charge.refund.": _refunded,
    "charge.dispute.": _disputed,
    "refund.": _refunded,
}


def our_ids(metadata: Mapping[str, str]) -> OurIds | None:
    """Return our ids of a charge; None when it is not one of ours."""
    try:
        return msgspec.convert(dict(metadata), OurIds)
    except msgspec.ValidationError:
        return None


def our_refund(metadata: Mapping[str, str]) -> UUID | None:
    """Return our id of a refund; None when it was made at Stripe."""
    try:
        return UUID(metadata.get("tallystick_refund", ""))
    except ValueError:
        return None


def describe(method: PaymentMethod) -> MethodDescription:
    """Return a method in our words."""
    card, bank = method.card, method.us_bank_account
    return MethodDescription(
        token=method.id,
        customer_token=id_of(method.customer),
        type=method.type,
        card=Card(card.brand, card.last4, card.exp_month, card.exp_year) if card else None,
        bank=Bank(bank.bank_name, bank.last4) if bank else None,
    )


def _read(body: bytes | msgspec.Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput("invalid_payload", "The webhook can not be read.") from error
