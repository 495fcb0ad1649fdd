"""From what is kept of a period to its quantity: pure, exact, and rounded at most once.

A mean, over events or over time, has 12 decimals, a tie away from zero; all else is exact.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final

import msgspec

from tallystick.catalog.expression import DECIMALS, round_down, round_half_away, round_up
from tallystick.catalog.model import Meter, Rounding
from tallystick.money.exact import add, canonical, multiply

ZERO: Final = Decimal(0)
_MICROSECOND: Final = timedelta(microseconds=1)


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What the values of some events of a period come to; states of parts can be merged.

    `integral` is the sum of value times seconds from the event to the period's end, None where
    the meter's aggregation does not need it; so `low`, `high` and `last`.
    """

    event_count: int = 0
    total: Decimal = ZERO
    low: Decimal | None = None
    high: Decimal | None = None
    last: Decimal | None = None
    integral: Decimal | None = None


NOTHING: Final = State()


def quantity(meter: Meter, state: State, start: datetime, end: datetime) -> Decimal:
    """Return the quantity of the half-open [start, end), not yet rounded; zero of no events."""
    match meter.aggregation:
        case "max":
            found = state.high
        case "min":
            found = state.low
        case "latest":
            found = state.last
        case "average":
            count = state.event_count
            found = round_half_away(Fraction(state.total) / count, DECIMALS) if count else ZERO
        case "weighted_sum":
            found = _mean_level(state.integral or ZERO, end - start)
        case _:
            found = state.total
    return canonical(found or ZERO)


def rounded(rounding: Rounding | None, value: Decimal) -> Decimal:
    """Return a quantity as the meter rounds it."""
    if rounding is None:
        return value
    match rounding.mode:
        case "ceil":
            found = round_up(value, rounding.precision)
        case "floor":
            found = round_down(value, rounding.precision)
        case _:
            found = round_half_away(Fraction(value), rounding.precision)
    return canonical(found)


def followed(before: State, state: State, start: datetime, end: datetime) -> State:
    """Return the state of a period with all that was before it: what recurring meters count."""
    held = multiply(before.total, _seconds(end - start))
    return State(
        event_count=before.event_count + state.event_count,
        total=add(before.total, state.total),
        last=before.last if state.last is None else state.last,
        integral=add(held, state.integral or ZERO),
    )


def _mean_level(integral: Decimal, length: timedelta) -> Decimal:
    if length <= timedelta(0):
        return ZERO
    return round_half_away(Fraction(integral) / Fraction(_seconds(length)), DECIMALS)


def _seconds(length: timedelta) -> Decimal:
    return Decimal(length // _MICROSECOND).scaleb(-6)
