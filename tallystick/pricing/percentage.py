"""Percentage: a share of what the events amount to, and a fixed fee for each event.

Lago's rules: of the free events and the free amount, whichever runs out first ends what is free;
an event that is free in part pays the whole fixed fee (one that just fits in is free); where the
units sum to zero no fixed fee is due; min and max bound what one event costs, its fixed fee
included. A sum below zero counts as nothing.

Events are read once and summed up (`tally`), whatever their number.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from tallystick.kernel.errors import FieldError
from tallystick.money.exact import add, canonical, multiply, shift, subtract
from tallystick.pricing.bounds import price_problems, used_quantity
from tallystick.pricing.model import ZERO, PercentagePrice, Step
from tallystick.pricing.usage import (
    EventsUsage,
    EventTally,
    QuantityUsage,
    Usage,
    checked,
    needs,
    wrong_kind,
)


def steps(price: PercentagePrice, usage: Usage) -> Iterator[Step]:
    """Yield what was free, what the rate makes of the rest, and the events at min and max.

    2% plus 0.30, the first 100 free: events of 80 and 50 are 30 at 2% plus 0.30, so 0.90. Raises
    BadInput for usage that does not tell enough.
    """
    tally = tally_of(price, usage)
    if tally.quantity < 0:
        yield Step(kind="below_zero", quantity=canonical(tally.quantity), amount=ZERO)
        tally = _counted(ZERO, None if tally.event_count is None else 0)
    if price.free_events or price.free_amount:
        yield Step(
            kind="free_events",
            quantity=canonical(tally.free_quantity),
            event_count=tally.free_event_count,
            amount=ZERO,
        )
    yield _share(price, tally)
    yield from _at_bounds(price, tally)


def tally_of(price: PercentagePrice, usage: Usage) -> EventTally:
    """Return the usage summed up for this price: what a line stores of its events.

    Raises BadInput for usage that does not tell enough: a quantity alone where events count.
    """
    need = needs(price)
    match usage:
        case EventTally():
            return usage
        case EventsUsage():
            return tally(price, usage.amounts)
        case QuantityUsage() if need == "quantity" or _is_enough(price, usage):
            quantity = used_quantity(usage.quantity)
            free = min(max(quantity, ZERO), price.free_amount)
            return _counted(quantity, usage.event_count, free)
        case _:
            raise wrong_kind('the amount of each event, such as {"events": ["10", "20"]}')


def _is_enough(price: PercentagePrice, usage: QuantityUsage) -> bool:
    """Tell whether the sum and the count of events say what they cost; of no use, they do."""
    if usage.event_count is not None and needs(price) == "quantity_and_count":
        return True
    return not usage.quantity and (price.event_min is None or usage.event_count == 0)


def tally(price: PercentagePrice, amounts: Iterable[Decimal]) -> EventTally:
    """Sum events up for this price, in one pass.

    Raises BadInput for an amount, or a sum, that can not be rated exactly.
    """
    counting = Tallying(price)
    for amount in checked(amounts):
        counting.take(amount)
    return counting.result()


class Tallying:
    """Sums events up for a price while they come in, in order; none of them is kept."""

    def __init__(self, price: PercentagePrice) -> None:
        self._free, self._total, self._count = _Allowance(price), ZERO, 0
        # Which of the two holds is known at the end: no fixed fee where the units sum to zero.
        self._usual, self._unfixed = _Bounded(price, price.fixed), _Bounded(price, ZERO)

    def take(self, amount: Decimal) -> None:
        """Count the next event, whose amount can be rated exactly."""
        self._total = add(self._total, amount)
        self._count += 1
        charged = self._free.rest_of(amount)
        if charged is not None and self._usual.is_bounded:
            self._usual.take(charged)
            self._unfixed.take(charged)

    def result(self) -> EventTally:
        """Return the summary. Raises BadInput for a sum that can not be rated exactly."""
        quantity = used_quantity(self._total)
        held = self._usual if quantity else self._unfixed
        return EventTally(
            quantity=quantity,
            event_count=self._count,
            free_quantity=self._free.quantity,
            free_event_count=self._free.event_count,
            least_quantity=held.least_quantity,
            least_count=held.least_count,
            most_quantity=held.most_quantity,
            most_count=held.most_count,
        )


def problems(price: PercentagePrice) -> Iterator[FieldError]:
    """Yield what is wrong with the figures."""
    for name in ("rate", "fixed", "free_events", "free_amount"):
        yield from price_problems(name, getattr(price, name))
    if price.free_events.is_finite() and price.free_events != price.free_events.to_integral_value():
        yield FieldError("free_events", "not_whole", "must be a whole number of events.")
    bounds = {"min": price.event_min, "max": price.event_max}
    for name, value in bounds.items():
        if value is not None:
            yield from price_problems(name, value)
    least, most = price.event_min, price.event_max
    if least is not None and most is not None and most < least:
        yield FieldError("max", "maximum_below_minimum", "must not be below the min.")
    if price.included != 0:
        yield FieldError("included", "included_without_units", "say free_amount instead.")


class _Allowance:
    """What is still free, while events go by."""

    def __init__(self, price: PercentagePrice) -> None:
        self.quantity, self.event_count = ZERO, 0
        self._events_left = price.free_events or None
        self._amount_left = price.free_amount or None
        self._is_open = bool(price.free_events or price.free_amount)

    def rest_of(self, amount: Decimal) -> Decimal | None:
        """Return what is charged of an event's amount; None: the event is wholly free."""
        if not self._is_open:
            return amount
        if self._amount_left is not None and amount > self._amount_left:
            self._is_open = False
            self.quantity = add(self.quantity, self._amount_left)
            return subtract(amount, self._amount_left)
        self.quantity = add(self.quantity, amount)
        self.event_count += 1
        if self._amount_left is not None:
            self._amount_left = subtract(self._amount_left, amount)
        if self._events_left is not None:
            self._events_left -= 1
        self._is_open = self._events_left != 0 and self._amount_left != 0
        return None


