"""The two machines of this capability, each on one screen, and how patiently answers are awaited.

What a pair does not name is no move: old or lesser news, which changes nothing. Only so may the
answer, the webhook and the look-up come in any order and any number of times.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from tallystick.kernel.due import retry_after
from tallystick.payments.model import AttemptOutcome, PaymentStatus
from tallystick.payments.outcomes import Declined, NeedsAction, Outcome, Pending, Succeeded


class PaymentEvent(StrEnum):
    """What can happen to a payment."""

    START = "start"
    SUCCEED = "succeed"
    DECLINE = "decline"
    CANCEL = "cancel"


_P = PaymentStatus
_E = PaymentEvent
# Money that arrives is taken from every state before it: a failed or cancelled wish may succeed
# when the payer confirms an old page after all.
PAYMENT_TRANSITIONS: Final[Mapping[tuple[PaymentStatus, PaymentEvent], PaymentStatus]] = {
    (_P.PENDING, _E.START): _P.PROCESSING,
    (_P.PENDING, _E.DECLINE): _P.FAILED,
    (_P.PENDING, _E.CANCEL): _P.CANCELLED,
    (_P.PENDING_APPROVAL, _E.SUCCEED): _P.SUCCEEDED,
    (_P.PENDING_APPROVAL, _E.DECLINE): _P.FAILED,
    (_P.PENDING_APPROVAL, _E.CANCEL): _P.CANCELLED,
    (_P.PROCESSING, _E.SUCCEED): _P.SUCCEEDED,
    (_P.PROCESSING, _E.DECLINE): _P.FAILED,
    (_P.PROCESSING, _E.CANCEL): _P.CANCELLED,
    (_P.FAILED, _E.SUCCEED): _P.SUCCEEDED,
    (_P.CANCELLED, _E.SUCCEED): _P.SUCCEEDED,
}

_A = AttemptOutcome
# (what is known, the news) -> what is known then.
ATTEMPT_TRANSITIONS: Final[Mapping[tuple[AttemptOutcome, AttemptOutcome], AttemptOutcome]] = {
    (_A.CREATED, _A.SUCCEEDED): _A.SUCCEEDED,
    (_A.CREATED, _A.DECLINED): _A.DECLINED,
    (_A.CREATED, _A.NEEDS_ACTION): _A.NEEDS_ACTION,
    (_A.CREATED, _A.PENDING): _A.PENDING,
    (_A.CREATED, _A.UNKNOWN): _A.UNKNOWN,
    (_A.UNKNOWN, _A.SUCCEEDED): _A.SUCCEEDED,
    (_A.UNKNOWN, _A.DECLINED): _A.DECLINED,
    (_A.UNKNOWN, _A.NEEDS_ACTION): _A.NEEDS_ACTION,
    (_A.UNKNOWN, _A.PENDING): _A.PENDING,
    (_A.PENDING, _A.SUCCEEDED): _A.SUCCEEDED,
    (_A.PENDING, _A.DECLINED): _A.DECLINED,
    (_A.PENDING, _A.NEEDS_ACTION): _A.NEEDS_ACTION,
    (_A.NEEDS_ACTION, _A.SUCCEEDED): _A.SUCCEEDED,
    (_A.NEEDS_ACTION, _A.DECLINED): _A.DECLINED,
    (_A.NEEDS_ACTION, _A.PENDING): _A.PENDING,
    (_A.DECLINED, _A.SUCCEEDED): _A.SUCCEEDED,
}
LIVE_ATTEMPTS: Final = frozenset({_A.CREATED, _A.UNKNOWN, _A.PENDING, _A.NEEDS_ACTION})
LIVE_PAYMENTS: Final = frozenset({_P.PENDING, _P.PENDING_APPROVAL, _P.PROCESSING})

CALL_MAX: Final = timedelta(seconds=100)
"""How long one call may take: three tries of 25 s, waits between, and some to spare."""
LEASE: Final = timedelta(seconds=120)
"""For how long nobody else asks about an attempt: the call is over by then, whatever happens."""

_PATIENCE_FIRST: Final = timedelta(hours=1)
_PATIENCE_MAX: Final = timedelta(hours=24)


def move_payment(was: PaymentStatus, event: PaymentEvent) -> PaymentStatus | None:
    """Return the next status, or None when the event changes nothing."""
    return PAYMENT_TRANSITIONS.get((was, event))


def move_attempt(was: AttemptOutcome, news: AttemptOutcome) -> AttemptOutcome | None:
    """Return what is known now, or None when the news is old or says less."""
    return ATTEMPT_TRANSITIONS.get((was, news))


def outcome_name(outcome: Outcome) -> AttemptOutcome:
    """Return how a gateway's outcome is kept."""
    if isinstance(outcome, Succeeded):
        return _A.SUCCEEDED
    if isinstance(outcome, Declined):
        return _A.DECLINED
    if isinstance(outcome, NeedsAction):
        return _A.NEEDS_ACTION
    return _A.PENDING if isinstance(outcome, Pending) else _A.UNKNOWN


def payment_event(outcome: Outcome) -> PaymentEvent | None:
    """Return what an attempt's outcome means for its payment; None: it goes on."""
    if isinstance(outcome, Succeeded):
        return _E.SUCCEED
    if isinstance(outcome, Declined):
        return _E.CANCEL if outcome.code == "cancelled" else _E.DECLINE
    return None


def next_look(outcome: AttemptOutcome, look_count: int, wall: datetime) -> datetime | None:
    """Return when to look next; None: nothing is open.

    Without an answer: 2 s, 4 s, 8 s … at most an hour. Where days or a person are awaited the
    webhook brings the news; the look is for the one that was lost: 1 h, 2 h, 4 h … at most a day.
    """
    if outcome not in LIVE_ATTEMPTS:
        return None
    if outcome in {_A.CREATED, _A.UNKNOWN}:
        return retry_after(wall, look_count + 1)
    return wall + min(_PATIENCE_FIRST * (1 << min(look_count, 5)), _PATIENCE_MAX)
