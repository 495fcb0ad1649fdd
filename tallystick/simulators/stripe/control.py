"""The control routes, outside /v1: faults, reset, held webhooks, and looking inside.

They have no key: the server listens on the loopback address alone. A POST must be JSON, which a
page of another origin can not send without asking first, and is not allowed when it asks.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from tallystick.simulators.http import Reply, Request, as_json
from tallystick.simulators.stripe.api import Api
from tallystick.simulators.stripe.deliveries import Deliveries
from tallystick.simulators.stripe.events import queue_delivery
from tallystick.simulators.stripe.faults import Fault
from tallystick.simulators.stripe.state import State

# What GET /_sim/<name> lists, whole and newest first.
FAMILIES = {
    "customers": "customer",
    "setup_intents": "setup_intent",
    "payment_methods": "payment_method",
    "payment_intents": "payment_intent",
    "charges": "charge",
    "refunds": "refund",
    "events": "event",
    "webhook_endpoints": "webhook_endpoint",
}


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In which order held webhooks go out; `reversed` makes the newest the first."""

    order: Literal["kept", "reversed"] = "kept"


class Resend(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which event shall be sent to every endpoint once more."""

    event: str


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An empty body."""


class Control:
    """Answers the control routes."""

    def __init__(
        self, state: State, api: Api, deliveries: Deliveries, *, prepare: Callable[[], None]
    ) -> None:
        self._state = state
        self._api = api
        self._deliveries = deliveries
        self._prepare = prepare
        self._posts: Mapping[str, tuple[type[Any], Callable[[Any], object]]] = {
            "/_sim/faults": (Fault, self._arm),
            "/_sim/reset": (Nothing, self._reset),
            "/_sim/webhooks/release": (Release, self._release),
            "/_sim/webhooks/resend": (Resend, self._resend),
        }
        self._gets: Mapping[str, Callable[[], list[Any]]] = {
            "/_sim/faults": api.faults.listed,
            "/_sim/requests": lambda: list(api.requests)[::-1],
            "/_sim/deliveries": lambda: deliveries.listed()[::-1],
        }

    def answer(self, request: Request) -> Reply:
        """Return the answer; 400 says what was wrong with a body."""
        path = request.path.rstrip("/")
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
        return as_json(200, act(wish))

    def _arm(self, fault: Fault) -> object:
        self._api.faults.arm(fault)
        return {"faults": len(self._api.faults.listed())}

    def _reset(self, _: Nothing) -> object:
        """Forget all objects, faults and logs; the endpoint of the command line stays."""
        self._deliveries.forget()
        self._api.faults.clear()
        self._api.requests.clear()
        self._state.clear()
        self._prepare()
        return {"reset": True}

    def _release(self, wish: Release) -> object:
        return {"released": self._deliveries.release(turned=wish.order == "reversed")}

    def _resend(self, wish: Resend) -> object:
        event = self._state.get("event", wish.event)
        endpoints = list(self._state.newest_first("webhook_endpoint")) if event else []
        with self._state.change():
            for endpoint in endpoints:
                queue_delivery(self._state, event or {}, endpoint)
        return {"queued": len(endpoints)}
