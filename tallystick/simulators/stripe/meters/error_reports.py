"""Thin events that tell why usage does not count: the only way in which Stripe says it."""

from datetime import UTC, datetime

from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.errors import Json
from tallystick.simulators.stripe.events import queue_delivery

THIN = "v2.core.event"
TRIGGERED = "v1.billing.meter.error_report_triggered"
NO_METER = "v1.billing.meter.no_meter_found"
# Told whole when it is fetched; a delivery carries the rest alone.
BODY = ("data",)


def report(call: Call, meter: Json | None, code: str, event: Json) -> None:
    """Record a thin event about one event that does not count (Stripe gathers several)."""
    kind = NO_METER if meter is None else TRIGGERED
    at = text_of(call.state.now())
    error = {
        "code": code,
        "error_count": 1,
        "sample_errors": [{"error_message": code, "request": {"identifier": event["identifier"]}}],
    }
    thin = call.state.save(
        {
            "id": call.state.ids.new("evt_test"),
            "object": THIN,
            "context": None,
            "created": at,
            "data": {
                "developer_message_summary": "There is 1 invalid event",
                "reason": {"error_count": 1, "error_types": [error]},
                "validation_end": at,
                "validation_start": at,
            },
            "livemode": False,
            "reason": None,
            "related_object": _related(meter),
            "type": kind,
        }
    )
    for endpoint in call.state.newest_first("webhook_endpoint"):
        # Thin events go to those who name them: `*` means Stripe's usual events.
        if endpoint["status"] == "enabled" and kind in endpoint["enabled_events"]:
            queue_delivery(call.state, thin, endpoint)


def text_of(at: int) -> str:
    """Return an instant as v2 writes it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def as_delivered(thin: Json) -> Json:
    """Return what a webhook carries of a thin event."""
    return {name: value for name, value in thin.items() if name not in BODY}


def _related(meter: Json | None) -> Json | None:
    if meter is None:
        return None
    url = f"/v1/billing/meters/{meter['id']}"
    return {"id": meter["id"], "type": "billing.meter", "url": url}


def _retrieve(call: Call) -> Json:
    return call.found(THIN, call.path["id"])


ROUTES = (Route("GET", "/v2/core/events/{id}", _retrieve),)
