"""The two machines of money that goes back, each on one screen: a refund's wish, and a dispute.

What a pair does not name is no move. A dispute's news may come in any order and any number of
times: lesser or older news changes nothing.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from tallystick.credit_notes.model import DisputeStatus, RefundStatus
from tallystick.kernel.errors import Conflict


class RefundEvent(StrEnum):
    """What can happen to the wish to pay back."""

    START = "start"
    """A gateway is asked."""
    PART = "part"
    """Some of it was paid back."""
    WHOLE = "whole"
    """All of it was."""
    HAND_OVER = "hand_over"
    """No gateway is asked any more; the rest is a person's."""
    COME_BACK = "come_back"
    """A part that was paid back failed after all."""
    CANCEL = "cancel"
    """Its note was voided."""


_R = RefundStatus
_E = RefundEvent
REFUND_TRANSITIONS: Final[Mapping[tuple[RefundStatus, RefundEvent], RefundStatus]] = {
    (_R.REQUESTED, _E.START): _R.PROCESSING,
    (_R.REQUESTED, _E.PART): _R.REQUESTED,
    (_R.REQUESTED, _E.WHOLE): _R.MADE,
    (_R.REQUESTED, _E.HAND_OVER): _R.REQUESTED,
    (_R.REQUESTED, _E.COME_BACK): _R.REQUESTED,
    (_R.REQUESTED, _E.CANCEL): _R.CANCELED,
    (_R.PROCESSING, _E.PART): _R.PROCESSING,
    (_R.PROCESSING, _E.WHOLE): _R.MADE,
    (_R.PROCESSING, _E.HAND_OVER): _R.REQUESTED,
    (_R.PROCESSING, _E.COME_BACK): _R.PROCESSING,
    (_R.MADE, _E.COME_BACK): _R.REQUESTED,
}

_D = DisputeStatus
# (what is known, the news) -> what is known then.
DISPUTE_TRANSITIONS: Final[Mapping[tuple[DisputeStatus, DisputeStatus], DisputeStatus]] = {
    (_D.WARNING, _D.OPENED): _D.OPENED,
    (_D.WARNING, _D.WON): _D.WON,
    (_D.WARNING, _D.LOST): _D.LOST,
    (_D.OPENED, _D.WON): _D.WON,
    (_D.OPENED, _D.LOST): _D.LOST,
}
TAKEN: Final = frozenset({_D.OPENED, _D.LOST})
"""Where the money is with the bank."""


def move_refund(was: RefundStatus, event: RefundEvent) -> RefundStatus:
    """Return the next status; raises Conflict `refund_canceled`, `refund_made`, `..._processing`.

    A wish that is under way at a gateway can be made by nobody else.
    """
    after = REFUND_TRANSITIONS.get((was, event))
    if after is None:
        raise no_move(was)
    return after


def no_move(was: RefundStatus) -> Conflict:
    """Return the error for what can not happen to a wish in this status."""
    return Conflict(f"refund_{was}", _SENTENCES[was])


def move_dispute(was: DisputeStatus, news: DisputeStatus) -> DisputeStatus | None:
    """Return what is known now, None when the news is old; raises Conflict `dispute_ended`.

    That is where a bank says of one that was won that it is lost, or the other way.
    """
    if {was, news} == {_D.WON, _D.LOST}:
        raise Conflict("dispute_ended", f"The dispute was {was} already.")
    return DISPUTE_TRANSITIONS.get((was, news))


_SENTENCES: Final[Mapping[RefundStatus, str]] = {
    _R.REQUESTED: "The refund waits to be made.",
    _R.PROCESSING: "The refund is under way at its gateway; wait for its answer.",
    _R.MADE: "The refund was made already.",
    _R.CANCELED: "The credit note was voided; nothing is to be paid back.",
}
