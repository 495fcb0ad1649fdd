"""Whether usage stays within its limits: pure.

A limit counts in a window: the billing period, a day of the account's time zone, or a minute. What
is asked for passes if it fits into every hard limit; soft ones only tell.
"""

from collections.abc import Mapping, MutableMapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from tallystick.catalog.model import LimitKind, LimitPeriod, Meter
from tallystick.metering.values import number_of
from tallystick.money.exact import add, canonical, subtract

Origin = Literal["plan", "account"]
ADDITIVE: Final = frozenset({"sum", "count"})
ZERO: Final = Decimal(0)

Slot = tuple[UUID, UUID, datetime, datetime]
"""Account, meter, start and end of a window: what one counter counts."""


class AppliedLimit(msgspec.Struct, frozen=True, kw_only=True):
    """A limit in the window [start, end) (UTC); `origin` says whose it is."""

    limit: Decimal
    per: LimitPeriod
    kind: LimitKind
    origin: Origin
    start: datetime
    end: datetime


class Ask(msgspec.Struct, frozen=True):
    """So much more of a meter, under these limits."""

    account_id: UUID
    meter: Meter
    quantity: Decimal
    limits: tuple[AppliedLimit, ...]

    def slot(self, limit: AppliedLimit) -> Slot:
        """Return the counter that a limit looks at."""
        return self.account_id, self.meter.meter_id, limit.start, limit.end


class LimitState(msgspec.Struct, frozen=True, kw_only=True):
    """How a limit stands: `used` in its window, and whether what was asked for fits (`allowed`)."""

    meter: str
    limit: Decimal
    per: LimitPeriod
    kind: LimitKind
    origin: Origin
    used: Decimal
    allowed: bool
    starts_at: datetime
    resets_at: datetime

    @property
    def remaining(self) -> Decimal:
        """What may still be used, never below zero."""
        return canonical(max(subtract(self.limit, self.used), ZERO))

    @property
    def refuses(self) -> bool:
        """Whether it stands in the way."""
        return self.kind == "hard" and not self.allowed


def slots(asks: Sequence[Ask]) -> frozenset[Slot]:
    """Return every counter that is needed to judge these."""
    return frozenset(ask.slot(limit) for ask in asks for limit in ask.limits)


def judge(asks: Sequence[Ask], used: Mapping[Slot, Decimal]) -> tuple[LimitState, ...]:
    """Return how each limit stands and whether what is asked for fits into it."""
    return tuple(
        _state(ask, limit, used.get(ask.slot(limit), ZERO)) for ask in asks for limit in ask.limits
    )


def is_allowed(states: Sequence[LimitState]) -> bool:
    """Tell whether no hard limit stands in the way."""
    return not any(state.refuses for state in states)


def count(asks: Sequence[Ask], used: MutableMapping[Slot, Decimal]) -> None:
    """Add what was asked for to the counters, once to each."""
    for ask in asks:
        for slot in {ask.slot(limit) for limit in ask.limits}:
            used[slot] = add(used.get(slot, ZERO), ask.quantity)


def after(states: Sequence[LimitState], asks: Sequence[Ask]) -> tuple[LimitState, ...]:
    """Return how the limits stand when what was asked for is used."""
    quantities = {ask.meter.code: ask.quantity for ask in asks}
    return tuple(
        msgspec.structs.replace(state, used=canonical(add(state.used, quantities[state.meter])))
        for state in states
    )


def tightest(states: Sequence[LimitState]) -> LimitState | None:
    """Return the limit that leaves least, a hard one before a soft one; None without limits."""
    return min(states, key=lambda one: (one.kind == "soft", one.remaining), default=None)


def throttled_until(states: Sequence[LimitState], now: datetime) -> datetime | None:
    """Return when to come back if only running minutes stand in the way, else None."""
    refusing = [state for state in states if state.refuses]
    if not refusing or any(state.per != "minute" or state.resets_at <= now for state in refusing):
        return None
    return max(state.resets_at for state in refusing)


def is_additive(meter: Meter) -> bool:
    """Tell whether N more of this meter is its total and N: a sum or a count."""
    return meter.aggregation in ADDITIVE


def added_by(meter: Meter, properties: Mapping[str, Any]) -> Decimal:
    """Return what an event with these properties adds to an additive meter; zero if nothing."""
    return number_of(meter, properties) or ZERO


def _state(ask: Ask, limit: AppliedLimit, used: Decimal) -> LimitState:
    return LimitState(
        meter=ask.meter.code,
        limit=limit.limit,
        per=limit.per,
        kind=limit.kind,
        origin=limit.origin,
        used=canonical(used),
        allowed=add(used, ask.quantity) <= limit.limit,
        starts_at=limit.start,
        resets_at=limit.end,
    )
