"""Stripe's webhooks in our words: snapshot events, which bring an object, and thin ones.

Which kinds are read, and which are known and ignored for a reason, stands in two tables here. An
object comes in the version of the webhook endpoint, so readers take older shapes too.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from tallystick.payments.facts import (
    Fact,
    GatewayEvent,
    Ignored,
    MirrorChanged,
    ObjectChanged,
    Receipt,
    UsageRefused,
)
from tallystick.payments.gateways.stripe import readers
from tallystick.payments.gateways.stripe.readers import read
from tallystick.payments.gateways.stripe.wire import Event, EventData, Head, Named, ThinEvent
from tallystick.payments.mirrored import MirrorKind

_CLIENT_SECRET: Final = re.compile(rb'("client_secret"\s*:\s*)"(?:[^"\\]|\\.)*"')
THIN: Final = "v2.core.event"
_V1: Final = "v1."

Reader = Callable[[EventData], Fact]


def receipt(body: bytes) -> Receipt:
    """Return what may be stored of a signed body: all but the client secrets in it.

    With a client secret a page may act on the intent, so it has no place in a table that staff
    read; the bytes around it stay as they came.
    """
    head = read(body, Head)
    return Receipt(head.id, head.type, _CLIENT_SECRET.sub(rb"\1null", body))


def read_event(body: bytes, *, livemode: bool) -> GatewayEvent:
    """Read an event for an account of ours in this mode; raises BadInput `invalid_payload`."""
    if read(body, Head).object == THIN:
        return _thin(read(body, ThinEvent), livemode=livemode)
    event = read(body, Event)
    return GatewayEvent(
        event_id=event.id,
        kind=event.type,
        created_at=datetime.fromtimestamp(event.created, UTC),
        livemode=event.livemode,
        fact=_elsewhere(event.livemode, livemode, event.account) or _fact(event),
    )


def read_object(kind: str, data: EventData) -> Fact:
    """Read what an object says that was asked for because of an event of this kind."""
    return READERS[kind](data)


def _thin(event: ThinEvent, *, livemode: bool) -> GatewayEvent:
    """Read a thin event: what happened is named as in the snapshot's type, after `v1.`."""
    kind = event.type.removeprefix(_V1)
    mirrored = None if kind in READERS else _mirrored(kind)
    fact: Fact
    if kind in METER_REPORTS:
        fact = UsageRefused(event.id)
    elif kind not in READERS and mirrored is None:
        fact = Ignored(_reason(kind))
    elif event.related_object is None:
        fact = Ignored("no_object")
    elif mirrored is not None:
        fact = MirrorChanged(mirrored, event.related_object.id)
    else:
        fact = ObjectChanged(kind, event.related_object.id)
    fact = _elsewhere(event.livemode, livemode, event.context) or fact
    return GatewayEvent(event.id, event.type, event.created, event.livemode, fact)


def _elsewhere(told: bool, ours: bool, account: str | None) -> Ignored | None:  # noqa: FBT001 - two modes, side by side
    if told != ours:
        return Ignored("other_mode")
    return Ignored("other_account") if account is not None else None


def _fact(event: Event) -> Fact:
    reader = READERS.get(event.type)
    if reader:
        return reader(event.data)
    kind = _mirrored(event.type)
    if kind is None:
        return Ignored(_reason(event.type))
    return MirrorChanged(kind, read(event.data.object, Named).id)


def is_read(event_type: str) -> bool:
    """Tell whether an event of this type says anything to us."""
    return event_type in READERS or _mirrored(event_type) is not None


def _mirrored(event_type: str) -> MirrorKind | None:
    """Return what of the mirror an event is about: objects that Stripe bills; ours live here."""
    if event_type in IGNORED:
        return None
    return next((kind for told, kind in MIRRORED.items() if event_type.startswith(told)), None)


def _reason(kind: str) -> str:
    for prefix, reason in IGNORED.items():
        if kind.startswith(prefix):
            return reason
    return "unknown_kind"


def _refunds_of(data: EventData) -> Fact:
    """Take a charge's refunds from its list: since 2022-11-15 the charge does not bring them."""
    return ObjectChanged(CHARGE_REFUNDED, read(data.object, Named).id)


CHARGE_REFUNDED: Final[str] = "charge.refunded"
READERS: Final[Mapping[str, Reader]] = {
    "setup_intent.succeeded": readers.set_up,
    "payment_method.attached": readers.kept,
    "payment_method.updated": readers.kept,
    "payment_method.automatically_updated": readers.kept,
    "payment_method.card_automatically_updated": readers.kept,  # its name before 2019
    "payment_method.detached": readers.removed,
    "mandate.updated": readers.mandate,
    "customer.deleted": readers.customer_deleted,
    "payment_intent.created": readers.charge,
    "payment_intent.processing": readers.charge,
    "payment_intent.requires_action": readers.charge,
    "payment_intent.amount_capturable_updated": readers.charge,
    "payment_intent.partially_funded": readers.charge,
    "payment_intent.succeeded": readers.charge,
    "payment_intent.payment_failed": readers.charge,
    "payment_intent.canceled": readers.charge,
    "charge.failed": readers.failed,
    CHARGE_REFUNDED: _refunds_of,
    "charge.refund.updated": readers.refunded,
    "refund.created": readers.refunded,
    "refund.updated": readers.refunded,
    "refund.failed": readers.refunded,
    "charge.dispute.created": readers.disputed,
    "charge.dispute.updated": readers.disputed,
    "charge.dispute.closed": readers.disputed,
    "charge.dispute.funds_withdrawn": readers.disputed,
    "charge.dispute.funds_reinstated": readers.disputed,
    "checkout.session.completed": readers.page_ended,
    "checkout.session.expired": readers.page_ended,
    "checkout.session.async_payment_succeeded": readers.page_ended,
    "checkout.session.async_payment_failed": readers.page_refused,
}
"""What is read, by the exact type of the event."""

METER_REPORTS: Final = frozenset(
    {"billing.meter.error_report_triggered", "billing.meter.no_meter_found"}
)
"""What tells of usage that does not count: thin events, whose report is asked for by their id."""

MIRRORED: Final[Mapping[str, MirrorKind]] = {
    "customer.subscription.": MirrorKind.SUBSCRIPTION,
    "customer.created": MirrorKind.CUSTOMER,
    "customer.updated": MirrorKind.CUSTOMER,
    "invoice.": MirrorKind.INVOICE,
    "charge.succeeded": MirrorKind.CHARGE,
    "charge.updated": MirrorKind.CHARGE,
    "charge.pending": MirrorKind.CHARGE,
    "charge.captured": MirrorKind.CHARGE,
    "charge.expired": MirrorKind.CHARGE,
}
"""What is read for the mirror alone, by the beginning of its type."""

IGNORED: Final[Mapping[str, str]] = {
    # The page or the customer's next visit shows what is to be done; nothing is saved yet.
    "setup_intent.": "nothing_saved",
    # The payment intent of the charge, its refunds and its disputes tell the same.
    "charge.": "charge_tells",
    # Told by the invoice itself.
    "invoice.upcoming": "nothing_changed",
    "invoice_payment.": "billed_at_stripe",
    "invoiceitem.": "billed_at_stripe",
    "customer.subscription.trial_will_end": "nothing_changed",
    # Name and address are the account's own, here.
    "customer.": "kept_here",
    "payment_method.": "kept_here",
}
"""What is known and changes nothing, by the beginning of its type, and why."""
