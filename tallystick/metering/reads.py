"""How totals are read: what is asked of the store for which meter, and what its answers mean."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from uuid import UUID

import msgspec

from tallystick.catalog.model import Meter
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.metering.events_postgres import EVER, usage_of
from tallystick.metering.quantities import NOTHING, State, followed, quantity, rounded
from tallystick.metering.usage_store import Dimensions, Span, SpanState, SpanValue, group_rows_max


class GroupTotal(msgspec.Struct, frozen=True):
    """What a group used; its dimensions by property, None where events had no value.

    `event_count` is 0 for unique counts, which do not keep it.
    """

    dimensions: Dimensions
    quantity: Decimal
    event_count: int = 0


class WindowTotal(msgspec.Struct, frozen=True):
    """What was used in the half-open window [start, end), by a group where groups are asked for."""

    start: datetime
    end: datetime
    dimensions: Dimensions
    quantity: Decimal
    event_count: int = 0


async def period_totals(
    conn: Connection, account_id: UUID, meters: Sequence[Meter], span: Span
) -> dict[str, Decimal]:
    """Return each meter's rounded quantity by its code."""
    states = await usage_of(conn).period_states(conn, account_id, meters, span)
    return {
        meter.code: rounded(
            meter.rounding, quantity(meter, states.get(meter.meter_id, NOTHING), *span)
        )
        for meter in meters
    }


async def windows(
    conn: Connection,
    account_id: UUID,
    meter: Meter,
    spans: Sequence[Span],
    group_by: Sequence[str],
) -> tuple[WindowTotal, ...]:
    """Return each span's quantity by group, not rounded, in order.

    Raises BadInput `not_grouped`, Conflict `too_many_groups`.
    """
    for at, name in enumerate(group_by):
        if name not in meter.group_by:
            message = f"the meter {meter.code} is not grouped by {name}"
            raise BadInput.field(f"groupBy[{at}]", "not_grouped", message)
    if not spans:
        return ()
    usage = usage_of(conn)
    if not meter.recurring:
        read = usage.uniques if meter.aggregation == "unique_count" else usage.states
        found = await read(conn, account_id, meter, spans, group_by)
        _refuse_many(meter, found, spans, group_by)
        return tuple(_window(meter, spans[one.position - 1], one) for one in found)
    begin = spans[0][0]
    carried = [(min(EVER, begin), begin), *spans]
    if meter.aggregation == "unique_count":
        seen = await usage.values(conn, account_id, meter, carried, group_by)
        found = tuple(_counted(seen, len(carried)))
    else:
        parts = await usage.states(conn, account_id, meter, carried, group_by)
        _refuse_many(meter, parts, carried, group_by)
        found = tuple(_carried(parts, carried))
    return tuple(_window(meter, carried[one.position - 1], one) for one in found)


def group_total(meter: Meter, window: WindowTotal) -> GroupTotal:
    """Return the group of a read of one span, rounded."""
    quantity = rounded(meter.rounding, window.quantity)
    return GroupTotal(window.dimensions, quantity, window.event_count)


async def percentiles(
    conn: Connection, account_id: UUID, meter: Meter, span: Span, shares: Sequence[Decimal]
) -> tuple[Decimal | None, ...]:
    """Return the values at these shares."""
    for at, share in enumerate(shares):
        if not 0 <= share <= 1:
            raise BadInput.field(f"percentiles[{at}]", "out_of_range", "must be from 0 to 1")
    return tuple(await usage_of(conn).percentiles(conn, account_id, meter, span, shares))


def _refuse_many(
    meter: Meter, found: Sequence[SpanState], spans: Sequence[Span], group_by: Sequence[str]
) -> None:
    most = group_rows_max(spans)
    if len(found) > most:
        raise Conflict(
            "too_many_groups",
            f"The meter {meter.code} has more than {most:,} groups by {', '.join(group_by)} here; "
            "group by a property with fewer values.",
        )


def _window(meter: Meter, span: Span, found: SpanState) -> WindowTotal:
    state = found.state
    return WindowTotal(*span, found.dimensions, quantity(meter, state, *span), state.event_count)


def _carried(parts: Sequence[SpanState], spans: Sequence[Span]) -> Iterator[SpanState]:
    """Yield each group's state in each span from the second on, with all that was before it."""
    by_span = {
        position: {_key(part.dimensions): part for part in found}
        for position, found in groupby(parts, lambda part: part.position)
    }
    before: dict[str, SpanState] = by_span.get(1, {})
    for position in range(2, len(spans) + 1):
        here = by_span.get(position, {})
        now: dict[str, SpanState] = {}
        for key in sorted(before.keys() | here.keys()):
            known = before.get(key) or here[key]
            was = before[key].state if key in before else NOTHING
            own = here[key].state if key in here else NOTHING
            state = followed(was, own, *spans[position - 1])
            now[key] = SpanState(position, known.dimensions, state)
        yield from now.values()
        before = now


def _counted(seen: Sequence[SpanValue], span_count: int) -> Iterator[SpanState]:
    """Yield how many values each group holds at the end of each span from the second on."""
    held: dict[str, tuple[Dimensions, set[str]]] = {}
    by_span = {position: list(found) for position, found in groupby(seen, lambda one: one.position)}
    for position in range(1, span_count + 1):
        for one in by_span.get(position, ()):
            _, there = held.setdefault(_key(one.dimensions), (one.dimensions, set()))
            (there.add if one.is_there else there.discard)(one.value)
        if position > 1:
            for _, (dimensions, there) in sorted(held.items()):
                yield SpanState(position, dimensions, State(total=Decimal(len(there))))


def _key(dimensions: Dimensions) -> str:
    return msgspec.json.encode(dimensions, order="sorted").decode()
