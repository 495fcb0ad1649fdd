"""Webhook deliveries: posted in order of their places, repeated until a 200 or given up."""

import asyncio
import contextlib
from datetime import timedelta
from urllib.parse import urlencode, urlsplit, urlunsplit

import httpx
import msgspec
import structlog

from tallystick.simulators.ccbill.config import Webhook
from tallystick.simulators.ccbill.events import body_fields, group, listening, release
from tallystick.simulators.ccbill.faults import Fault, Faults
from tallystick.simulators.ccbill.model import Attempt, Delivery, Event
from tallystick.simulators.ccbill.state import State

log = structlog.get_logger()

# How long a sleeping sender may overlook that simulated time has come: it is woken for all else.
SLEEP_MAX_S = 30.0
OK = 200


def url_of(event: Event, url: str) -> str:
    """Return the URL with what CCBill puts into its query."""
    told = urlencode(
        {
            "clientAccnum": str(event.accnum),
            "clientSubacc": f"{event.subacc:04d}",
            "eventType": event.kind,
            "eventGroupType": group(event.kind),
        }
    )
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=f"{parts.query}&{told}".lstrip("&")))


def body_of(event: Event, hook: Webhook, *, with_kind: bool) -> tuple[bytes, str]:
    """Return the body in the URL's format, with its content type."""
    fields = body_fields(event, hook)
    if with_kind:
        fields["eventType"] = event.kind
    if hook.format == "json":
        return msgspec.json.encode(fields), "application/json"
    return urlencode(fields).encode(), hook.content_type


class Deliveries:
    """Sends what is due: one URL's deliveries one after the other, URLs side by side."""

    def __init__(self, state: State, faults: Faults) -> None:
        self._state = state
        self._faults = faults
        self._wake = asyncio.Event()
        self._idle = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._client: httpx.AsyncClient | None = None

    def start(self) -> None:
        """Begin to send, what is left from an earlier run first."""
        self._client = httpx.AsyncClient(trust_env=False)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop sending at once; what is not delivered stays in the state."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._client:
            await self._client.aclose()

    def wake(self) -> None:
        """Look for deliveries that are due now."""
        self._wake.set()

    async def flush(self) -> None:
        """Try all that is due before going on."""
        async with self._idle:
            await self._send_due()

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._sleep_s())
            self._wake.clear()
            try:
                await self.flush()
            except Exception:
                log.exception("ccbill_simulator_delivery_failed")

    def _sleep_s(self) -> float:
        now = self._state.now()
        waits = [
            (one.due_at - now) / timedelta(seconds=1)
            for one in self._state.open_deliveries("pending")
        ]
        return min(max(min(waits, default=SLEEP_MAX_S), 0.0), SLEEP_MAX_S)

    async def _send_due(self) -> None:
        """Send until nothing is due; a reordered one is due again behind its successor."""
        while due := [
            one for one in self._state.open_deliveries("pending") if one.due_at <= self._state.now()
        ]:
            due.sort(key=lambda one: one.place)
            by_url: dict[str, list[Delivery]] = {}
            for delivery in due:
                by_url.setdefault(delivery.url, []).append(delivery)
            await asyncio.gather(*(self._send_all(some) for some in by_url.values()))

    async def _send_all(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            await self._send(delivery)

    async def _send(self, listed: Delivery) -> None:
        delivery: Delivery | None = self._state.get("deliveries", str(listed.n))
        if delivery is None or delivery.status != "pending":
            return
        is_first = not delivery.attempts and not delivery.strayed
        fault = self._faults.on_webhook(delivery.kind) if is_first else None
        if fault and fault.action != "duplicate":
            self._put_off(delivery, fault)
            return
        for _ in range(fault.copies if fault else 1):
            await self._try(delivery.n)
        self._release_reordered(delivery)

    def _put_off(self, delivery: Delivery, fault: Fault) -> None:
        if fault.action == "never":
            self._note(delivery, status="lost")
        elif fault.action == "late":
            later = self._state.now() + timedelta(milliseconds=fault.delay_ms or 0)
            self._note(delivery, due_at=later, strayed=True)
        else:
            waits_for = "next" if fault.action == "reorder" else "release"
            self._note(delivery, status="held", waits_for=waits_for, strayed=True)

    def _release_reordered(self, sent: Delivery) -> None:
        held = [
            one
            for one in self._state.open_deliveries("held")
            if one.waits_for == "next" and one.url == sent.url
        ]
        if held:
            with self._state.change():
                release(self._state, held)

    async def _try(self, number: int) -> None:
        delivery: Delivery | None = self._state.get("deliveries", str(number))
        event = self._state.get("events", str(delivery.event)) if delivery else None
        if delivery is None or event is None:
            return
        # The next try is counted from here: the clock may be put forward meanwhile.
        started, era = self._state.now(), self._state.era
        code, error = await self._post(delivery, event)
        if era == self._state.era:
            self._settle(number, Attempt(started, code, error))

    async def _post(self, delivery: Delivery, event: Event) -> tuple[int | None, str | None]:
        config = self._state.config
        hooks = [hook for hook in listening(self._state, event) if hook.url == delivery.url]
        hook = hooks[0] if hooks else Webhook(delivery.url)
        body, kind = body_of(event, hook, with_kind=config.event_type_in_body)
        headers = {"content-type": kind, "user-agent": "CCBill (tallystick simulator)"}
        if config.webhook_forwarded_for:
            headers["x-forwarded-for"] = config.webhook_forwarded_for
        assert self._client is not None  # noqa: S101 `start` comes first
        try:
            reply = await self._client.post(
                url_of(event, delivery.url),
                content=body,
                headers=headers,
                timeout=config.webhook_timeout_s,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            return None, type(problem).__name__
        return reply.status_code, None

    def _settle(self, number: int, attempt: Attempt) -> None:
        """Write down how a try went, and when the next one is due."""
        delivery: Delivery | None = self._state.get("deliveries", str(number))
        if delivery is None:
            return
        attempts = (*delivery.attempts, attempt)
        waits = self._state.config.webhook_retries_s
        if attempt.status_code == OK or delivery.status == "delivered":
            self._note(delivery, status="delivered", attempts=attempts)
        elif len(attempts) >= len(waits):
            self._note(delivery, status="given_up", attempts=attempts)
        else:
            due = attempt.at + timedelta(seconds=waits[len(attempts)])
            self._note(delivery, due_at=due, attempts=attempts)

    def _note(self, delivery: Delivery, **facts: object) -> None:
        with self._state.change():
            if self._state.get("deliveries", str(delivery.n)) is not None:
                changed = msgspec.structs.replace(delivery, **facts)
                self._state.put("deliveries", str(delivery.n), changed)
