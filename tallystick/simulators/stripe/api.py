"""The simulated API: who asks, which route, what goes wrong on purpose, and the answer kept."""

import asyncio
import base64
import binascii
import contextlib
from collections import deque
from collections.abc import Mapping

import msgspec
import structlog

from tallystick.simulators.http import ConnectionCut, Reply, Request, as_json
from tallystick.simulators.stripe.call import API_VERSION, Call, Handler, Route
from tallystick.simulators.stripe.errors import (
    Json,
    StripeError,
    invalid,
    secret_key_required,
    unauthorized,
)
from tallystick.simulators.stripe.expanding import expanded
from tallystick.simulators.stripe.faults import Fault, Faults
from tallystick.simulators.stripe.form import Raw, decode
from tallystick.simulators.stripe.idempotency import Claim, Idempotency, claim
from tallystick.simulators.stripe.intents import for_page
from tallystick.simulators.stripe.params import EXPAND, Shape, read, text
from tallystick.simulators.stripe.routes import find, for_pages
from tallystick.simulators.stripe.state import State

log = structlog.get_logger()

REQUESTS_KEPT = 2000
TOO_MANY = 429
CORS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "Request-Id",
}
PREFLIGHT = {
    **CORS,
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": "authorization, content-type, stripe-version",
    "access-control-max-age": "300",
}


class Seen(msgspec.Struct, frozen=True):
    """One request as the log shows it; `status` None means that no answer was sent."""

    request_id: str
    method: str
    path: str
    status: int | None
    idempotency_key: str | None
    replayed: bool
    fault: str | None


class Order(msgspec.Struct, frozen=True):
    """A request that has a route: what is left to do is to run it."""

    route: Route
    path_ids: Mapping[str, str]
    raw: Mapping[str, Raw]
    publishable: bool
    claim: Claim | None
    request_id: str
    base_url: str


