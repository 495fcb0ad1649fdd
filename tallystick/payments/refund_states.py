"""What becomes of one refund at a gateway: the whole machine, and how patiently it is awaited.

What a pair does not name is no move: old or lesser news. Declined is for good; what had succeeded
may still be declined days later, when the payer's bank sends it back.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from tallystick.payments import lifecycle
from tallystick.payments.model import AttemptOutcome
from tallystick.payments.outcomes import Declined, Outcome, Succeeded, Unknown
from tallystick.payments.refund_model import RefundAttempt

_A = AttemptOutcome
# (what is known, the news) -> what is known then.
TRANSITIONS: Final[Mapping[tuple[AttemptOutcome, AttemptOutcome], AttemptOutcome]] = {
    (_A.CREATED, _A.SUCCEEDED): _A.SUCCEEDED,
    (_A.CREATED, _A.DECLINED): _A.DECLINED,
    (_A.CREATED, _A.PENDING): _A.PENDING,
    (_A.CREATED, _A.UNKNOWN): _A.UNKNOWN,
    (_A.UNKNOWN, _A.SUCCEEDED): _A.SUCCEEDED,
    (_A.UNKNOWN, _A.DECLINED): _A.DECLINED,
    (_A.UNKNOWN, _A.PENDING): _A.PENDING,
    (_A.PENDING, _A.SUCCEEDED): _A.SUCCEEDED,
    (_A.PENDING, _A.DECLINED): _A.DECLINED,
    (_A.SUCCEEDED, _A.DECLINED): _A.DECLINED,
}
LIVE: Final = frozenset({_A.CREATED, _A.UNKNOWN, _A.PENDING})


def news_of(outcome: Outcome) -> AttemptOutcome:
    """Return how a gateway's outcome is kept; a payer who has to act is waited for."""
    name = lifecycle.outcome_name(outcome)
    return _A.PENDING if name is _A.NEEDS_ACTION else name


def apply_news(was: RefundAttempt, outcome: Outcome, wall: datetime) -> RefundAttempt | None:
    """Return what is known of a refund then; None when the news is old or says less."""
    state = TRANSITIONS.get((was.outcome, news_of(outcome)))
    if state is None:
        return None
    return replace(
        was,
        outcome=state,
        gateway_reference=outcome.reference or was.gateway_reference,
        code=outcome.code if isinstance(outcome, Declined | Unknown) else None,
        resolve_after=lifecycle.next_look(state, was.resolve_count, wall),
        ended_at=None if state in LIVE else wall,
    )


def contradiction(was: RefundAttempt, outcome: Outcome) -> str | None:
    """Return why an outcome can not be true of this refund; a person has to look then."""
    known = was.gateway_reference
    if known is not None and outcome.reference not in {None, known}:
        return "reference_differs"
    if isinstance(outcome, Succeeded) and outcome.amount != was.amount:
        return "amount_differs"
    told_late = was.outcome is _A.DECLINED and isinstance(outcome, Succeeded)
    if told_late and known is None:
        # Refused without a name, and now there is one: the money went, and nobody counts on it.
        return "refund_declined_before"
    return None
