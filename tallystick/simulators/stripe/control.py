"""The control routes, outside /v1: faults, reset, held webhooks, and looking inside.

They have no key: the server listens on the loopback address alone. A POST must be JSON, which a
page of another origin can not send without asking first, and is not allowed when it asks.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec

from tallystick.simulators.http import Reply, Request, as_json
from tallystick.simulators.stripe.api import Api
from tallystick.simulators.stripe.control_acts import ACTS, Act
from tallystick.simulators.stripe.deliveries import Deliveries
from tallystick.simulators.stripe.errors import StripeError, invalid
from tallystick.simulators.stripe.events import queue_delivery
from tallystick.simulators.stripe.faults import Fault
from tallystick.simulators.stripe.meters.error_reports import THIN
from tallystick.simulators.stripe.state import State
from tallystick.simulators.stripe.timers import Timekeeper, unasked

# What GET /_sim/<name> lists, whole and newest first.
FAMILIES = {
    "customers": "customer",
    "setup_intents": "setup_intent",
    "payment_methods": "payment_method",
    "payment_intents": "payment_intent",
    "charges": "charge",
    "refunds": "refund",
    "disputes": "dispute",
    "balance_transactions": "balance_transaction",
    "mandates": "mandate",
    "products": "product",
    "prices": "price",
    "checkout_sessions": "checkout.session",
    "subscriptions": "subscription",
    "invoices": "invoice",
    "invoice_payments": "invoice_payment",
    "meters": "billing.meter",
    "meter_events": "billing.meter_event",
    "events": "event",
    "thin_events": THIN,
    "webhook_endpoints": "webhook_endpoint",
}


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In which order held webhooks go out; `reversed` makes the newest the first."""

    order: Literal["kept", "reversed"] = "kept"


class Resend(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which event shall be sent to every endpoint once more."""

    event: str


class Clock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far the clock is moved ahead, or to which second since 1970; what falls due is done."""

    advance_seconds: Annotated[int, msgspec.Meta(ge=0)] = 0
    to: int | None = None


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An empty body."""


class Control:
    """Answers the control routes."""

    def __init__(
        self,
        state: State,
        api: Api,
        deliveries: Deliveries,
        timekeeper: Timekeeper,
        *,
        prepare: Callable[[], None],
    ) -> None:
        self._state = state
        self._api = api
        self._deliveries = deliveries
        self._timekeeper = timekeeper
        self._prepare = prepare
        self._posts: Mapping[str, tuple[type[Any], Callable[[Any], object]]] = {
            "/_sim/faults": (Fault, self._arm),
            "/_sim/reset": (Nothing, self._reset),
            "/_sim/webhooks/release": (Release, self._release),
            "/_sim/webhooks/resend": (Resend, self._resend),
            "/_sim/clock": (Clock, self._move),
            **{path: (shape, self._acting(act)) for path, (shape, act) in ACTS.items()},
        }
        self._gets: Mapping[str, Callable[[], list[Any]]] = {
            "/_sim/faults": api.faults.listed,
            "/_sim/requests": lambda: list(api.requests)[::-1],
            "/_sim/deliveries": lambda: deliveries.listed()[::-1],
            "/_sim/timers": timekeeper.listed,
            "/_sim/families": lambda: sorted(FAMILIES),
        }

    def answer(self, request: Request) -> Reply:
        """Return the answer; 400 says what was wrong with a body."""
        path = request.path.rstrip("/")
        if request.method == "GET" and path == "/_sim/clock":
            return as_json(200, {"now": self._state.now()})
        if request.method == "GET":
            return self._get(path)
        if request.method == "DELETE" and path == "/_sim/faults":
            self._api.faults.clear()
            return as_json(200, {"faults": 0})
        if request.method == "POST" and path in self._posts:
            return self._post(path, request)
        return as_json(404, {"error": f"There is no control route {request.method} {path}."})

    def _get(self, path: str) -> Reply:
        name = path.removeprefix("/_sim/")
        if path in self._gets:
            found = self._gets[path]()
        elif name in FAMILIES:
            found = list(self._state.newest_first(FAMILIES[name]))
        else:
            names = sorted([*FAMILIES, "faults", "requests", "deliveries"])
            return as_json(404, {"error": f"There is nothing at {path}.", "lists": names})
        return as_json(200, {"count": len(found), "data": found})

    def _post(self, path: str, request: Request) -> Reply:
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        if kind != "application/json":
            return as_json(415, {"error": "Send JSON, with Content-Type: application/json."})
        shape, act = self._posts[path]
        try:
            wish = msgspec.json.decode(request.body or b"{}", type=shape)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            return as_json(400, {"error": str(error)})
        self._state.reached_at = request.base_url
        try:
            return as_json(200, act(wish))
        except StripeError as error:
            return as_json(error.status, {"error": error.members["message"]})

    def _arm(self, fault: Fault) -> object:
        self._api.faults.arm(fault)
        return {"faults": len(self._api.faults.listed())}

    def _reset(self, _: Nothing) -> object:
        """Forget all objects, faults and logs; the endpoint of the command line stays."""
        self._deliveries.forget()
        self._api.faults.clear()
        self._api.requests.clear()
        self._state.clear()
        self._timekeeper.restore()
        self._prepare()
        return {"reset": True}

    def _acting(self, act: Act) -> Callable[[Any], object]:
        """Return an act on the simulated objects that happens with no request behind it."""

        def change(wish: Any) -> object:
            with self._state.change():
                return act(unasked(self._state), wish)

        return change

    def _move(self, wish: Clock) -> object:
        ahead = wish.to - self._state.now() if wish.to is not None else wish.advance_seconds
        if ahead < 0:
            raise invalid("The clock goes ahead alone: it can not be set back.")
        done = self._timekeeper.advance(ahead)
        return {"now": self._state.now(), "duties_done": done}

    def _release(self, wish: Release) -> object:
        return {"released": self._deliveries.release(turned=wish.order == "reversed")}

    def _resend(self, wish: Resend) -> object:
        event = self._state.get("event", wish.event) or self._state.get(THIN, wish.event)
        endpoints = list(self._state.newest_first("webhook_endpoint")) if event else []
        with self._state.change():
            for endpoint in endpoints:
                queue_delivery(self._state, event or {}, endpoint)
        return {"queued": len(endpoints)}
