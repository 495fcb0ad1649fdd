"""Charges and refunds of which nobody can say yet what became of them, and why.

What is under way says little in its first hour. After that an answer should have come; a bank takes
days, and a payer may never come back.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from tallystick.money.amount import Money
from tallystick.payments.model import AttemptOutcome

NO_ANSWER_AFTER: Final = timedelta(hours=1)
BANK_AFTER: Final = timedelta(days=14)
PAYER_AFTER: Final = timedelta(days=7)
SWEEP_EVERY: Final = timedelta(hours=24)
SHOWN_MAX: Final = 100


class Kind(StrEnum):
    """Which way the money was to go."""

    CHARGE = "charge"
    REFUND = "refund"


class Reason(StrEnum):
    """Why a charge or a refund is unclear."""

    AMOUNT_DIFFERS = "amount_differs"
    REFERENCE_DIFFERS = "reference_differs"
    REFUND_DECLINED_BEFORE = "refund_declined_before"
    GATEWAY_NOT_CONFIGURED = "gateway_not_configured"
    NO_ANSWER = "no_answer"
    BANK_IS_LATE = "bank_is_late"
    PAYER_IS_AWAY = "payer_is_away"


WORDS: Final = {
    Reason.AMOUNT_DIFFERS: "The gateway tells of another amount. Compare it with the gateway's own "
    "pages; nothing is booked.",
    Reason.REFERENCE_DIFFERS: "The gateway calls it by another name than it did before. Look for "
    "both on the gateway's own pages; nothing is booked.",
    Reason.REFUND_DECLINED_BEFORE: "The gateway refused this refund, and tells of it as made now. "
    "Look on the gateway's own pages; nothing is booked.",
    Reason.GATEWAY_NOT_CONFIGURED: "Nobody can ask: this gateway has no keys here any more. Set "
    "them again, or look on the gateway's own pages.",
    Reason.NO_ANSWER: "The gateway gave no clear answer yet. It is asked at least every hour, and "
    "nothing is ever sent with another key.",
    Reason.BANK_IS_LATE: "The bank takes longer than it should. It is asked every day.",
    Reason.PAYER_IS_AWAY: "The bank wants to hear the payer, who did not come back. Another "
    "payment of the invoice puts this one away.",
}


class Unclear(msgspec.Struct, frozen=True, kw_only=True):
    """One charge or refund of which nobody can say what became of it.

    `since` is when it was sent, `tried_count` how often the gateway was asked since, `next_try_at`
    when it is asked again (None: only by the sweep, once a day).
    """

    kind: Kind
    account_id: UUID
    payment_id: UUID
    gateway: str
    gateway_reference: str | None
    amount: Money
    outcome: AttemptOutcome
    code: str | None
    since: datetime
    tried_count: int
    next_try_at: datetime | None
    reason: Reason


_CONTRADICTIONS: Final = frozenset({
    Reason.AMOUNT_DIFFERS, Reason.REFERENCE_DIFFERS, Reason.REFUND_DECLINED_BEFORE
})  # fmt: skip


def reason_of(
    outcome: AttemptOutcome, code: str | None, *, is_parked: bool, is_configured: bool
) -> Reason:
    """Return why what is unclear is so."""
    if is_parked and code in _CONTRADICTIONS:
        return Reason(code)
    if not is_configured:
        return Reason.GATEWAY_NOT_CONFIGURED
    if outcome is AttemptOutcome.NEEDS_ACTION:
        return Reason.PAYER_IS_AWAY
    return Reason.BANK_IS_LATE if outcome is AttemptOutcome.PENDING else Reason.NO_ANSWER
