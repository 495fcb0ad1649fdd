"""Sending: one batch in a second, over all workers; nothing is lost and nothing counts twice.

Before a call its event is `unknown`, with the time of its first try: whoever dies leaves it so,
and it is sent again under its identifier, which Stripe counts once within 24 hours. After that
nobody knows whether it would count again, so it is held for a person.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec
import structlog

from tallystick.kernel.backoff import wait_after
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.due import WallKind
from tallystick.payments import linking
from tallystick.payments.metered import Answer, Away, MeterEvent, Unclear
from tallystick.stripe_meters import events_store, looking, store
from tallystick.stripe_meters.model import EventStatus, SendRules, StripeMeter, ToldEvent
from tallystick.stripe_meters.outcomes import (
    GATEWAY,
    after_answer,
    before_try,
    identifier,
    key_of,
    payload,
)
from tallystick.stripe_meters.store import HourRow

log = structlog.get_logger()

LEASE: Final = timedelta(minutes=3)
"""Longer than a batch takes, but for the worst: correctness does not rest on it."""
IN_FLIGHT_MAX: Final = 16
PAUSE: Final = timedelta(milliseconds=500)
"""The worker may be woken a hundred times a second; looking for usage still costs something."""
SECOND: Final = timedelta(seconds=1)


class MeterGateway(Protocol):
    """Whoever tells Stripe."""

    async def send(self, event: MeterEvent) -> Answer:
        """Tell of usage."""

    async def take_back(self, event_name: str, identifier: str, key: str) -> Answer:
        """Let an event not count that was told within the last day."""


class Batch(msgspec.Struct, frozen=True):
    """What is sent side by side, under which lease, after how many failures.

    `looked` counts the hours that were looked at before, and what could not be sent.
    """

    events: tuple[tuple[ToldEvent, StripeMeter], ...] = ()
    lease_no: int = 0
    failure_count: int = 0
    looked: int = 0


class Sender:
    """Looks at hours that have settled, and sends what waits."""

    def __init__(
        self,
        db: Database,
        gateway: MeterGateway,
        clock: Clock,
        rules: SendRules,
        random_below: Callable[[int], int] = secrets.randbelow,
    ) -> None:
        self._db = db
        self._gateway = gateway
        self._clock = clock
        self._rules = rules
        self._random_below = random_below
        self._ended_at: datetime | None = None

    def kind(self) -> WallKind:
        """Return the sending as work for the worker."""
        return WallKind("stripe_meters", self.run_due)

    async def run_due(self, now: datetime) -> int:
        """Look at hours and send one batch; return how much was done, 0 when nothing is due."""
        if self._ended_at is not None and self._ended_at <= now < self._ended_at + PAUSE:
            return 0
        batch = await self._take(now)
        if batch.events:
            answers = await self._send(batch.events)
            await self._conclude(batch, answers, now)
        done = len(batch.events) + batch.looked
        self._ended_at = None if done else now
        return done

    async def _take(self, now: datetime) -> Batch:
        async with self._db.own_transaction(WRITER) as conn:
            sync = await store.lock_free_sync(conn, now)
            if sync is None:
                return Batch()
            meters = await looking.configured(conn)
            if not meters:
                return Batch()
            await looking.note_news(conn, meters, sync, now, self._rules)
            looked = await looking.look(conn, meters, now)
            due = await events_store.lock_due(conn, now, self._rules.calls_per_second)
            tried = await _begin(conn, due, now)
            events = tuple((event, meters[event.meter_id][1]) for event in tried)
            lease_no = await store.take_lease(conn, now + LEASE) if events else 0
            return Batch(events, lease_no, sync.failure_count, looked + len(due) - len(events))

    async def _send(self, events: Sequence[tuple[ToldEvent, StripeMeter]]) -> list[Answer]:
        gate = asyncio.Semaphore(IN_FLIGHT_MAX)

        async def one(event: ToldEvent, meter: StripeMeter) -> Answer:
            async with gate:
                return await self._ask(event, meter)

        return await asyncio.gather(*(one(event, meter) for event, meter in events))

    async def _ask(self, event: ToldEvent, meter: StripeMeter) -> Answer:
        name = identifier(event)
        if event.status == EventStatus.CANCELING:
            return await self._gateway.take_back(event.event_name, name, key_of(event))
        return await self._gateway.send(
            MeterEvent(
                identifier=name,
                key=key_of(event),
                event_name=event.event_name,
                at=event.at,
                payload=payload(event, meter),
            )
        )

    async def _conclude(self, batch: Batch, answers: Sequence[Answer], began_at: datetime) -> None:
        at = self._clock()
        async with self._db.own_transaction(WRITER) as conn:
            for (event, _), answer in zip(batch.events, answers, strict=True):
                await _keep(conn, event, answer, at)
            failed = next((one for one in answers if isinstance(one, Away | Unclear)), None)
            if failed is None:
                await store.note_sent(conn, batch.lease_no, at, began_at + SECOND)
                return
            count = batch.failure_count + 1
            until = at + wait_after(count, None, self._random_below)
            await store.note_failure(conn, batch.lease_no, at, failed.code, count, until)
        log.warning("stripe_meters_resting", reason=failed.code, failure_count=count, until=until)


async def _begin(
    conn: Connection, due: Sequence[ToldEvent], now: datetime
) -> tuple[ToldEvent, ...]:
    """Write that events are tried, and return those; the others wait, or a person has to look."""
    tried = []
    for event in due:
        customer = event.customer or await linking.customer_at(conn, event.account_id, GATEWAY)
        after = before_try(event, customer, now, now + LEASE)
        await events_store.move(conn, event, after)
        if after.status in {EventStatus.UNKNOWN, EventStatus.CANCELING}:
            tried.append(after)
        elif after.status == EventStatus.HELD:
            log.warning("stripe_meters_held", account_id=event.account_id, reason=after.reason)
    return tuple(tried)


async def _keep(conn: Connection, event: ToldEvent, answer: Answer, at: datetime) -> None:
    """Write what an answer means; an event that was not taken back changes its hour's sum."""
    after = after_answer(event, answer, at)
    moved = await events_store.move(conn, event, after)
    if moved and after.status == EventStatus.REFUSED:
        log.warning("stripe_meters_refused", account_id=event.account_id, reason=after.reason)
    if moved and event.status == EventStatus.CANCELING and after.status == EventStatus.SENT:
        hour = HourRow(event.account_id, event.meter_id, event.hour, at)
        await store.note_hours(conn, [hour])
