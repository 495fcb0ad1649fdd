"""The usage of a price by its filters and groups: which part an event or a total falls in. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import accumulate
from typing import Final

import msgspec
from msgspec.structs import replace

from tallystick.catalog.model import Meter
from tallystick.kernel.errors import Conflict
from tallystick.metering.quantities import rounded
from tallystick.metering.reads import WindowTotal
from tallystick.metering.windows import Window
from tallystick.money.exact import add, canonical
from tallystick.pricing.filters import filter_of, filter_properties
from tallystick.pricing.model import ZERO, Price
from tallystick.pricing.use import Held, Level, Use

GROUPS_MAX: Final = 1_000
"""How many parts of one price a period may have: each is a line of the invoice."""

Part = tuple[int | None, tuple[str | None, ...]]
"""The position of the filter, None: of none, and the values of the price's `group_by`."""


class PartTotal(msgspec.Struct, frozen=True):
    """The usage of a part, rounded as its meter says, and of how many events."""

    quantity: Decimal
    event_count: int


def properties_of(price: Price) -> tuple[str, ...]:
    """Return the event properties that tell the parts apart, each once."""
    return tuple(dict.fromkeys((*price.group_by, *filter_properties(price))))


def part_of(price: Price, dimensions: Mapping[str, str | None]) -> Part:
    """Return the part that usage with these properties falls in."""
    chosen = filter_of(price, dimensions)
    at = None if chosen is None else price.filters.index(chosen)
    return at, tuple(dimensions.get(name) for name in price.group_by)


def all_parts(price: Price, found: Iterable[Part]) -> list[Part]:
    """Return the parts with usage in an order that is always the same, and each filter's.

    Filters stand in their order and what none of them took is the last; where there are groups,
    only groups that were used. Raises Conflict `too_many_groups`.
    """
    parts = set(found)
    if not price.group_by:
        parts |= {(at, ()) for at in (*range(len(price.filters)), None)}
    refuse_many(price, len(parts))
    last = len(price.filters)
    return sorted(
        parts,
        key=lambda one: (last if one[0] is None else one[0], msgspec.json.encode(one[1])),
    )


def refuse_many(price: Price, part_count: int) -> None:
    """Raise Conflict `too_many_groups` for more parts than an invoice takes."""
    if part_count > max(GROUPS_MAX, len(price.filters) + 1):
        raise Conflict(
            "too_many_groups",
            f"Price {price.code} has {part_count} groups in this period and {GROUPS_MAX} is the "
            "most; group by a property with fewer values.",
        )


def use_of(price: Price, part: Part) -> Use:
    """Return the use of a part, still over nothing."""
    return Use(filter=part[0], group=dict(zip(price.group_by, part[1], strict=True)))


def merged(price: Price, meter: Meter, windows: Sequence[WindowTotal]) -> dict[Part, PartTotal]:
    """Return the usage of one span by parts; the windows are of one span and by properties."""
    found: dict[Part, PartTotal] = {}
    for window in windows:
        part = part_of(price, window.dimensions)
        was = found.get(part)
        quantity = window.quantity
        count = window.event_count
        if was is not None:
            quantity = _together(meter, was.quantity, quantity)
            count += was.event_count
        found[part] = PartTotal(quantity, count)
    return {
        part: PartTotal(rounded(meter.rounding, one.quantity), one.event_count)
        for part, one in found.items()
    }


def kept(held: Held) -> Held:
    """Return the same with every day at the peak of the days up to it: what is paid stays paid."""
    peaks = accumulate((level.quantity for level in held.levels), max)
    levels = [Level(peak, one.days) for peak, one in zip(peaks, held.levels, strict=True)]
    return replace(held, levels=tuple(levels))


def held_by_part(
    price: Price, meter: Meter, windows: Sequence[WindowTotal], days: Sequence[Window], empty: Held
) -> dict[Part, Held]:
    """Return what was held at the end of each of these days, by parts; `empty` with its levels."""
    by_day: dict[datetime, list[WindowTotal]] = {}
    for window in windows:
        by_day.setdefault(window.start, []).append(window)
    totals = [merged(price, meter, by_day.get(start, ())) for start, _ in days]
    parts = {part for day in totals for part in day}
    nothing = PartTotal(ZERO, 0)
    return {
        part: replace(
            empty, levels=_runs([max(day.get(part, nothing).quantity, ZERO) for day in totals])
        )
        for part in parts
    }


def _runs(quantities: Iterable[Decimal]) -> tuple[Level, ...]:
    """Return equal days in a row as one level."""
    runs: list[Level] = []
    for quantity in map(canonical, quantities):
        if runs and runs[-1].quantity == quantity:
            runs[-1] = Level(quantity, runs[-1].days + 1)
        else:
            runs.append(Level(quantity, 1))
    return tuple(runs)


def _together(meter: Meter, one: Decimal, other: Decimal) -> Decimal:
    """Return the quantity of two groups together, of a meter where that follows from theirs."""
    if meter.aggregation == "max":
        return max(one, other)
    if meter.aggregation == "min":
        return min(one, other)
    return add(one, other)
