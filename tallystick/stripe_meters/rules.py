"""What an hour's total means for what Stripe was told of it: pure.

Sums: what is missing is told in one more event. What is too much can not be told, for a negative
value means nothing to a meter at Stripe: whole events are taken back, the newest first, and the
rest is told anew; where they are too old for that, a person has to see to it.

10 sent at noon, 7 after a correction: the event of 10 is taken back, one of 7 is sent. A day later
it can not be taken back: an event of -3 is held, and Stripe keeps 3 too much until somebody acts.

Last values: a changed one is told in one more event of a later second of the hour.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec
from msgspec.structs import replace

from tallystick.catalog.model import Meter
from tallystick.money.exact import add, subtract
from tallystick.money.exact import total as summed
from tallystick.stripe_meters.model import (
    HOUR,
    IDENTIFIER_KEPT,
    PAST_MAX,
    Decision,
    EventStatus,
    Formula,
    Reason,
    ToldEvent,
)

FORMULAS: Final[dict[str, Formula]] = {"sum": "sum", "count": "sum", "latest": "last"}
"""How Stripe has to add up what our aggregations tell by hours: counts are added, too."""
NEVER_TRIED: Final = frozenset({EventStatus.PARKED, EventStatus.QUEUED})
TOLD: Final = frozenset(
    {
        EventStatus.PARKED,
        EventStatus.QUEUED,
        EventStatus.UNKNOWN,
        EventStatus.SENT,
        EventStatus.REFUSED,
        EventStatus.HELD,
        EventStatus.SETTLED,
    }
)
"""What stands for a part of its hour's total, whether it has arrived or a person sees to it."""
ON_THE_WAY: Final = frozenset({EventStatus.UNKNOWN, EventStatus.CANCELING})
AGE_MARGIN: Final = timedelta(hours=1)
_SECONDS: Final = 3600
_ZERO: Final = Decimal(0)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done about an hour; `waits`: something is on its way, look again later.

    `replace`: events that never counted, `take_back`: events to be taken back at Stripe, `add`: the
    value of one more event. `hold`: a value, at which a person has to look for this reason.
    """

    replace: tuple[ToldEvent, ...] = ()
    take_back: tuple[ToldEvent, ...] = ()
    add: Decimal | None = None
    hold: tuple[Decimal, Reason] | None = None
    waits: bool = False


def formula_of(meter: Meter) -> Formula | None:
    """Return how Stripe has to add up a meter's hours; None: hours of it can not be added up.

    The different users of two hours may be the same ones, and a highest value is no sum. What a
    recurring meter holds over from hour to hour would count in each.
    """
    return None if meter.recurring else FORMULAS.get(meter.aggregation)


def plan(formula: Formula, total: Decimal | None, told: Sequence[ToldEvent], now: datetime) -> Plan:
    """Return what to do so that Stripe has the hour's total; None: nothing was used.

    `told` are the hour's events for one meter at Stripe, in the order of their revisions.
    """
    if formula == "last":
        return _plan_last(total, told, now)
    return _plan_sum(total if total is not None else _ZERO, told, now)


def _plan_sum(total: Decimal, told: Sequence[ToldEvent], now: datetime) -> Plan:
    counting = [event for event in told if event.status in TOLD]
    excess = [e for e in counting if e.status == EventStatus.HELD and e.value < 0]
    rest = [event for event in counting if event not in excess]
    missing = subtract(total, summed(event.value for event in rest))
    if missing >= 0:
        return Plan(replace=tuple(excess), add=missing or None)
    if any(event.status in ON_THE_WAY for event in told):
        return Plan(waits=True)
    taken, left = _taken_back(rest, missing, now)
    if not taken and summed(event.value for event in excess) == missing:
        return Plan()
    done = _without(taken, excess)
    if left < 0:
        return replace(done, hold=(left, Reason.TOO_MUCH))
    return replace(done, add=left or None)


def _plan_last(value: Decimal | None, told: Sequence[ToldEvent], now: datetime) -> Plan:
    counting = [event for event in told if event.status in TOLD]
    newest = counting[-1] if counting else None
    is_withdrawn = newest is None or newest.reason == Reason.WITHDRAWN
    if value is None:
        return Plan() if is_withdrawn else _plan_nothing(counting, told, now)
    if newest is not None and newest.value == value and not is_withdrawn:
        return Plan()
    stale = tuple(event for event in counting if _never_counted(event))
    if value < 0:
        return Plan(replace=stale, hold=(value, Reason.NEGATIVE))
    return Plan(replace=stale, add=value)


def _plan_nothing(counting: list[ToldEvent], told: Sequence[ToldEvent], now: datetime) -> Plan:
    """Return how an hour comes to have no last value any more."""
    if any(event.status in ON_THE_WAY for event in told):
        return Plan(waits=True)
    if all(_can_take_back(event, now) for event in counting):
        return _without(counting, [])
    return Plan(hold=(_ZERO, Reason.WITHDRAWN))


def _taken_back(
    events: Sequence[ToldEvent], missing: Decimal, now: datetime
) -> tuple[list[ToldEvent], Decimal]:
    """Return the newest events that have to go until nothing is too much, and what lacks then."""
    taken: list[ToldEvent] = []
    for event in reversed(events):
        if missing >= 0:
            break
        if event.value > 0 and _can_take_back(event, now):
            taken.append(event)
            missing = add(missing, event.value)
    return taken, missing


def _without(taken: Iterable[ToldEvent], excess: Iterable[ToldEvent]) -> Plan:
    taken = list(taken)
    free = [event for event in taken if _never_counted(event)]
    sent = [event for event in taken if not _never_counted(event)]
    return Plan(replace=(*excess, *free), take_back=tuple(sent))


def _never_counted(event: ToldEvent) -> bool:
    """Tell whether Stripe certainly does not count the event."""
    if event.status in NEVER_TRIED or event.status == EventStatus.REFUSED:
        return True
    return event.status == EventStatus.HELD and event.first_tried_at is None


def _can_take_back(event: ToldEvent, now: datetime) -> bool:
    if _never_counted(event):
        return True
    return (
        event.status == EventStatus.SENT
        and event.reason is None
        and event.first_tried_at is not None
        and now < event.first_tried_at + IDENTIFIER_KEPT
    )


def decided(event: ToldEvent, decision: Decision, now: datetime) -> ToldEvent | None:
    """Return how an event stands after a person's decision; None: it can not be made of this one.

    What Stripe has too much can only be settled: there is no event to count or not to count.
    """
    if event.status not in {EventStatus.REFUSED, EventStatus.HELD}:
        return None
    if decision == "settled":
        return replace(event, status=EventStatus.SETTLED)
    is_told = event.first_tried_at is not None
    if decision == "counted":
        return replace(event, status=EventStatus.SENT, sent_at=now) if is_told else None
    return replace(event, status=EventStatus.REPLACED)


def event_time(hour: datetime, revision: int) -> datetime:
    """Return when an event says that it happened: a second later for each revision of its hour.

    So of two last values the later told one is the last. After an hour's seconds all stay at 3599.
    """
    return hour + timedelta(seconds=min(revision - 1, _SECONDS - 1))


def is_too_old(at: datetime, now: datetime) -> bool:
    """Tell whether Stripe would not take an event of this time any more."""
    return at < now - PAST_MAX + AGE_MARGIN


def look_after(hour: datetime, now: datetime, lag: timedelta, late_lag: timedelta) -> datetime:
    """Return when an hour's total is read for Stripe: settled, and late usage gathered."""
    return max(hour + HOUR + lag, now + late_lag)