class Api:
    """Answers requests on the routes, one at a time: a handler never waits for anything."""

    def __init__(self, state: State, faults: Faults) -> None:
        self.state = state
        self.faults = faults
        self.requests: deque[Seen] = deque(maxlen=REQUESTS_KEPT)
        self._idempotency = Idempotency(state)
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Cut the requests that a delay holds up: the server is about to stop."""
        self._closing.set()

    async def answer(self, request: Request) -> Reply:
        """Return the answer. Raises ConnectionCut where a fault wants no answer."""
        if request.method == "OPTIONS" and for_pages(request.path):
            return Reply(200, b"", PREFLIGHT)
        request_id = self.state.ids.new("req")
        self.state.reached_at = request.base_url
        fault = self.faults.on_request(request.method, request.path)
        status = None
        replayed = False
        try:
            reply = await self._reply(request, request_id, fault)
            status = reply.status
            replayed = "Idempotent-Replayed" in reply.headers
        finally:
            self._note(request, request_id, status, fault, replayed=replayed)
        return reply

    async def _reply(self, request: Request, request_id: str, fault: Fault | None) -> Reply:
        headers = self._headers(request, request_id)
        try:
            status, body, original = await self._result(request, request_id, fault)
        except StripeError as error:
            status, body, original = error.status, error.body(request_id), None
            if status == TOO_MANY:
                headers["Stripe-Rate-Limited-Reason"] = "global-rate"
        except ConnectionCut:
            raise
        except Exception:
            log.exception("stripe_simulator_failed", path=request.path, request_id=request_id)
            status, body, original = 500, failure(500).body(request_id), None
        if original:
            headers |= {"Idempotent-Replayed": "true", "Original-Request": original}
        return as_json(status, body, headers)

    async def _result(
        self, request: Request, request_id: str, fault: Fault | None
    ) -> tuple[int, Json, str | None]:
        """Return status, body, and the id of the first request when its answer is repeated."""
        if fault and fault.action == "drop_before":
            raise ConnectionCut
        if fault and fault.action == "status":
            raise failure(fault.status)
        order = self._order(request, request_id)
        with self._idempotency.running(order.claim):
            if fault and fault.delay_ms:
                await self._hold_up(fault.delay_ms / 1000)
            kept = self._idempotency.kept(order.claim)
            if kept:
                status, body, original = kept["status"], kept["body"], kept["request_id"]
            else:
                status, body = self._run(order, fault)
                original = None
        if fault and fault.action == "drop_reply":
            raise ConnectionCut
        if fault and fault.action == "status_after":
            raise failure(fault.status)
        return status, body, original

    async def _hold_up(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)
            raise ConnectionCut

    def _order(self, request: Request, request_id: str) -> Order:
        encoded = request.body.decode("latin-1") if request.method == "POST" else request.query
        raw = decode(encoded)
        publishable = is_publishable(request, raw)
        version = request.headers.get("stripe-version", API_VERSION)
        if version != API_VERSION:
            raise invalid(f"This simulator speaks {API_VERSION} alone, not {version[:40]}.")
        route, path_ids = find(request.method, request.path)
        if publishable and not route.client:
            raise secret_key_required()
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        return Order(
            route=route,
            path_ids=path_ids,
            raw=raw,
            publishable=publishable,
            claim=claim(key, request.path, raw) if key else None,
            request_id=request_id,
            base_url=request.base_url,
        )

    def _run(self, order: Order, fault: Fault | None) -> tuple[int, Json]:
        """Do what is asked and keep the answer with it, all or nothing."""
        shape: Shape = {**order.route.params, **EXPAND}
        if order.publishable:
            shape = {**shape, "key": text}
        params = read(shape, order.raw, order.route.required)
        call = Call(
            state=self.state,
            params=params,
            path=order.path_ids,
            request_id=order.request_id,
            base_url=order.base_url,
            idempotency_key=order.claim.key if order.claim else None,
            publishable=order.publishable,
        )
        with self.state.change():
            status, body = outcome(call, order.route.handler)
            if order.claim:
                keep = (status, body)
                if fault and fault.action == "status_after" and fault.keep_answer:
                    keep = (fault.status, failure(fault.status).body(order.request_id))
                self._idempotency.keep(order.claim, *keep, order.request_id)
        return status, body

    def _headers(self, request: Request, request_id: str) -> dict[str, str]:
        headers = {"Request-Id": request_id, "Stripe-Version": API_VERSION}
        if "idempotency-key" in request.headers:
            headers["Idempotency-Key"] = request.headers["idempotency-key"]
        return headers | CORS if for_pages(request.path) else headers

    def _note(
        self,
        request: Request,
        request_id: str,
        status: int | None,
        fault: Fault | None,
        *,
        replayed: bool,
    ) -> None:
        self.requests.append(
            Seen(
                request_id=request_id,
                method=request.method,
                path=request.path,
                status=status,
                idempotency_key=request.headers.get("idempotency-key"),
                replayed=replayed,
                fault=fault.action if fault else None,
            )
        )


def outcome(call: Call, handler: Handler) -> tuple[int, Json]:
    """Return the handler's answer; a decline that stands is an answer too."""
    try:
        status, body = 200, expanded(call.state, handler(call), call.params.get("expand", ()))
    except StripeError as error:
        if not error.stands:
            raise
        status, body = error.status, error.body(call.request_id or "")
    return status, for_page(body) if call.publishable else body


def failure(status: int) -> StripeError:
    """Return the error that a fault with this status stands for."""
    if status == TOO_MANY:
        message = "Request rate limit exceeded. Learn more about rate limits in Stripe's docs."
        return invalid(message, code="rate_limit", status=status)
    return StripeError(status, "api_error", "An unknown error occurred: a fault of the simulator.")


def is_publishable(request: Request, raw: Mapping[str, Raw]) -> bool:
    """Tell a page's key from a server's. Raises StripeError 401 for no key or another one."""
    key = _key(request.headers.get("authorization", "")) or raw.get("key", "")
    if not isinstance(key, str) or not key:
        raise unauthorized(
            "You did not provide an API key. You need to provide your API key in the "
            "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer "
            "YOUR_SECRET_KEY')."
        )
    if key.startswith("pk_test_"):
        return True
    if not key.startswith(("sk_test_", "rk_test_")):
        # Never the whole key: somebody may have sent a live one.
        raise unauthorized(f"Invalid API Key provided: {key[:3]}{'*' * 8}")
    return False


def _key(header: str) -> str:
    """Return the key of a Bearer header, or the user name of a Basic one."""
    scheme, _, value = header.strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
