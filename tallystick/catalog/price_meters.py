"""What a price asks of its meter: pure."""

from collections.abc import Iterator, Mapping, Sequence

from tallystick.catalog.model import Meter
from tallystick.kernel.errors import FieldError
from tallystick.pricing.model import Price


def price_meter_problems(
    prices: Sequence[Price], meters: Mapping[str, Meter]
) -> Iterator[FieldError]:
    """Yield what the meters of these prices can not tell, such as usage by a property.

    `meters` go by code; a price without its meter is told elsewhere.
    """
    for at, price in enumerate(prices):
        meter = meters.get(price.meter or "")
        if meter is not None:
            yield from _group_problems(f"prices[{at}]", price, meter)


def _group_problems(field: str, price: Price, meter: Meter) -> Iterator[FieldError]:
    for at, name in enumerate(price.group_by):
        if name in price.group_by[:at]:
            yield FieldError(f"{field}.group_by[{at}]", "repeated", "stands there already")
        elif name not in meter.group_by:
            message = f"the meter {meter.code} is not grouped by {name}"
            yield FieldError(f"{field}.group_by[{at}]", "not_grouped", message)
