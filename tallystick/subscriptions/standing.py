"""Whether a subscription is paid for: what its open invoices make of its status. Pure."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tallystick.subscriptions.lifecycle import next_status, without_change
from tallystick.subscriptions.model import Event, Status, Subscription


class OpenBill(msgspec.Struct, frozen=True):
    """An issued invoice of the subscription with something left to pay, and until when."""

    invoice_id: UUID
    due_at: datetime


_EVENTS: Final = {
    (Status.ACTIVE, True): Event.FALL_BEHIND,
    (Status.PAST_DUE, False): Event.CATCH_UP,
}


def looked_at(
    on: Subscription, bills: Sequence[OpenBill], declined: Collection[UUID], now: datetime
) -> Subscription:
    """Return it as its open invoices make it: past due, or active, and when to look next.

    It is behind when one of them is past its due date, or its newest payment was declined.
    """
    is_behind = any(one.due_at <= now or one.invoice_id in declined for one in bills)
    event = _EVENTS.get((on.status, is_behind))
    coming = (one.due_at for one in bills if one.due_at > now)
    return replace(
        on,
        status=on.status if event is None else next_status(on.status, event),
        standing_at=min(coming, default=None),
    )


def expired(on: Subscription, now: datetime) -> Subscription:
    """Return an incomplete one ended: its first invoice was not paid in time.

    Raises Conflict for any other.
    """
    return replace(
        without_change(on),
        status=next_status(on.status, Event.EXPIRE),
        ends_at=now,
        next_bill_at=None,
        opens_at=None,
        standing_at=None,
        cancel_at_period_end=False,
    )
