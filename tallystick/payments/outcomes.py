"""What a gateway answers when money is to move, in our words.

Outcome
├── Succeeded     the money moved: only this is booked
├── Declined      refused; nothing was taken
├── NeedsAction   the payer has to authenticate; nothing was taken yet
├── Pending       under way for days (bank debits), or waits for a person (manual)
└── Unknown       sent, no clear answer: ask again with the same key, never charge anew
"""

import msgspec

from tallystick.money.amount import Money


class Succeeded(msgspec.Struct, frozen=True, tag=True):
    """So much was received; `reference` is the gateway's name for it."""

    reference: str
    amount: Money


class Declined(msgspec.Struct, frozen=True, tag=True):
    """Refused. `code` is one of `declines.DECLINES`; hard: never try this method again."""

    code: str
    hard: bool = False
    reference: str | None = None


class NeedsAction(msgspec.Struct, frozen=True, tag=True):
    """The payer has to authenticate the charge `reference` on a page."""

    reference: str
    code: str = "authentication_required"


class Pending(msgspec.Struct, frozen=True, tag=True):
    """Accepted, and the result comes later."""

    reference: str | None = None


class Unknown(msgspec.Struct, frozen=True, tag=True):
    """Nobody can say yet; `code` says why (`no_answer`, `gateway_busy` …)."""

    code: str
    reference: str | None = None


Outcome = Succeeded | Declined | NeedsAction | Pending | Unknown
