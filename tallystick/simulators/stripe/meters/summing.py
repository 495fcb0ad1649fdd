"""What a customer's meter events come to over a time. Decimals, so that nothing is lost."""

from collections.abc import Iterable
from decimal import Decimal

from tallystick.simulators.stripe.errors import Json
from tallystick.simulators.stripe.state import State

# Events as they count, kept apart from their answers: meter, customer, value, timestamp.
COUNTED = "_meter_event"


def events_of(state: State, meter_id: str, customer_id: str) -> list[Json]:
    """Return the customer's counted events of a meter, in the order of their time."""
    found = (
        event
        for event in state.newest_first(COUNTED)
        if (event["meter"], event["customer"], event["canceled"]) == (meter_id, customer_id, False)
    )
    return sorted(found, key=lambda event: (event["timestamp"], event["place"]))


def usage_between(state: State, meter: Json, customer_id: str, period: tuple[int, int]) -> Decimal:
    """Return what was used in `[start, end)`, by the meter's formula."""
    start, end = period
    inside = [
        event
        for event in events_of(state, meter["id"], customer_id)
        if start <= event["timestamp"] < end
    ]
    return aggregate(meter["default_aggregation"]["formula"], inside)


def aggregate(formula: str, events: Iterable[Json]) -> Decimal:
    """Return the sum, the count or the last of the events' values; nothing used is zero."""
    values = [Decimal(event["value"]) for event in events]
    if formula == "count":
        return Decimal(len(values))
    if formula == "last":
        return values[-1] if values else Decimal(0)
    return sum(values, Decimal(0))
