"""Sending what is due: at least once, each object's events in their order.

A delivery is leased, its body made and kept, sent without any transaction, and the answer written
down. A crash anywhere in between lets the lease run out; it is sent again, with the same id.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from random import random
from typing import Final, Protocol
from uuid import UUID

import structlog

from tallystick.kernel import outbox
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.due import WallKind
from tallystick.kernel.ids import show
from tallystick.outgoing_webhooks import endpoint_store, queue_store
from tallystick.outgoing_webhooks.events import WEBHOOK_ENDPOINT_DISABLED, WebhookEndpointDisabled
from tallystick.outgoing_webhooks.model import Answer, DeliveryStatus, DisabledReason, Leased
from tallystick.outgoing_webhooks.schedule import Again, Arrived, GivenUp, follow_up, is_hopeless
from tallystick.outgoing_webhooks.signing import signed_headers

log = structlog.get_logger()

LEASE: Final = timedelta(seconds=120)
HOLD: Final = timedelta(minutes=5)
IN_FLIGHT_MAX: Final = 32
OF_EACH: Final = 5
"""So many at once go to one endpoint."""
LOOK_AGAIN_S: Final = 1.0

MakeBody = Callable[[Connection, Leased], Awaitable[bytes]]
"""From an event to what is sent of it; reads what it needs."""


class Send(Protocol):
    """Posts a body and never raises for what is the endpoint's doing."""

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Awaitable[Answer]:
        """Post once."""
        ...


class Sender:
    """Sends due deliveries."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        make_body: MakeBody,
        send: Send,
        chance: Callable[[], float] = random,
    ) -> None:
        self._db = db
        self._clock = clock
        self._make_body = make_body
        self._send = send
        self._chance = chance

    def kind(self) -> WallKind:
        """Return the kind of due work, on wall time."""
        return WallKind("webhook_deliveries", self.run_due)

    async def run_due(self, now: datetime) -> int:
        """Send until nothing is due, and return how many that were.

        Endpoints do not wait for each other: a slow one holds its own few places only.
        """
        async with self._db.transaction(WRITER) as conn:
            await queue_store.hold_blocked(conn, now, HOLD)
        flights: dict[asyncio.Task[None], UUID] = {}
        total = 0
        async with asyncio.TaskGroup() as group:
            while True:
                leased = await self._lease(list(flights.values()))
                total += len(leased)
                for delivery in leased:
                    flights[group.create_task(self._deliver(delivery))] = (
                        delivery.webhook_endpoint_id
                    )
                if not flights:
                    return total
                ended, _ = await asyncio.wait(
                    flights, timeout=LOOK_AGAIN_S, return_when=asyncio.FIRST_COMPLETED
                )
                for flight in ended:
                    del flights[flight]

    async def _lease(self, busy: list[UUID]) -> list[Leased]:
        free = IN_FLIGHT_MAX - len(busy)
        if free <= 0:
            return []
        async with self._db.transaction(WRITER) as conn:
            return await queue_store.lease_due(
                conn, self._clock(), LEASE, busy=busy, limit=free, of_each=OF_EACH
            )

    async def _deliver(self, delivery: Leased) -> None:
        """Send one; what fails here is tried again when the lease has run out."""
        try:
            url, headers, body = await self._prepare(delivery)
            answer = await self._send(url, headers, body)
            async with self._db.transaction(WRITER) as conn:
                await self._record(conn, delivery, answer, self._clock())
        except Exception:
            message_id = show("webhook_delivery", delivery.webhook_delivery_id)
            log.exception("webhook_delivery_failed", webhook_delivery_id=message_id)
            return
        log.info(
            "webhook_sent",
            webhook_delivery_id=show("webhook_delivery", delivery.webhook_delivery_id),
            kind=delivery.kind,
            status=answer.status_code,
            error=answer.error,
        )

    async def _prepare(self, delivery: Leased) -> tuple[str, Mapping[str, str], bytes]:
        """Make the body, unless an earlier try did, and sign it as of now."""
        now = self._clock()
        ids = (delivery.account_id, delivery.webhook_endpoint_id)
        async with self._db.transaction(WRITER) as conn:
            body = delivery.body
            if body is None:
                body = await self._make_body(conn, delivery)
                await queue_store.keep_body(conn, delivery, body)
            secrets = await endpoint_store.secrets(conn, *ids, now)
        message_id = show("webhook_delivery", delivery.webhook_delivery_id)
        return delivery.url, signed_headers(message_id, body, secrets, now), body

    async def _record(
        self, conn: Connection, delivery: Leased, answer: Answer, now: datetime
    ) -> None:
        await queue_store.note_try(conn, delivery, answer, now)
        match follow_up(answer, delivery.round_count, now, self._chance()):
            case Arrived():
                await _finish(conn, delivery, answer, DeliveryStatus.DELIVERED, now)
                await endpoint_store.note_working(
                    conn, delivery.account_id, delivery.webhook_endpoint_id
                )
            case Again(at):
                waiting = DeliveryStatus.WAITING
                await queue_store.finish(
                    conn, delivery, answer, status=waiting, again_at=at, done_at=None
                )
                await _note_failure(conn, delivery, now, gone=False)
            case GivenUp(gone):
                await _finish(conn, delivery, answer, DeliveryStatus.FAILED, now)
                await _note_failure(conn, delivery, now, gone=gone)


async def _finish(
    conn: Connection, delivery: Leased, answer: Answer, status: DeliveryStatus, now: datetime
) -> None:
    """End a delivery, and let the object's next event go."""
    await queue_store.finish(conn, delivery, answer, status=status, again_at=None, done_at=now)
    await queue_store.wake_next(conn, delivery, now)


async def _note_failure(conn: Connection, delivery: Leased, now: datetime, *, gone: bool) -> None:
    """Note that the endpoint fails; disable it when it is gone, or has failed for days."""
    ids = (delivery.account_id, delivery.webhook_endpoint_id)
    await endpoint_store.note_failing(conn, *ids, now)
    endpoint = await endpoint_store.find(conn, *ids)
    if endpoint is None or not endpoint.is_enabled or endpoint.failing_since is None:
        return
    if not gone and not is_hopeless(endpoint.failing_since, now):
        return
    reason = DisabledReason.GONE if gone else DisabledReason.FAILING
    if await endpoint_store.disable(conn, *ids, reason):
        told = WebhookEndpointDisabled(delivery.webhook_endpoint_id, reason)
        await outbox.append(conn, delivery.account_id, WEBHOOK_ENDPOINT_DISABLED, told)
        log.warning(
            "webhook_endpoint_disabled",
            webhook_endpoint_id=show("webhook_endpoint", delivery.webhook_endpoint_id),
            reason=reason,
        )
