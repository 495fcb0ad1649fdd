"""The REST API: path, method, version, caller, body, and what goes wrong on purpose."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import structlog

from tallystick.simulators.ccbill import charges, datalink, management, oauth, tokens
from tallystick.simulators.ccbill.call import MEDIA_TYPES, Answer, Call, Route
from tallystick.simulators.ccbill.deliveries import Deliveries
from tallystick.simulators.ccbill.errors import (
    MEDIA_TYPE,
    CcbillError,
    Unauthorized,
    failed,
    forbidden,
    invalid,
    not_found,
)
from tallystick.simulators.ccbill.faults import Fault, Faults
from tallystick.simulators.ccbill.ids import as_uuid, digest
from tallystick.simulators.ccbill.state import State
from tallystick.simulators.http import ConnectionCut, Reply, Request, as_json

log = structlog.get_logger()

REQUESTS_KEPT = 2000
TIMEOUT_S = 60.0
ROUTES: tuple[Route, ...] = (*tokens.ROUTES, *charges.ROUTES)
# What is not of the REST API's own shape.
RAW: Mapping[tuple[str, str], Callable[[State, Request], Reply]] = {
    ("POST", oauth.PATH): oauth.issue,
    ("GET", datalink.PATH): datalink.report,
    ("GET", management.PATH): management.answer,
}
CORS = {"access-control-allow-origin": "*"}
PREFLIGHT = {
    **CORS,
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": "authorization, content-type, accept, cache-control, "
    "x-origin-ip, widget-version",
    "access-control-max-age": "300",
}
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


class Seen(msgspec.Struct, frozen=True):
    """One request as the log shows it; `status` None means that no answer was sent."""

    method: str
    path: str
    status: int | None
    fault: str | None


class Api:
    """Answers requests on the routes, one at a time: a handler never waits for anything."""

    def __init__(self, state: State, faults: Faults, deliveries: Deliveries) -> None:
        self.faults = faults
        self.requests: deque[Seen] = deque(maxlen=REQUESTS_KEPT)
        self._state = state
        self._deliveries = deliveries
        self._closing = asyncio.Event()
        self._count = 0

    def close(self) -> None:
        """Cut the requests that a delay holds up: the server is about to stop."""
        self._closing.set()

    async def answer(self, request: Request) -> Reply:
        """Return the answer. Raises ConnectionCut where a fault wants no answer."""
        routes = [route for route in ROUTES if route.match(request.path) is not None]
        if request.method == "OPTIONS" and any(route.page for route in routes):
            return Reply(200, b"", PREFLIGHT)
        fault = self.faults.on_request(request.method, request.path)
        status = None
        try:
            reply = await self._reply(request, fault)
            status = reply.status
        finally:
            told = fault.action if fault else None
            self.requests.append(Seen(request.method, request.path, status, told))
        if any(route.page for route in routes):
            return msgspec.structs.replace(reply, headers={**reply.headers, **CORS})
        return reply

    async def _reply(self, request: Request, fault: Fault | None) -> Reply:
        try:
            return await self._result(request, fault)
        except CcbillError as error:
            return self._shown(error, request)
        except Unauthorized as error:
            return self._unauthorized(error)
        except ConnectionCut:
            raise
        except Exception:
            log.exception("ccbill_simulator_failed", path=request.path)
            return self._shown(failed(100100, "Internal error."), request)

    async def _result(self, request: Request, fault: Fault | None) -> Reply:
        if fault and fault.action == "drop":
            raise ConnectionCut
        if fault and fault.action == "status":
            return _failure(fault, request)
        if fault and fault.action == "delay":
            await self.hold_up((fault.delay_ms or 0) / 1000)
        raw = RAW.get((request.method, request.path))
        if raw:
            with self._state.change():
                reply = raw(self._state, request)
            return await self._spoiled(reply, fault, request)
        route, call = self._understood(request)
        with self._state.change():
            answer = route.handler(call)
        media_type = next(name for name, number in MEDIA_TYPES.items() if number == call.version)
        reply = as_json(200, answer.value, {"content-type": media_type})
        return await self._spoiled(await self._mishap(answer, reply), fault, request)

    async def _mishap(self, answer: Answer, reply: Reply) -> Reply:
        """Let happen what the amount of a charge asks for, after it was done."""
        if answer.mishap == "error_after":
            raise failed(100103, "Transaction error.")
        if answer.mishap == "webhook_first":
            await self._deliveries.flush()
        if answer.mishap == "slow_reply":
            self._deliveries.wake()
            await self.hold_up(self._state.config.slow_reply_s)
        return reply

    async def _spoiled(self, reply: Reply, fault: Fault | None, request: Request) -> Reply:
        """Let happen what a fault asks for, after the request was done."""
        if fault is None:
            return reply
        if fault.action == "timeout":
            self._deliveries.wake()
            wait = TIMEOUT_S if fault.delay_ms is None else fault.delay_ms / 1000
            await self.hold_up(wait)
        if fault.action in ("drop_reply", "timeout"):
            raise ConnectionCut
        if fault.action == "status_after":
            return _failure(fault, request)
        if fault.action == "truncate":
            return msgspec.structs.replace(reply, body=reply.body[: len(reply.body) // 2])
        return reply

    async def hold_up(self, seconds: float) -> None:
        """Wait; cut the connection when the server stops meanwhile."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)
            raise ConnectionCut

    def _understood(self, request: Request) -> tuple[Route, Call]:
        """Check path, method, version, caller and body, in this order."""
        route, ids = _route(request)
        version = _version(request.headers.get("accept", ""), route)
        client = oauth.bearer(self._state, request.headers.get("authorization", ""))
        if client not in route.clients:
            raise forbidden()
        query = dict(parse_qsl(request.query))
        body = _body(request) if request.method == "POST" else {}
        return route, Call(self._state, ids, query, body, request.headers, version)

    def _shown(self, error: CcbillError, request: Request) -> Reply:
        self._count += 1
        error_id = as_uuid(digest(self._state.meta, f"error {self._count}"))
        body = error.body(error_id, request.path, self._state.now())
        return as_json(error.status, body, {"content-type": MEDIA_TYPE})

    def _unauthorized(self, error: Unauthorized) -> Reply:
        headers = {"www-authenticate": f'{error.scheme} realm="ccbill"'}
        if not self._state.config.oauth_error_body:
            return Reply(401, b"", headers)
        body = {"error": error.error, "error_description": error.description}
        return as_json(401, body, headers)


