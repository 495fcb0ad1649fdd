"""The simulator as an ASGI application: Lago's routes, and the control routes."""

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from tallystick.simulators.http import (
    CUT,
    ConnectionCut,
    Receive,
    Reply,
    Request,
    Scope,
    Send,
    as_json,
    receive_request,
    send_reply,
)
from tallystick.simulators.lago import catalog, events, usage
from tallystick.simulators.lago.errors import (
    Json,
    LagoError,
    bad_request,
    not_found,
    unauthorized,
)
from tallystick.simulators.lago.faults import Fault, Faults
from tallystick.simulators.lago.state import Clock, State

BASE: Final = "/api/v1"
REQUESTS_KEPT: Final = 10_000
Handler = Callable[[State, str, Mapping[str, str], Any], Json]

_NAME: Final = "([^/]+)"
ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("POST", "/events", lambda state, _, __, body: events.create(state, body)),
    ("POST", "/events/batch", lambda state, _, __, body: events.create_batch(state, body)),
    ("GET", "/events", lambda state, _, query, __: events.read_many(state, query)),
    ("GET", f"/events/{_NAME}", lambda state, name, _, __: events.read_one(state, name)),
    (
        "GET",
        f"/customers/{_NAME}/current_usage",
        lambda state, name, query, _: usage.current_usage(state, name, query),
    ),
    ("POST", "/customers", lambda state, _, __, body: catalog.save_customer(state, body)),
    ("GET", f"/customers/{_NAME}", lambda state, name, _, __: catalog.read_customer(state, name)),
    (
        "DELETE",
        f"/customers/{_NAME}",
        lambda state, name, _, __: catalog.delete_customer(state, name),
    ),
    ("POST", "/billable_metrics", lambda state, _, __, body: catalog.save_metric(state, body)),
    ("GET", "/billable_metrics", lambda state, _, query, __: catalog.read_metrics(state, query)),
    (
        "GET",
        f"/billable_metrics/{_NAME}",
        lambda state, name, _, __: catalog.read_metric(state, name),
    ),
    ("POST", "/plans", lambda state, _, __, body: catalog.save_plan(state, body)),
    ("GET", f"/plans/{_NAME}", lambda state, name, _, __: catalog.read_plan(state, name)),
    ("POST", "/subscriptions", lambda state, _, __, body: catalog.save_subscription(state, body)),
    (
        "GET",
        f"/subscriptions/{_NAME}",
        lambda state, name, _, __: catalog.read_subscription(state, name),
    ),
    (
        "DELETE",
        f"/subscriptions/{_NAME}",
        lambda state, name, _, __: catalog.end_subscription(state, name),
    ),
)
_decode: Final = msgspec.json.Decoder(float_hook=Decimal).decode


class Seen(msgspec.Struct):
    """One request as the log shows it; `status` None means that no answer was sent yet."""

    method: str
    path: str
    body: str
    status: int | None = None


def wall_clock() -> datetime:
    """Return the machine's time."""
    return datetime.now(UTC)


class App:
    """The ASGI application; a handler never waits, so requests are answered one at a time."""

    def __init__(self, clock: Clock = wall_clock) -> None:
        self.state = State(clock)
        self.faults = Faults()
        self._seen: deque[Seen] = deque(maxlen=REQUESTS_KEPT)
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Cut the requests that a delay holds up: the server is about to stop."""
        self._closing.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await receive_request(scope, receive)
        if request is None:
            await send_reply(send, Reply(413, b"The body is longer than 1 MiB."))
            return
        try:
            reply = await self._reply(request)
        except ConnectionCut:
            scope["extensions"][CUT]()
            # The server sees the loss of the connection a moment later; then nothing is sent.
            await receive()
            return
        await send_reply(send, reply)

    async def _reply(self, request: Request) -> Reply:
        if request.path.startswith("/_sim/"):
            return self._control(request)
        body = request.body.decode("utf-8", "replace")
        seen = Seen(request.method, request.path, body)
        self._seen.append(seen)
        reply = await self._with_faults(request)
        seen.status = reply.status
        return reply

    async def _with_faults(self, request: Request) -> Reply:
        fault = self.faults.take(request.path)
        if fault is None:
            return self._answer(request)
        if fault.action == "drop_before":
            raise ConnectionCut
        if fault.action == "status":
            return _failure(fault)
        reply = self._answer(request)
        if fault.action == "delay":
            await self._hold_up(fault.delay_ms / 1000)
        if fault.action == "drop_reply":
            raise ConnectionCut
        return _failure(fault) if fault.action == "status_after" else reply

    async def _hold_up(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)
            raise ConnectionCut

    def _answer(self, request: Request) -> Reply:
        try:
            return as_json(200, self._handled(request))
        except LagoError as error:
            return as_json(error.status, error.body)

    def _handled(self, request: Request) -> Json:
        if not re.fullmatch(r"Bearer \S+", request.headers.get("authorization", "")):
            raise unauthorized()
        query = dict(parse_qsl(request.query))
        for method, path, handler in ROUTES:
            match = re.fullmatch(BASE + path, request.path)
            if method == request.method and match:
                name = match[1] if match.groups() else ""
                return handler(self.state, name, query, _body(request))
        raise not_found("route")

    def _control(self, request: Request) -> Reply:
        """Answer a control route: faults, the log of requests, and forgetting everything.

        They have no key: the server listens on the loopback address alone.
        """
        match request.method, request.path:
            case "POST", "/_sim/faults":
                return self._arm(request.body)
            case "DELETE", "/_sim/faults":
                self.faults.clear()
                return as_json(200, {"faults": 0})
            case "GET", "/_sim/faults":
                return as_json(200, {"data": self.faults.listed()})
            case "GET", "/_sim/requests":
                return as_json(200, {"data": list(self._seen)[::-1]})
            case "POST", "/_sim/reset":
                self.state.clear()
                self.faults.clear()
                self._seen.clear()
                return as_json(200, {"reset": True})
            case _:
                return as_json(404, {"error": f"There is no control route {request.path}."})

    def _arm(self, body: bytes) -> Reply:
        try:
            self.faults.arm(msgspec.json.decode(body, type=Fault))
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            return as_json(400, {"error": str(error)})
        return as_json(200, {"faults": len(self.faults.listed())})


def _failure(fault: Fault) -> Reply:
    headers = {"retry-after": fault.retry_after} if fault.retry_after else {}
    body = {"status": fault.status, "error": "A fault that was asked for"}
    return as_json(fault.status, body, headers)


def _body(request: Request) -> Any:
    if not request.body:
        return {}
    try:
        return _decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise bad_request(f"the body is not JSON: {error}") from error
