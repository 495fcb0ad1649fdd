"""Meters with an expression over ClickHouse: computed here, event by event, and gathered: pure.

An expression is exact to hundreds of digits; ClickHouse's widest number has 76.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from math import ceil
from typing import Any

import msgspec
from msgspec.structs import replace

from tallystick.catalog.expression import properties_of
from tallystick.catalog.model import Meter
from tallystick.metering.clickhouse_rows import Parameters, from_scaled, unscaled
from tallystick.metering.quantities import State
from tallystick.metering.values import number_of
from tallystick.money.exact import add, multiply

Group = tuple[str | None, ...]


class Event(msgspec.Struct, frozen=True):
    """What an event counts, where it belongs, and what says which of two is the later."""

    start: int
    dimensions: Group
    at: int
    key: str
    value: Decimal


def numbers_sql(meter: Meter) -> tuple[str, Parameters]:
    """Return the SQL of the numbers that a meter's program reads, an array, and its parameters."""
    names = properties_of(meter.program or ())
    parts = [
        f"if(mapContains(numbers, {{read_{at}:String}}), numbers[{{read_{at}:String}}], NULL)"
        for at in range(len(names))
    ]
    sql = f"[{', '.join(parts)}]" if parts else "emptyArrayInt8()"
    return sql, {f"read_{at}": name for at, name in enumerate(names)}


def events(meter: Meter, rows: Iterable[Sequence[Any]]) -> Iterator[Event]:
    """Yield the events that have a value; the filters have been seen to already."""
    names = properties_of(meter.program or ())
    bare = replace(meter, filters=())
    for start, dimensions, at, key, numbers in rows:
        told = zip(names, numbers, strict=True)
        properties = {name: unscaled(number) for name, number in told if number is not None}
        value = number_of(bare, properties)
        if value is not None:
            yield Event(start, tuple(dimensions), at, key, value)


def gather(
    found: Iterable[tuple[int, Event]],
) -> Iterator[tuple[tuple[int, Group], list[Event]]]:
    """Yield the events of each position and group, in order."""

    def name(one: tuple[int, Event]) -> tuple[int, list[tuple[bool, str]]]:
        return one[0], [(text is None, text or "") for text in one[1].dimensions]

    for _, parts in groupby(sorted(found, key=name), name):
        listed = list(parts)
        yield (listed[0][0], listed[0][1].dimensions), [event for _, event in listed]


def state(parts: Sequence[Event], end: int) -> State:
    """Return what some events come to, for a period that ends at `end` (microseconds)."""
    values = [event.value for event in parts]
    total = integral = Decimal(0)
    for event in parts:
        total = add(total, event.value)
        integral = add(integral, multiply(event.value, from_scaled(end - event.at, 6)))
    return State(
        event_count=len(parts),
        total=total,
        low=min(values),
        high=max(values),
        last=max(parts, key=lambda event: (event.at, event.key)).value,
        integral=integral,
    )


def percentiles(values: Iterable[Decimal], shares: Sequence[Fraction]) -> list[Decimal | None]:
    """Return by nearest rank the values at these shares; None where there are none."""
    ordered = sorted(values)
    if not ordered:
        return [None] * len(shares)
    return [ordered[max(1, ceil(share * len(ordered))) - 1] for share in shares]
