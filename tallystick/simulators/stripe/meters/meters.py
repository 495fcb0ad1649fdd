"""Billing meters: what is counted, and how."""

from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.errors import Json, invalid
from tallystick.simulators.stripe.events import emit
from tallystick.simulators.stripe.paging import LIST, page
from tallystick.simulators.stripe.params import Shape, nest, one_of, text

CREATE: Shape = {
    "customer_mapping": nest({"event_payload_key": text, "type": one_of("by_id")}),
    "default_aggregation": nest({"formula": one_of("count", "last", "sum")}, required=("formula",)),
    "display_name": text,
    "event_name": text,
    "event_time_window": one_of("day", "hour"),
    "value_settings": nest({"event_payload_key": text}),
}
REQUIRED = ("default_aggregation", "display_name", "event_name")
CUSTOMER_KEY, VALUE_KEY = "stripe_customer_id", "value"


def meter_for(call: Call, event_name: str) -> Json | None:
    """Return the meter that counts events of this name: the active one, or an archived one."""
    named = [m for m in call.state.newest_first("billing.meter") if m["event_name"] == event_name]
    active = [meter for meter in named if meter["status"] == "active"]
    return next(iter([*active, *named]), None)


def _create(call: Call) -> Json:
    given = call.params
    rival = meter_for(call, given["event_name"])
    if rival and rival["status"] == "active":
        raise invalid(
            f"An active meter with the event name {given['event_name']} exists already.",
            param="event_name",
        )
    meter = {
        "id": call.state.ids.new("mtr_test"),
        "object": "billing.meter",
        "created": call.state.now(),
        "customer_mapping": {
            "event_payload_key": CUSTOMER_KEY,
            "type": "by_id",
            **given.get("customer_mapping", {}),
        },
        "default_aggregation": given["default_aggregation"],
        "display_name": given["display_name"],
        "event_name": given["event_name"],
        "event_time_window": given.get("event_time_window"),
        "livemode": False,
        "status": "active",
        "status_transitions": {"deactivated_at": None},
        "updated": call.state.now(),
        "value_settings": {"event_payload_key": VALUE_KEY, **given.get("value_settings", {})},
    }
    emit(call, "billing.meter.created", call.state.save(meter))
    return meter


def _retrieve(call: Call) -> Json:
    return call.found("billing.meter", call.path["id"])


def _update(call: Call) -> Json:
    return _changed(call, "updated", **call.named())


def _deactivate(call: Call) -> Json:
    now = call.state.now()
    return _changed(
        call, "deactivated", status="inactive", status_transitions={"deactivated_at": now}
    )


def _reactivate(call: Call) -> Json:
    return _changed(
        call, "reactivated", status="active", status_transitions={"deactivated_at": None}
    )


def _changed(call: Call, event: str, **members: object) -> Json:
    before = call.found("billing.meter", call.path["id"])
    meter = call.state.save({**before, **members, "updated": call.state.now()})
    emit(call, f"billing.meter.{event}", meter, before)
    return meter


def _list(call: Call) -> Json:
    status = call.params.get("status")
    return page(
        call,
        "billing.meter",
        lambda meter: status in {None, meter["status"]},
        "/v1/billing/meters",
    )


ONE = "/v1/billing/meters/{id}"
ROUTES = (
    Route("POST", "/v1/billing/meters", _create, CREATE, REQUIRED),
    Route("GET", "/v1/billing/meters", _list, {**LIST, "status": one_of("active", "inactive")}),
    Route("GET", ONE, _retrieve),
    Route("POST", ONE, _update, {"display_name": text}),
    Route("POST", f"{ONE}/deactivate", _deactivate),
    Route("POST", f"{ONE}/reactivate", _reactivate),
)