def _failure(fault: Fault, request: Request) -> Reply:
    """Return the error of a fault; the management service answers codes below 0 itself."""
    if request.path == management.PATH and fault.code < 0:
        return management.written(fault.code, as_xml="returnXML=1" in request.query)
    raise CcbillError(fault.status, fault.code, "A fault of the simulator.")


def _route(request: Request) -> tuple[Route, dict[str, str]]:
    matches = [(route, route.match(request.path)) for route in ROUTES]
    fitting = [(route, ids) for route, ids in matches if ids is not None]
    for route, ids in fitting:
        if route.method == request.method:
            return route, ids
    if fitting or any(request.path == path for _, path in RAW):
        raise CcbillError(405, 130000, "Method not allowed.")
    raise not_found()


def _version(accept: str, route: Route) -> int:
    for part in accept.split(","):
        version = MEDIA_TYPES.get(part.partition(";")[0].strip())
        if version in route.versions:
            return version
    raise CcbillError(406, 100015, "Accept header is not supported.")


def _body(request: Request) -> Mapping[str, Any]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/json" and kind not in MEDIA_TYPES:
        raise CcbillError(415, 100004, "Content type is not supported.")
    try:
        body = _decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = None
    if not isinstance(body, dict):
        raise invalid((None, "The body must be a JSON object."))
    return body