class _Bounded:
    """The events whose cost a min or max decides."""

    def __init__(self, price: PercentagePrice, fixed: Decimal) -> None:
        self._price, self._fixed = price, fixed
        self.is_bounded = price.event_min is not None or price.event_max is not None
        self.least_quantity, self.least_count = ZERO, 0
        self.most_quantity, self.most_count = ZERO, 0

    def take(self, amount: Decimal) -> None:
        """Count an event, if it costs the min or the max."""
        cost = add(_part(amount, self._price.rate), self._fixed)
        if self._price.event_min is not None and cost < self._price.event_min:
            self.least_quantity = add(self.least_quantity, amount)
            self.least_count += 1
        elif self._price.event_max is not None and cost > self._price.event_max:
            self.most_quantity = add(self.most_quantity, amount)
            self.most_count += 1


def _counted(
    quantity: Decimal, event_count: int | None, free_quantity: Decimal = ZERO
) -> EventTally:
    return EventTally(
        quantity=quantity, event_count=event_count, free_quantity=free_quantity,
        free_event_count=0, least_quantity=ZERO, least_count=0, most_quantity=ZERO, most_count=0,
    )  # fmt: skip


def _share(price: PercentagePrice, tally: EventTally) -> Step:
    bounded = add(tally.least_quantity, tally.most_quantity)
    quantity = canonical(subtract(subtract(tally.quantity, tally.free_quantity), bounded))
    count = tally.event_count
    if count is not None:
        count -= tally.free_event_count + tally.least_count + tally.most_count
    fixed = canonical(price.fixed) if tally.quantity else ZERO
    fees = multiply(Decimal(count or 0), fixed)
    return Step(
        kind="percentage",
        quantity=quantity,
        rate=canonical(price.rate),
        event_count=count,
        fixed=fixed,
        amount=canonical(add(_part(quantity, price.rate), fees)),
    )


def _at_bounds(price: PercentagePrice, tally: EventTally) -> Iterator[Step]:
    if tally.least_count and price.event_min is not None:
        yield Step(
            kind="event_min",
            quantity=canonical(tally.least_quantity),
            event_count=tally.least_count,
            unit=canonical(price.event_min),
            amount=canonical(multiply(Decimal(tally.least_count), price.event_min)),
        )
    if tally.most_count and price.event_max is not None:
        yield Step(
            kind="event_max",
            quantity=canonical(tally.most_quantity),
            event_count=tally.most_count,
            unit=canonical(price.event_max),
            amount=canonical(multiply(Decimal(tally.most_count), price.event_max)),
        )


def _part(amount: Decimal, rate: Decimal) -> Decimal:
    """Return this rate, in percent, of an amount."""
    return shift(multiply(amount, rate), -2)
