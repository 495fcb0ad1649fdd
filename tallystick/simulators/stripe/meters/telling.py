"""Meter events: usage as it is told, counted or rejected later, and canceled within a day."""

from decimal import Decimal, InvalidOperation

from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.errors import Json, StripeError, invalid, missing_parameter
from tallystick.simulators.stripe.meters.error_reports import report
from tallystick.simulators.stripe.meters.meters import meter_for
from tallystick.simulators.stripe.meters.summing import COUNTED
from tallystick.simulators.stripe.params import Shape, integer, metadata, nest, one_of, text

DAY_SECONDS = 24 * 3600
PAST_SECONDS = 35 * DAY_SECONDS
AHEAD_SECONDS = 5 * 60
IDENTIFIER_MAX = 100
PLACES = "_meter_places"
EVENT: Shape = {"event_name": text, "identifier": text, "payload": metadata, "timestamp": integer}
ADJUST: Shape = {
    "cancel": nest({"identifier": text}),
    "event_name": text,
    "type": one_of("cancel"),
}


def _tell(call: Call) -> Json:
    """POST /v1/billing/meter_events: 200 says that it was taken, not that it counts."""
    now = call.state.now()
    at: int = call.params.get("timestamp", now)
    if at < now - PAST_SECONDS or at > now + AHEAD_SECONDS:
        raise _out_of_window(at, now)
    identifier = call.params.get("identifier") or call.state.ids.new("mevt")
    if len(identifier) > IDENTIFIER_MAX:
        raise invalid("The identifier has more than 100 characters.", param="identifier")
    known = call.state.get(COUNTED, identifier)
    if known and now - known["created"] < DAY_SECONDS:
        raise invalid(
            f"An event already exists with identifier {identifier}.",
            code="resource_already_exists",
            param="identifier",
        )
    event = {
        "object": "billing.meter_event",
        "created": now,
        "event_name": call.params["event_name"],
        "identifier": identifier,
        "livemode": False,
        "payload": call.params["payload"] or {},
        "timestamp": at,
    }
    _count(call, event)
    return call.state.put("billing.meter_event", _place(call, identifier), event)


def _place(call: Call, identifier: str) -> str:
    """Return a key under which the event does not replace an older one of its identifier."""
    taken = call.state.get("billing.meter_event", identifier)
    return f"{identifier}@{call.state.now()}" if taken else identifier


def _count(call: Call, event: Json) -> None:
    """Add the event to its meter, or report why it does not count."""
    meter = meter_for(call, event["event_name"])
    problem = _problem(call, meter, event)
    if problem:
        report(call, meter, problem, event)
    customer, value = ("", "0") if meter is None else _read(meter, event)
    entry = {
        "canceled": False,
        "created": event["created"],
        "customer": customer,
        "meter": None if problem or meter is None else meter["id"],
        "event_name": event["event_name"],
        "place": _next_place(call),
        "timestamp": event["timestamp"],
        "value": "0" if problem else value,
    }
    _keep_older(call, event["identifier"])
    call.state.put(COUNTED, event["identifier"], entry)


def _next_place(call: Call) -> int:
    """Return where the event stands in the order in which all were told."""
    place: int = (call.state.get(PLACES, "last") or {"place": 0})["place"] + 1
    call.state.put(PLACES, "last", {"place": place})
    return place


def _keep_older(call: Call, identifier: str) -> None:
    """Let an event count on whose identifier is used again after its day."""
    older = call.state.get(COUNTED, identifier)
    if older:
        call.state.put(COUNTED, f"{identifier}@{older['created']}", older)


def _problem(call: Call, meter: Json | None, event: Json) -> str | None:
    if meter is None:
        return "no_meter"
    if meter["status"] != "active":
        return "archived_meter"
    customer, value = _read(meter, event)
    if not customer:
        return "meter_event_no_customer_defined"
    found = call.state.get("customer", customer)
    if found is None or found.get("deleted"):
        return "meter_event_customer_not_found"
    try:
        number = Decimal(value)
    except InvalidOperation:
        return "meter_event_invalid_value"
    return None if number.is_finite() else "meter_event_invalid_value"


def _read(meter: Json, event: Json) -> tuple[str, str]:
    """Return the customer's id and the value; a meter that counts needs no value."""
    payload = event["payload"]
    counts = meter["default_aggregation"]["formula"] == "count"
    value = payload.get(meter["value_settings"]["event_payload_key"], "1" if counts else "")
    return payload.get(meter["customer_mapping"]["event_payload_key"], ""), value


def _out_of_window(at: int, now: int) -> StripeError:
    code = "timestamp_in_future" if at > now else "timestamp_too_far_in_past"
    return invalid(
        "The timestamp must be within the past 35 calendar days or up to 5 minutes in the future.",
        code=code,
        param="timestamp",
    )


def _adjust(call: Call) -> Json:
    """POST /v1/billing/meter_event_adjustments: an event of the last day does not count."""
    identifier = call.params.get("cancel", {}).get("identifier")
    if identifier is None:
        raise missing_parameter("cancel[identifier]")
    entry = call.state.get(COUNTED, identifier)
    if entry is None or entry["event_name"] != call.params["event_name"]:
        raise invalid(
            f"No such meter event: '{identifier}'", code="resource_missing", param="cancel"
        )
    if call.state.now() - entry["created"] >= DAY_SECONDS:
        raise invalid("A meter event can be canceled within 24 hours alone.", param="cancel")
    call.state.put(COUNTED, identifier, {**entry, "canceled": True})
    return {
        "object": "billing.meter_event_adjustment",
        "cancel": {"identifier": identifier},
        "event_name": call.params["event_name"],
        "livemode": False,
        "status": "pending",
        "type": "cancel",
    }


ROUTES = (
    Route("POST", "/v1/billing/meter_events", _tell, EVENT, ("event_name", "payload")),
    Route("POST", "/v1/billing/meter_event_adjustments", _adjust, ADJUST, ("event_name", "type")),
)
