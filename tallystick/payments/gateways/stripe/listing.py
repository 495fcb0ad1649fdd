"""What Stripe lists: events for catch-up, movements of its balance, and what one object is now."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from tallystick.kernel.errors import NotFound
from tallystick.payments.facts import Fact, ObjectChanged, Receipt, ReceiptPage
from tallystick.payments.gateways.stripe import events, wire
from tallystick.payments.gateways.stripe.amounts import from_stripe
from tallystick.payments.gateways.stripe.client import Call, StripeCalls
from tallystick.payments.gateways.stripe.wire import id_of
from tallystick.payments.requests import Transaction, TransactionPage

PAGE_ROWS: Final = 100
_GONE: Final = "customer.deleted"


async def list_events(calls: StripeCalls, since: datetime, cursor: str | None) -> ReceiptPage:
    """List what happened since then, in the shape of webhooks; only kinds that are read.

    The newest page comes first, each page oldest first: handlers need no order. Stripe takes 20
    types a filter at most, we read more, so the rest is left out here.
    """
    page = await calls.fetch(
        lambda client: client.v1.events.list_async(
            {
                "created": {"gte": int(since.timestamp())},
                "limit": PAGE_ROWS,
                **({"starting_after": cursor} if cursor else {}),
            }
        ),
        wire.Page[dict[str, Any]],
    )
    told = [one for one in reversed(page.data) if events.is_read(str(one.get("type")))]
    receipts = tuple(_receipt(one) for one in told)
    return ReceiptPage(receipts, page.data[-1]["id"] if page.has_more and page.data else None)


def _receipt(event: dict[str, Any]) -> Receipt:
    return events.receipt(msgspec.json.encode(event))


async def list_transactions(
    calls: StripeCalls, start: datetime, end: datetime, cursor: str | None
) -> TransactionPage:
    """List the balance's movements with their fees, in the currency that Stripe settles in."""
    page = await calls.fetch(
        lambda client: client.v1.balance_transactions.list_async(
            {
                # Whole seconds: one at 12:00:00.4 is created at 12:00:00.
                "created": {"gte": int(start.timestamp()), "lt": int(end.timestamp())},
                "limit": PAGE_ROWS,
                "expand": ["data.source"],
                **({"starting_after": cursor} if cursor else {}),
            }
        ),
        wire.Page[wire.BalanceTransaction],
    )
    moved = tuple(transaction(one) for one in page.data)
    return TransactionPage(moved, page.data[-1].id if page.has_more and page.data else None)


def transaction(told: wire.BalanceTransaction) -> Transaction:
    """Return one movement in our words; raises ValueError for an amount that is none."""
    return Transaction(
        reference=told.id,
        kind=KINDS.get(told.reporting_category or told.type, "adjustment"),
        amount=from_stripe(told.amount, told.currency),
        fee=from_stripe(told.fee, told.currency),
        net=from_stripe(told.net, told.currency),
        created_at=datetime.fromtimestamp(told.created, UTC),
        references=tuple(_references(told.source)),
    )


def _references(source: wire.Expandable) -> list[str]:
    """Return the source's id and those of the charge that it belongs to, each once."""
    names = [id_of(source)]
    if isinstance(source, dict):
        names += [id_of(source.get("payment_intent")), id_of(source.get("charge"))]
    return list(dict.fromkeys(name for name in names if name))


KINDS: Final[Mapping[str, str]] = {
    "charge": "charge",
    "payment": "charge",
    "charge_failure": "refund",
    "payment_failure_refund": "refund",
    "refund": "refund",
    "payment_refund": "refund",
    "partial_capture_reversal": "refund",
    "refund_failure": "adjustment",
    "dispute": "dispute",
    "dispute_reversal": "dispute",
    "payout": "payout",
    "payout_reversal": "payout",
    "payout_minimum_balance_hold": "payout",
    "payout_minimum_balance_release": "payout",
    "fee": "fee",
    "stripe_fee": "fee",
    "network_cost": "fee",
    "tax": "fee",
}
"""Stripe's `reporting_category` (or `type`, where there is none) -> our kind."""


async def read_changed(calls: StripeCalls, changed: ObjectChanged) -> tuple[Fact, ...]:
    """Ask for the object of a thin event, or for the refunds of a charge, as they are now."""
    if changed.kind == events.CHARGE_REFUNDED:
        refunds = await calls.fetch(_refunds_of(changed.reference), wire.Page[dict[str, Any]])
        return tuple(_fact("refund.updated", one) for one in refunds.data)
    if changed.kind == _GONE:
        return (_fact(_GONE, {"id": changed.reference}),)
    try:
        told = await calls.fetch(_retrieve(changed), dict[str, Any])
    except NotFound:
        return ()
    return (_fact(changed.kind, told),)


def _fact(kind: str, told: dict[str, Any]) -> Fact:
    return events.read_object(kind, wire.EventData(msgspec.Raw(msgspec.json.encode(told))))


def _refunds_of(charge: str) -> Call:
    return lambda client: client.v1.refunds.list_async({"charge": charge, "limit": PAGE_ROWS})


def _retrieve(changed: ObjectChanged) -> Call:
    """Return the call that reads an object of this kind; the id is Stripe's own, signed."""
    named = changed.reference
    calls: Mapping[str, Call] = {
        "setup_intent": lambda client: client.v1.setup_intents.retrieve_async(named),
        "payment_method": lambda client: client.v1.payment_methods.retrieve_async(named),
        "payment_intent": lambda client: client.v1.payment_intents.retrieve_async(named),
        "mandate": lambda client: client.v1.mandates.retrieve_async(named),
        "charge": lambda client: client.v1.charges.retrieve_async(named),
        "charge.refund": lambda client: client.v1.refunds.retrieve_async(named),
        "refund": lambda client: client.v1.refunds.retrieve_async(named),
        "charge.dispute": lambda client: client.v1.disputes.retrieve_async(named),
        "checkout.session": lambda client: client.v1.checkout.sessions.retrieve_async(named),
    }
    return calls[changed.kind.rpartition(".")[0]]
