"""Event summaries: what a customer used, in one row, or by hour or day."""

import hashlib

from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.errors import Json, invalid
from tallystick.simulators.stripe.meters.summing import aggregate, events_of
from tallystick.simulators.stripe.paging import LIST, page_of
from tallystick.simulators.stripe.params import Shape, integer, one_of, text

WINDOWS = {"hour": 3600, "day": 24 * 3600}
MINUTE_SECONDS = 60
PARAMS: Shape = {
    **LIST,
    "customer": text,
    "end_time": integer,
    "start_time": integer,
    "value_grouping_window": one_of(*WINDOWS),
}


def _list(call: Call) -> Json:
    meter = call.found("billing.meter", call.path["id"])
    customer = call.found("customer", call.params["customer"], param="customer")
    start, end = call.params["start_time"], call.params["end_time"]
    window = WINDOWS.get(call.params.get("value_grouping_window", ""))
    _check(start, end, window or MINUTE_SECONDS)
    events = [
        event
        for event in events_of(call.state, meter["id"], customer["id"])
        if start <= event["timestamp"] < end
    ]
    rows = []
    for begins in range(start, end, window or end - start):
        ends = begins + window if window else end
        inside = [event for event in events if begins <= event["timestamp"] < ends]
        if inside or window is None:
            rows.append(_row(meter, customer, (begins, ends), inside))
    url = f"/v1/billing/meters/{meter['id']}/event_summaries"
    return page_of(call, "billing.meter_event_summary", rows[::-1], url)


def _check(start: int, end: int, step: int) -> None:
    """Refuse times that do not lie on whole minutes, hours or UTC days."""
    for name, at in (("start_time", start), ("end_time", end)):
        if at % step:
            raise invalid(
                f"The {name} must be aligned with the boundaries of {step} seconds, UTC: {at} is "
                "not.",
                param=name,
            )
    if start >= end:
        raise invalid("The start_time must be before the end_time.", param="end_time")


def _row(meter: Json, customer: Json, period: tuple[int, int], events: list[Json]) -> Json:
    """Return a summary; Stripe's `aggregated_value` is a float on the wire."""
    start, end = period
    name = f"{meter['id']}/{customer['id']}/{start}/{end}"
    value = aggregate(meter["default_aggregation"]["formula"], events)
    return {
        "id": f"mtrusum_test_{hashlib.sha256(name.encode()).hexdigest()[:24]}",
        "object": "billing.meter_event_summary",
        "aggregated_value": float(value),
        "end_time": end,
        "livemode": False,
        "meter": meter["id"],
        "start_time": start,
    }


ROUTES = (
    Route(
        "GET",
        "/v1/billing/meters/{id}/event_summaries",
        _list,
        PARAMS,
        ("customer", "end_time", "start_time"),
    ),
)
