"""Events: what happened, as `/v1/events` lists it and webhooks carry it."""

from collections.abc import Iterator

from tallystick.simulators.stripe.call import API_VERSION, Call, Route
from tallystick.simulators.stripe.errors import Json
from tallystick.simulators.stripe.paging import LIST, created_within, page
from tallystick.simulators.stripe.params import CREATED, many, text
from tallystick.simulators.stripe.state import State

# The family of delivery records: one for each event and each endpoint that wants it.
DELIVERY = "_delivery"


def emit(call: Call, kind: str, thing: Json, before: Json | None = None) -> Json:
    """Record that `thing` is now so, and queue a delivery for every endpoint that listens.

    With `before`, the event says what the changed members were (`previous_attributes`).
    """
    data: Json = {"object": thing}
    if before is not None:
        data["previous_attributes"] = previous_attributes(before, thing)
    endpoints = list(_listening(call.state, kind))
    event = call.state.save(
        {
            "id": call.state.ids.new("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": call.state.now(),
            "data": data,
            "livemode": False,
            "pending_webhooks": len(endpoints),
            "request": {"id": call.request_id, "idempotency_key": call.idempotency_key},
            "type": kind,
        }
    )
    for endpoint in endpoints:
        queue_delivery(call.state, event, endpoint)
    for react in call.state.reactions.get(kind, ()):
        react(call, thing)
    return event


def queue_delivery(state: State, event: Json, endpoint: Json) -> Json:
    """Record that an endpoint is to be told of an event."""
    key = state.ids.new("del")
    return state.put(
        DELIVERY,
        key,
        {
            "id": key,
            "event": event["id"],
            "type": event["type"],
            "endpoint": endpoint["id"],
            "status": "pending",
            "attempts": [],
        },
    )


def previous_attributes(before: Json, after: Json) -> Json:
    """Return the members of `before` that changed, nested ones alone where both are nests."""
    changed: Json = {}
    for name, old in before.items():
        new = after.get(name)
        if old == new:
            continue
        nests = isinstance(old, dict) and isinstance(new, dict)
        changed[name] = previous_attributes(old, new or {}) if nests else old
    for name in after.keys() - before.keys():
        changed[name] = None
    return changed


def _listening(state: State, kind: str) -> Iterator[Json]:
    for endpoint in state.newest_first("webhook_endpoint"):
        wanted = endpoint["enabled_events"]
        if endpoint["status"] == "enabled" and ("*" in wanted or kind in wanted):
            yield endpoint


def _retrieve(call: Call) -> Json:
    return call.found("event", call.path["id"])


def _list(call: Call) -> Json:
    kinds = set(call.params.get("types", ())) | {call.params.get("type")} - {None}
    return page(
        call,
        "event",
        lambda event: created_within(call, event) and (not kinds or event["type"] in kinds),
    )


ROUTES = (
    Route(
        "GET", "/v1/events", _list, {**LIST, "type": text, "types": many(text), "created": CREATED}
    ),
    Route("GET", "/v1/events/{id}", _retrieve),
)
