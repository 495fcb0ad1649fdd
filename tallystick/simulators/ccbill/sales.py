"""Selling: a subscription and its first money, or a refusal; and the webhook that tells it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

import msgspec

from tallystick.simulators.ccbill import cards
from tallystick.simulators.ccbill.amounts import Mishap
from tallystick.simulators.ccbill.declines import Decline
from tallystick.simulators.ccbill.events import ORDERLY, Sending, emit
from tallystick.simulators.ccbill.model import (
    Customer,
    Move,
    StoredCard,
    Subscription,
    Terms,
)
from tallystick.simulators.ccbill.sale_fields import failure_fields, success_fields
from tallystick.simulators.ccbill.state import State

SaleKind = Literal["NewSale", "UpSale", "CrossSale", "Upgrade"]
SENDING: Mapping[Mishap, Sending] = {
    "webhook_never": Sending(never=True),
    "webhook_thrice": Sending(copies=3),
    "webhook_late": Sending(waits_for="rebill"),
}


class Sale(msgspec.Struct, frozen=True):
    """What is asked for, before the bank has answered."""

    kind: SaleKind
    accnum: int
    subacc: int
    customer: Customer
    card: StoredCard
    terms: Terms
    source: str
    token_id: str | None = None
    original_id: str | None = None
    original_accnum: int | None = None
    original_subacc: int | None = None
    extras: Mapping[str, str] = {}
    authenticated: bool = False
    form_name: str = ""
    flex_id: str = ""


class Refused(msgspec.Struct, frozen=True):
    """The bank said no; `denial_id` is that refusal's transaction id, of 18 digits."""

    decline: Decline
    denial_id: str


def sell(
    state: State, sale: Sale, decline: Decline | None, mishap: Mishap | None = None
) -> str | Refused:
    """Sell, or not, and tell it; the value is the subscription's id. Only inside `change`."""
    sending = SENDING.get(mishap, ORDERLY) if mishap else ORDERLY
    transaction_id = state.new_transaction_id()
    subscription = _subscription(state, sale, transaction_id)
    if decline is not None:
        fields = failure_fields(state, subscription, sale.kind, decline)
        kind = f"{sale.kind}Failure"
        emit(state, kind, subscription, fields, sending, known=False)
        return Refused(decline, transaction_id)
    state.save(subscription)
    move = Move(
        id=transaction_id,
        kind="NEW",
        subscription_id=subscription.id,
        accnum=sale.accnum,
        subacc=sale.subacc,
        amount=sale.terms.initial_price,
        currency=sale.terms.currency,
        at=state.now(),
    )
    state.put("moves", move.id, move)
    fields = success_fields(state, subscription, sale.kind, differs=mishap == "webhook_differs")
    emit(state, f"{sale.kind}Success", subscription, fields, sending)
    return subscription.id


def _subscription(state: State, sale: Sale, transaction_id: str) -> Subscription:
    now = state.now()
    over = now + timedelta(days=sale.terms.initial_period)
    recurring = sale.terms.recurring_price is not None and sale.terms.rebills > 0
    days = cards.behaviour(sale.card).chargeback_days
    members = {name: getattr(sale, name) for name in sale.__struct_fields__ if name != "kind"}
    return Subscription(
        # The first sale's transaction and the subscription share their id.
        id=transaction_id,
        created_at=now,
        renews_at=over if recurring else None,
        ends_at=None if recurring or sale.terms.lifetime else over,
        chargeback_at=now + timedelta(days=days) if days else None,
        **members,
    )
