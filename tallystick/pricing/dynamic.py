"""Dynamic: each event carries what it costs, and the sum is due.

As with Lago, no units cost nothing, whatever their events say. A sum below zero is nothing too.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from tallystick.kernel.errors import BadInput, FieldError
from tallystick.money.exact import add
from tallystick.pricing.bounds import used_problem, used_quantity
from tallystick.pricing.model import ZERO, DynamicPrice, Step
from tallystick.pricing.usage import (
    DynamicEvent,
    DynamicSum,
    DynamicUsage,
    Usage,
    wrong_kind,
)


def steps(usage: Usage) -> Iterator[Step]:
    """Yield the one step: the sum of what the events say. Raises BadInput for other usage."""
    given = sum_of(usage)
    quantity = None if given.quantity is None else used_quantity(given.quantity)
    yield Step(
        kind="dynamic",
        quantity=quantity,
        event_count=given.event_count,
        amount=ZERO if quantity == 0 else used_quantity(given.amount, "amount"),
    )


def sum_of(usage: Usage) -> DynamicSum:
    """Return the usage summed up: what a line stores of its events. Raises BadInput."""
    if isinstance(usage, DynamicSum):
        return usage
    if not isinstance(usage, DynamicUsage):
        raise wrong_kind('events with amounts, such as {"events": [{"amount": "0.25"}]}')
    return _sum(usage.events)


def problems(price: DynamicPrice) -> Iterator[FieldError]:
    """Yield what is wrong with the figures: there are none, so nothing can be included."""
    if price.included != 0:
        yield FieldError("included", "included_without_units", "the events say what is due.")


def _sum(events: Iterable[DynamicEvent]) -> DynamicSum:
    amount = quantity = ZERO
    count = 0
    for event in events:
        _check(event.amount, f"events[{count}].amount")
        _check(event.quantity, f"events[{count}].quantity")
        amount, quantity = add(amount, event.amount), add(quantity, event.quantity)
        count += 1
    return DynamicSum(amount=amount, event_count=count, quantity=quantity)


def _check(value: Decimal, field: str) -> None:
    wrong = used_problem(field, value)
    if wrong is not None:
        raise BadInput.field(wrong.field, wrong.code, wrong.message)
