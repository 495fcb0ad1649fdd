"""The outermost layer: a request's id, its log line and its numbers, and headers for safety.

It stands outside the framework, so an unknown path or a refused body has an id and a line too.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final, cast

import msgspec
import structlog
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from tallystick.kernel.ids import new_id, show

log = structlog.get_logger()

_REQUEST_ID: Final = re.compile(rb"^[A-Za-z0-9._:-]{1,128}$")
_COMMON_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)
_QUIET_PATHS: Final = frozenset({"/healthz", "/readyz", "/metrics"})


class Waiting(msgspec.Struct, frozen=True):
    """How many webhooks of one kind wait, and how long the oldest does."""

    gateway: str
    state: str
    count: int
    oldest_seconds: float


class Metrics:
    """Counters of this process, read at `/metrics`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "tallystick_http_requests_total",
            "Requests answered",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "tallystick_http_request_seconds",
            "Time to answer",
            ("method", "route"),
            registry=self.registry,
        )

        self._waiting = Gauge(
            "tallystick_webhooks_waiting",
            "Webhooks not finished: received ones by gateway and state, those we send as `out`",
            ("gateway", "state"),
            registry=self.registry,
        )
        self._oldest = Gauge(
            "tallystick_webhooks_oldest_seconds",
            "How long the oldest of them waits",
            ("gateway", "state"),
            registry=self.registry,
        )

    def tell_webhooks(self, waiting: Iterable[Waiting]) -> None:
        """Tell of the webhooks that wait now, and of no others."""
        self._waiting.clear()
        self._oldest.clear()
        for one in waiting:
            self._waiting.labels(one.gateway, one.state).set(one.count)
            self._oldest.labels(one.gateway, one.state).set(one.oldest_seconds)

        self._meter_events = Gauge(
            "tallystick_stripe_meter_events",
            "Usage for Stripe's meters that is not done, by status",
            ("status",),
            registry=self.registry,
        )
        self._meter_events_oldest = Gauge(
            "tallystick_stripe_meter_events_oldest_seconds",
            "How long the oldest of it stands so",
            ("status",),
            registry=self.registry,
        )

    def tell_meter_events(self, waiting: Iterable[tuple[str, int, float]]) -> None:
        """Tell of the usage that is not done at Stripe: status, how many, age of the oldest."""
        self._meter_events.clear()
        self._meter_events_oldest.clear()
        for status, count, oldest_seconds in waiting:
            self._meter_events.labels(status).set(count)
            self._meter_events_oldest.labels(status).set(oldest_seconds)

    def watch_counters(self, is_up: Callable[[], bool], failure_count: Callable[[], int]) -> None:
        """Tell of the counters on Redis."""
        up = Gauge(
            "tallystick_usage_counters_up",
            "Whether Redis counts usage; 0: the database does in its place",
            registry=self.registry,
        )
        up.set_function(lambda: float(is_up()))
        failed = Gauge(
            "tallystick_usage_counters_failures",
            "How often Redis did not answer since the start",
            registry=self.registry,
        )
        failed.set_function(lambda: float(failure_count()))

    def watch_gateways(self, circuits: Callable[[], Mapping[str, str]]) -> None:
        """Tell of the circuit before each gateway that has one."""
        state = Gauge(
            "tallystick_gateway_circuit",
            "Whether calls are sent to it: 0 closed (all), 1 half open (one), 2 open (none)",
            ("gateway",),
            registry=self.registry,
        )
        for name in circuits():
            state.labels(name).set_function(partial(_circuit, circuits, name))


def _circuit(circuits: Callable[[], Mapping[str, str]], name: str) -> float:
    return _CIRCUITS[circuits()[name]]


_CIRCUITS: Final = {"closed": 0.0, "half_open": 1.0, "open": 2.0}


class Edge:
    """Wraps the whole application."""

    def __init__(self, app: ASGIApp, metrics: Metrics, content_policy: str) -> None:
        self._app = app
        self._metrics = metrics
        self._headers = (
            *_COMMON_HEADERS,
            (b"content-security-policy", content_policy.encode()),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if str(scope["type"]) != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(cast("HTTPScope", scope))
        scope["request_id"] = request_id  # type: ignore[typeddict-unknown-key]  # ours
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        status = [0]
        started = time.perf_counter()
        try:
            await self._app(scope, receive, self._sender(send, request_id, status))
        finally:
            self._note(cast("HTTPScope", scope), status[0], time.perf_counter() - started)

    def _sender(self, send: Send, request_id: str, status: list[int]) -> Send:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                status[0] = message["status"]
                present = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    *(pair for pair in self._headers if pair[0] not in present),
                ]
            await send(message)

        return with_headers

    def _note(self, scope: HTTPScope, status: int, seconds: float) -> None:
        # The template of the path, never the path: ids would make a series each.
        route = scope.get("path_template", "") or "unmatched"
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self._metrics.requests.labels(method, route, status).inc()
        self._metrics.seconds.labels(method, route).observe(seconds)
        if scope["path"] not in _QUIET_PATHS:
            log.info(
                "request_answered",
                method=scope["method"],
                route=route,
                status=status,
                milliseconds=round(seconds * 1000, 1),
            )


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def content_policy(script_origins: tuple[str, ...], frame_origins: tuple[str, ...] = ()) -> str:
    """Return the Content-Security-Policy of all pages: ours alone, and the gateways' scripts."""
    others = "".join(f" {origin}" for origin in script_origins)
    frames = "".join(f" {origin}" for origin in frame_origins)
    return (
        f"default-src 'self'; script-src 'self'{others}; style-src 'self'; img-src 'self' data:; "
        f"connect-src 'self'{others}; frame-src 'self'{others}{frames}; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


def _request_id(scope: HTTPScope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.match(value):
            return value.decode()
    return show("request", new_id())
