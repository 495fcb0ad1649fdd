"""What a price asks of its meter: pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tallystick.catalog.model import Meter
from tallystick.kernel.errors import FieldError
from tallystick.pricing.charges import is_metered, needs_of_all
from tallystick.pricing.filters import filter_properties
from tallystick.pricing.in_advance import bills_as_it_comes
from tallystick.pricing.model import DynamicPrice, PercentagePrice, Price
from tallystick.pricing.prorated import PRORATED

MERGEABLE: Final = frozenset({"sum", "count", "weighted_sum", "max", "min"})
"""Of these the usage of a filter follows from that of its values; not of a latest value."""
BY_EVENT: Final = frozenset({"sum", "count"})
"""Of these each event has an amount of its own."""
GROWING: Final = frozenset({"sum", "count", "unique_count"})
"""Of these each event adds to the quantity: they can be billed as they come."""
HELD: Final = frozenset({"sum", "unique_count"})
"""Of these a day has a number of units, when they are recurring."""


def price_meter_problems(
    prices: Sequence[Price], meters: Mapping[str, Meter]
) -> Iterator[FieldError]:
    """Yield what the meters of these prices can not tell, such as usage by a property.

    `meters` go by code; a price without its meter is told elsewhere.
    """
    for at, price in enumerate(prices):
        meter = meters.get(price.meter or "")
        if meter is not None and is_metered(price):
            yield from _part_problems(f"prices[{at}]", price, meter)
            yield from _event_problems(f"prices[{at}]", price, meter)
            yield from _day_problems(f"prices[{at}]", price, meter)
            yield from _advance_problems(f"prices[{at}]", price, meter)


def _part_problems(field: str, price: Price, meter: Meter) -> Iterator[FieldError]:
    for at, name in enumerate(price.group_by):
        if name not in meter.group_by:
            message = f"the meter {meter.code} is not grouped by {name}"
            yield FieldError(f"{field}.group_by[{at}]", "not_grouped", message)
    for name in filter_properties(price):
        if name not in meter.group_by:
            message = f"the meter {meter.code} is not grouped by {name}"
            yield FieldError(f"{field}.filters", "not_grouped", message)
    if price.filters and meter.aggregation not in MERGEABLE:
        message = f"a {meter.aggregation} can not be told apart by filters"
        yield FieldError(f"{field}.filters", "meter_not_additive", message)


def _event_problems(field: str, price: Price, meter: Meter) -> Iterator[FieldError]:
    is_by_event = isinstance(price, DynamicPrice) or (
        isinstance(price, PercentagePrice) and needs_of_all(price) != "quantity"
    )
    if is_by_event and (meter.aggregation not in BY_EVENT or meter.recurring):
        message = "must be a sum or a count that is not recurring: the price is by single events"
        yield FieldError(f"{field}.meter", "meter_not_additive", message)


def _day_problems(field: str, price: Price, meter: Meter) -> Iterator[FieldError]:
    if not price.prorate:
        return
    if not meter.recurring or meter.aggregation not in HELD:
        message = "usage is paid by the day where its meter is recurring, a sum or unique count"
        yield FieldError(f"{field}.prorate", "not_recurring", message)
    elif not isinstance(price, PRORATED):
        message = "only per_unit, graduated and volume prices are paid by the day"
        yield FieldError(f"{field}.prorate", "invalid", message)


def _advance_problems(field: str, price: Price, meter: Meter) -> Iterator[FieldError]:
    if not bills_as_it_comes(price):
        return
    if meter.aggregation not in GROWING:
        message = f"a {meter.aggregation} is known when the period has ended: in_arrears"
        yield FieldError(f"{field}.billing", "usage_in_advance", message)
    elif meter.recurring and not price.prorate:
        message = "what carries over is paid in advance by the day: set prorate"
        yield FieldError(f"{field}.billing", "usage_in_advance", message)
