"""When a card expires, and when its holder is told of it. Pure.

A card can be used until the end of the month that is printed on it; read in UTC.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from tallystick.payments.model import PaymentMethod
from tallystick.payments.requests import Card

TOLD_DAYS_BEFORE: Final = (30, 7)
_MONTHS: Final = 12
_YEARS: Final = range(2000, 9999)


class Watched(msgspec.Struct, frozen=True):
    """What is to be told of a card now, and when to look again; None: never.

    `days` is the stage that is reached: 30 or 7 days are left at most, 0: it has expired. None:
    nothing is to be told yet.
    """

    days: int | None
    watch_at: datetime | None


def expires_at(card: Card | None) -> datetime | None:
    """Return the first instant at which the card can not be used; None: it is not known."""
    if card is None or card.exp_year not in _YEARS or not 1 <= card.exp_month <= _MONTHS:
        return None
    year, month = divmod(card.exp_year * _MONTHS + card.exp_month, _MONTHS)
    return datetime(year, month + 1, 1, tzinfo=UTC)


def is_expired(method: PaymentMethod, now: datetime) -> bool:
    """Tell whether the method is a card that can not be used any more."""
    end = expires_at(method.card)
    return end is not None and end <= now


def first_watch(card: Card | None) -> datetime | None:
    """Return when something is to be told of a card for the first time."""
    end = expires_at(card)
    return None if end is None else end - timedelta(days=TOLD_DAYS_BEFORE[0])


def watched(card: Card | None, now: datetime) -> Watched:
    """Return what is to be told now: the last stage that is reached, each once.

    One that was saved five days before its end is told of once before it, not twice.
    """
    end = expires_at(card)
    if end is None:
        return Watched(None, None)
    if end <= now:
        return Watched(0, None)
    stages = [(days, end - timedelta(days=days)) for days in TOLD_DAYS_BEFORE]
    reached = [days for days, at in stages if at <= now]
    ahead = [at for _, at in (*stages, (0, end)) if at > now]
    return Watched(reached[-1] if reached else None, ahead[0])
