"""What a try begins with, and what its answer means for an event: pure."""

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from tallystick.kernel.ids import show
from tallystick.money.exact import plain
from tallystick.payments.metered import Answer, Away, Refused, Taken, Unclear
from tallystick.stripe_meters.model import (
    IDENTIFIER_KEPT,
    EventStatus,
    Reason,
    StripeMeter,
    ToldEvent,
)
from tallystick.stripe_meters.rules import is_too_old

GATEWAY: Final = "stripe"
PARKED_FOR: Final = timedelta(hours=1)
"""A customer that is linked lets its account's events go at once; this is for what was missed."""
AGAIN_FIRST: Final = timedelta(seconds=30)
AGAIN_DOUBLINGS_MAX: Final = 7
"""An event without an answer is sent again after 30 s, 1 min ... an hour."""


def identifier(event: ToldEvent) -> str:
    """Return what an event is called at Stripe."""
    return show("stripe_meter_event", event.stripe_meter_event_id)


def key_of(event: ToldEvent) -> str:
    """Return the call's idempotency key: the identifier, with the try from the second one on.

    Stripe keeps what it answered to a key, a failure of its own too, and would say it again for a
    day. The identifier alone keeps a repeat from counting twice.
    """
    name = identifier(event)
    if event.status == EventStatus.CANCELING:
        name = f"{name}:cancel"
    return name if event.try_count == 1 else f"{name}:{event.try_count}"


def payload(event: ToldEvent, meter: StripeMeter) -> dict[str, str]:
    """Return what an event says: whose usage and how much, as a decimal string."""
    return {meter.customer_key: event.customer or "", meter.value_key: plain(event.value)}


def before_try(
    event: ToldEvent, customer: str | None, now: datetime, lease_until: datetime
) -> ToldEvent:
    """Return how an event stands while it is sent, or why it is not."""
    first = event.first_tried_at
    if first is not None and now >= first + IDENTIFIER_KEPT:
        taking_back = event.status == EventStatus.CANCELING
        reason = Reason.NOT_TAKEN_BACK if taking_back else Reason.UNANSWERED
        return replace(event, status=EventStatus.HELD, reason=reason)
    trying = replace(event, try_count=event.try_count + 1, try_after=lease_until)
    if event.status == EventStatus.CANCELING:
        return trying
    if is_too_old(event.at, now):
        # Tried before and not answered: it may count, so that is not all that is to be said.
        reason = Reason.TOO_OLD if first is None else Reason.UNANSWERED
        return replace(event, status=EventStatus.HELD, reason=reason)
    if customer is None:
        return replace(event, status=EventStatus.PARKED, try_after=now + PARKED_FOR)
    return replace(
        trying, status=EventStatus.UNKNOWN, customer=customer, first_tried_at=first or now
    )


def after_answer(event: ToldEvent, answer: Answer, at: datetime) -> ToldEvent:
    """Return how an event stands after a try; `event` is as it was written before the try."""
    if event.status == EventStatus.CANCELING:
        return _after_taking_back(event, answer, at)
    match answer:
        case Taken():
            return replace(event, status=EventStatus.SENT, sent_at=at, reason=None)
        case Refused(code):
            return replace(event, status=EventStatus.REFUSED, reason=code)
        case Away() if event.try_count == 1:
            # Nothing was ever sent: its day has not begun.
            return replace(
                event,
                status=EventStatus.QUEUED,
                try_count=0,
                first_tried_at=None,
                customer=None,
                try_after=at,
            )
        case Away() | Unclear():
            return replace(event, try_after=at + again_after(event.try_count))


def _after_taking_back(event: ToldEvent, answer: Answer, at: datetime) -> ToldEvent:
    match answer:
        case Taken():
            return replace(event, status=EventStatus.CANCELED)
        case Refused(code):
            # It counts on; the reason keeps it from being taken back for ever.
            return replace(event, status=EventStatus.SENT, reason=code)
        case Away() | Unclear():
            return replace(event, try_after=at + again_after(event.try_count))


def again_after(try_count: int) -> timedelta:
    """Return the wait after so many tries without a clear answer."""
    doubled = AGAIN_FIRST * (1 << min(try_count - 1, AGAIN_DOUBLINGS_MAX))
    return min(doubled, timedelta(hours=1))
