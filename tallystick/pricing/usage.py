"""What was used, as a price may need it: a quantity, single events, or a summary of them.

Lists of events are read once and in order, so they may be generators. A summary rates the same as
the events that it sums up; `EventTally` and `DynamicSum` are what a line keeps in their stead.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Literal, assert_never

import msgspec

from tallystick.kernel.errors import BadInput
from tallystick.pricing.bounds import used_problem, used_quantity
from tallystick.pricing.model import (
    BlockPrice,
    CapacityPrice,
    DynamicPrice,
    FlatPrice,
    GraduatedPercentagePrice,
    GraduatedPrice,
    PackagePrice,
    PercentagePrice,
    PerUnitPrice,
    Price,
    VolumePrice,
)

Need = Literal["nothing", "quantity", "quantity_and_count", "events", "dynamic"]
"""What a price must know: no usage; a quantity; how many events made it too; the amount of each
event, in order; what the events say that they cost."""

_ONE = Decimal(1)


class QuantityUsage(msgspec.Struct, frozen=True, kw_only=True, tag="quantity"):
    """So many units; `event_count` says of how many events, where that is known."""

    quantity: Decimal
    event_count: int | None = None


class EventsUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The amount of each event, in the order of time: what a percentage is taken of."""

    amounts: Iterable[Decimal]


class EventTally(msgspec.Struct, frozen=True, kw_only=True, tag="tally"):
    """Events as one percentage price sees them (`percentage.tally`); exact for that price alone.

    `quantity` and `event_count` are of all events. `free_event_count` of them were wholly free,
    and `free_quantity` of the quantity. Of what was not, `least_*` are the events that cost the
    price's min, `most_*` those that cost its max.
    """

    quantity: Decimal
    event_count: int | None
    free_quantity: Decimal
    free_event_count: int
    least_quantity: Decimal
    least_count: int
    most_quantity: Decimal
    most_count: int


class DynamicEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that says its own amount, in major units, for so many units."""

    amount: Decimal
    quantity: Decimal = _ONE


class DynamicUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Events that say what they cost."""

    events: Iterable[DynamicEvent]


class DynamicSum(msgspec.Struct, frozen=True, kw_only=True, tag="dynamic_sum"):
    """The sums over such events; `quantity` None where the units are not known."""

    amount: Decimal
    event_count: int
    quantity: Decimal | None = None


SummaryUsage = QuantityUsage | EventTally | DynamicSum
"""What can be stored, and rated again to the same digits."""
Usage = SummaryUsage | EventsUsage | DynamicUsage


def needs(price: Price) -> Need:
    """Return what must be known of the usage to rate this price."""
    match price:
        case FlatPrice():
            return "nothing"
        case DynamicPrice():
            return "dynamic"
        case PercentagePrice():
            return _percentage_needs(price)
        case (
            PerUnitPrice()
            | PackagePrice()
            | GraduatedPrice()
            | VolumePrice()
            | CapacityPrice()
            | BlockPrice()
            | GraduatedPercentagePrice()
        ):
            return "quantity"
        case _:
            assert_never(price)


def used_of(usage: Usage) -> Decimal:
    """Return the quantity that was used, in its plain form.

    Raises BadInput for usage of another kind, or a quantity that can not be rated exactly.
    """
    if isinstance(usage, QuantityUsage):
        return used_quantity(usage.quantity)
    if not isinstance(usage, msgspec.Struct):
        raise TypeError(f"usage is a Decimal or one of its structs, not {type(usage).__name__}")
    raise wrong_kind('a quantity, such as {"quantity": "12.5"}')


def checked(amounts: Iterable[Decimal]) -> Iterator[Decimal]:
    """Yield the amounts of events; raises BadInput at the first that can not be rated exactly."""
    for at, amount in enumerate(amounts):
        wrong = used_problem("events", amount)
        if wrong is not None:
            raise BadInput.field(f"events[{at}]", wrong.code, wrong.message)
        yield amount


def wrong_kind(wanted: str) -> BadInput:
    """Return the error for usage of a kind that a price can not be rated by."""
    return BadInput.field("usage", "usage_kind", f"this model needs {wanted}.")


def _percentage_needs(price: PercentagePrice) -> Need:
    has_bounds = price.event_min is not None or price.event_max is not None
    if has_bounds or price.free_events or (price.fixed and price.free_amount):
        return "events"
    return "quantity_and_count" if price.fixed else "quantity"
