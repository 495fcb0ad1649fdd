"""Webhook deliveries: signed, at least once, repeated with growing gaps until a 2xx."""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import httpx
import msgspec
import structlog

from tallystick.simulators.state_store import Change
from tallystick.simulators.stripe.errors import Json
from tallystick.simulators.stripe.events import DELIVERY
from tallystick.simulators.stripe.faults import Faults
from tallystick.simulators.stripe.meters.error_reports import THIN, as_delivered
from tallystick.simulators.stripe.old_versions import as_of
from tallystick.simulators.stripe.state import State
from tallystick.simulators.stripe.webhook_endpoints import secret_of

log = structlog.get_logger()

TIMEOUT_SECONDS = 10.0
# Real Stripe goes on for three days; these are for a demo and for tests.
RETRY_GAPS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


def signature(body: bytes, secret: str, at: int) -> str:
    """Return the `Stripe-Signature` header: HMAC-SHA256 of `<t>.<body>` with the whole secret."""
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"


class Deliveries:
    """Sends what the state has queued; one sender for each endpoint, so first tries keep order.

    `wall_clock` stamps the signatures: a receiver compares them with its own time, whatever the
    simulated time is.
    """

    def __init__(
        self,
        state: State,
        faults: Faults,
        *,
        wall_clock: Callable[[], int],
        retry_gaps: Sequence[float] = RETRY_GAPS,
    ) -> None:
        self._state = state
        self._faults = faults
        self._wall_clock = wall_clock
        self._gaps = tuple(retry_gaps)
        self._queues: dict[str, asyncio.Queue[str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._known: set[str] = set()
        self._client: httpx.AsyncClient | None = None

    def start(self) -> None:
        """Begin to send, what is left from an earlier run first."""
        self._client = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)
        self._state.after_change = self._queue_new
        for delivery in reversed(list(self._state.newest_first(DELIVERY))):
            if delivery["status"] == "pending":
                self._queue(delivery)

    async def stop(self) -> None:
        """Stop sending at once; what is not delivered stays pending in the state."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client:
            await self._client.aclose()

    def forget(self) -> None:
        """Drop everything that waits: the state was reset."""
        for task in self._tasks:
            task.cancel()
        self._queues.clear()
        self._known.clear()

    def listed(self) -> list[Json]:
        """Return all deliveries with their attempts, oldest first."""
        return list(self._state.newest_first(DELIVERY))[::-1]

    def release(self, *, turned: bool) -> int:
        """Send the held deliveries, newest first when `turned`; return how many there were."""
        held = [delivery for delivery in self.listed() if delivery["status"] == "held"]
        for delivery in held[::-1] if turned else held:
            self._note(delivery, status="pending")
            self._queue(delivery)
        return len(held)

    def _queue_new(self, changes: list[Change]) -> None:
        for family, key, value in changes:
            if family == DELIVERY and value and key not in self._known:
                self._queue(value)

    def _queue(self, delivery: Json) -> None:
        self._known.add(delivery["id"])
        endpoint = delivery["endpoint"]
        if endpoint not in self._queues:
            self._queues[endpoint] = asyncio.Queue()
            self._spawn(self._send_all(self._queues[endpoint]))
        self._queues[endpoint].put_nowait(delivery["id"])

    async def _send_all(self, queue: asyncio.Queue[str]) -> None:
        while True:
            key = await queue.get()
            try:
                await self._send(key)
            except Exception:
                log.exception("stripe_simulator_delivery_failed", delivery_id=key)

    async def _send(self, key: str) -> None:
        delivery = self._state.get(DELIVERY, key)
        if delivery is None or delivery["status"] != "pending":
            return
        fault = None if delivery["attempts"] else self._faults.on_webhook(delivery["type"])
        if fault and fault.action == "never":
            self._note(delivery, status="dropped")
        elif fault and fault.action == "hold":
            self._note(delivery, status="held")
        else:
            for _ in range(2 if fault else 1):
                await self._try(key)

    async def _try(self, key: str) -> None:
        delivery = self._state.get(DELIVERY, key)
        endpoint = self._state.get("webhook_endpoint", delivery["endpoint"]) if delivery else None
        if delivery is None:
            return
        if endpoint is None or endpoint["status"] != "enabled":
            self._note(delivery, status="dropped")
            return
        code, error = await self._post(endpoint, delivery["event"])
        self._settle(key, code, error)

    async def _post(self, endpoint: Json, event_id: str) -> tuple[int | None, str | None]:
        thin = self._state.get(THIN, event_id)
        event = self._state.get("event", event_id)
        if event:
            event = as_of(self._state, event, endpoint["api_version"])
        body = msgspec.json.encode(as_delivered(thin) if thin else event)
        secret = secret_of(self._state, endpoint["id"])
        headers = {
            "content-type": "application/json; charset=utf-8",
            "stripe-signature": signature(body, secret, self._wall_clock()),
            "user-agent": "Stripe/1.0 (tallystick simulator)",
        }
        assert self._client is not None  # noqa: S101 `start` comes first
        try:
            reply = await self._client.post(endpoint["url"], content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            return None, type(problem).__name__
        return reply.status_code, None

    def _settle(self, key: str, code: int | None, error: str | None) -> None:
        """Write down how a try went, and plan the next one where it is needed."""
        delivery = self._state.get(DELIVERY, key)
        if delivery is None:
            return
        attempt = {"at": self._state.now(), "status_code": code, "error": error}
        attempts = [*delivery["attempts"], attempt]
        if code is not None and httpx.codes.is_success(code):
            self._note(delivery, status="delivered", attempts=attempts)
        elif delivery["status"] == "delivered":
            self._note(delivery, attempts=attempts)
        elif len(attempts) > len(self._gaps):
            self._note(delivery, status="given_up", attempts=attempts)
        else:
            again = self._note(delivery, status="pending", attempts=attempts)
            self._spawn(self._later(again, self._gaps[len(attempts) - 1]))

    async def _later(self, delivery: Json, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._queue(delivery)

    def _note(self, delivery: Json, **facts: object) -> Json:
        after = {**delivery, **facts}
        with self._state.change():
            self._state.put(DELIVERY, delivery["id"], after)
            if after["status"] == "delivered" and delivery["status"] != "delivered":
                self._count_down(delivery["event"])
        return after

    def _count_down(self, event_id: str) -> None:
        event = self._state.get("event", event_id)
        if event:
            left = max(event["pending_webhooks"] - 1, 0)
            self._state.save({**event, "pending_webhooks": left})

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
