"""The control routes under /_sim (all invented): setup, clock, faults, and looking inside.

They have no key: the server listens on the loopback address alone. What changes something must be
JSON, which a page of another origin can not send without asking first, and is not allowed when
it asks.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec

from tallystick.simulators.ccbill.api import Api
from tallystick.simulators.ccbill.config import Config, changed
from tallystick.simulators.ccbill.deliveries import Deliveries
from tallystick.simulators.ccbill.events import queue, release
from tallystick.simulators.ccbill.faults import Fault
from tallystick.simulators.ccbill.model import Delivery
from tallystick.simulators.ccbill.schedule import advance
from tallystick.simulators.ccbill.state import State
from tallystick.simulators.ccbill.triggers import TRIGGERS
from tallystick.simulators.http import Reply, Request, as_json

# What GET /_sim/<name> lists, whole and newest first.
FAMILIES = ("tokens", "subscriptions", "moves", "events", "deliveries")
SECONDS_MAX = 20 * 366 * 86400


class Wrong(Exception):
    """A control request that can not be done; the sentence says why."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class Advance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far the clock goes on; what is due on the way happens at its own time."""

    seconds: Annotated[float, msgspec.Meta(ge=0, le=SECONDS_MAX)]


class Reset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Start over; with a seed the same ids come again."""

    seed: Annotated[int, msgspec.Meta(ge=0)] | None = None


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In which order held webhooks go out; `reversed` makes the newest the first."""

    order: Literal["kept", "reversed"] = "kept"


class Control:
    """Answers the control routes."""

    def __init__(
        self, state: State, api: Api, deliveries: Deliveries, setup: Callable[[], Config]
    ) -> None:
        self._state = state
        self._api = api
        self._deliveries = deliveries
        self._setup = setup
        self._posts: Mapping[str, tuple[type[Any], Callable[[Any], object]]] = {
            "/_sim/clock/advance": (Advance, self._advance),
            "/_sim/faults": (Fault, self._arm),
            "/_sim/reset": (Reset, self._reset),
            "/_sim/deliveries/release": (Release, self._release),
        }

    def answer(self, request: Request) -> Reply:
        """Return the answer; 400 says what was wrong with a body."""
        path = request.path.rstrip("/")
        try:
            return as_json(200, self._done(request, path))
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            return as_json(400, {"error": str(error)})
        except Wrong as error:
            return as_json(error.status, {"error": error.sentence})

    def _done(self, request: Request, path: str) -> object:
        if request.method == "GET":
            return self._get(path)
        if request.method == "DELETE" and path == "/_sim/faults":
            self._api.faults.clear()
            return {"faults": 0}
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        if kind != "application/json":
            raise Wrong(415, "Send JSON, with Content-Type: application/json.")
        body = request.body or b"{}"
        if request.method == "PUT" and path == "/_sim/config":
            self._state.config = changed(
                self._state.config, msgspec.json.decode(body, type=dict[str, object])
            )
            return self._state.config
        if request.method == "POST" and path in self._posts:
            shape, act = self._posts[path]
            return act(msgspec.json.decode(body, type=shape))
        if request.method == "POST":
            return self._post_named(path, body)
        raise Wrong(404, f"There is no control route {request.method} {path}.")

    def _post_named(self, path: str, body: bytes) -> object:
        """Do what a path with a subscription or a delivery in it asks for."""
        parts = path.removeprefix("/_sim/").split("/")
        match parts:
            case ["subscriptions", identifier, name] if name in TRIGGERS:
                return self._trigger(identifier, name, body)
            case ["deliveries", number, "resend"]:
                return self._resend(number)
        raise Wrong(404, f"There is no control route POST {path}.")

    def _trigger(self, identifier: str, name: str, body: bytes) -> object:
        subscription = self._state.subscription(identifier)
        if subscription is None:
            raise Wrong(404, f"There is no subscription {identifier}.")
        shape, act = TRIGGERS[name]
        wish = msgspec.json.decode(body, type=shape)
        with self._state.change():
            act(self._state, subscription, wish)
        return self._state.subscription(identifier)

    def _get(self, path: str) -> object:
        name = path.removeprefix("/_sim/")
        if name == "config":
            return self._state.config
        if name == "clock":
            return {"now": self._state.now(), "ahead_s": self._state.meta.ahead_s}
        if name == "faults":
            found: list[Any] = self._api.faults.listed()
        elif name == "requests":
            found = list(self._api.requests)[::-1]
        elif name in FAMILIES:
            found = list(self._state.newest_first(name))
        else:
            names = ", ".join([*FAMILIES, "clock", "config", "faults", "requests"])
            raise Wrong(404, f"There is nothing at {path}; there are {names}.")
        return {"count": len(found), "data": found}

    def _advance(self, wish: Advance) -> object:
        done = advance(self._state, wish.seconds)
        return {"now": self._state.now(), "happened": done}

    def _arm(self, fault: Fault) -> object:
        self._api.faults.arm(fault)
        return {"faults": len(self._api.faults.listed())}

    def _reset(self, wish: Reset) -> object:
        """Forget all objects, faults, logs and the setup; that of the command line stays."""
        self._api.faults.clear()
        self._api.requests.clear()
        self._state.start_over(wish.seed)
        self._state.config = self._setup()
        return {"reset": True}

    def _release(self, wish: Release) -> object:
        held = sorted(self._state.open_deliveries("held"), key=lambda one: one.n)
        with self._state.change():
            count = release(self._state, held[::-1] if wish.order == "reversed" else held)
        return {"released": count}

    def _resend(self, number: str) -> object:
        delivery: Delivery | None = self._state.get("deliveries", number)
        event = self._state.get("events", str(delivery.event)) if delivery else None
        if delivery is None or event is None:
            raise Wrong(404, f"There is no delivery {number}.")
        with self._state.change():
            return queue(self._state, event, delivery.url)
