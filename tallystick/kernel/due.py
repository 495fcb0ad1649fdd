"""The worker's loop over what is due: data with a due instant, not jobs that are remembered.

A kind claims its due rows (`FOR UPDATE SKIP LOCKED`, or a lease) and handles them. Kinds on
wall time (webhooks, the outbox) know no test clock; kinds on account time do, and a test clock
advances by asking each for its next instant.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
import structlog

from tallystick.kernel.clock import Clock
from tallystick.kernel.db import Actor, Database, acting

log = structlog.get_logger()

CHANNEL: Final = "tallystick_due"
ONLY: Final = "kind:"
"""A notification that begins like this wakes the kind that it names, any other one wakes all."""
POLL_S: Final = 1.0
_RETRY_FIRST_S: Final = 2
_RETRY_MAX_S: Final = 3600


class WallKind(msgspec.Struct, frozen=True):
    """Work on wall time: `run_due(now)` handles one batch and returns how many rows that were."""

    name: str
    run_due: Callable[[datetime], Awaitable[int]]


class AccountKind(msgspec.Struct, frozen=True):
    """Work on account time.

    `run_due(now, test_clock_id)` handles one batch of the accounts on that clock (None: of those
    on no test clock); `next_at(test_clock_id)` is the earliest instant that still waits there.
    """

    name: str
    run_due: Callable[[datetime, UUID | None], Awaitable[int]]
    next_at: Callable[[UUID], Awaitable[datetime | None]]


def retry_after(now: datetime, try_count: int) -> datetime:
    """Return when to try again after `try_count` failures: 2 s, 4 s, 8 s … at most an hour."""
    seconds = min(_RETRY_FIRST_S * 2 ** min(max(try_count - 1, 0), 12), _RETRY_MAX_S)
    return now + timedelta(seconds=seconds)


class Worker:
    """Runs every kind in a task of its own until cancelled; one kind's failure stops no other."""

    def __init__(self, db: Database, clock: Clock, kinds: Sequence[WallKind | AccountKind]) -> None:
        self._db = db
        self._clock = clock
        self._kinds = kinds
        self._wakes = {kind.name: asyncio.Event() for kind in kinds}

    async def run(self) -> None:
        """Work until cancelled; what is being handled then is finished or picked up later."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            for kind in self._kinds:
                group.create_task(self._loop(kind))

    async def run_once(self) -> int:
        """Handle everything that is due now and return how many rows that were (for tests)."""
        total = 0
        while handled := sum([await self._drain(kind) for kind in self._kinds]):
            total += handled
        return total

    async def _loop(self, kind: WallKind | AccountKind) -> None:
        wake = self._wakes[kind.name]
        while True:
            wake.clear()
            try:
                await self._drain(kind)
            except Exception:
                log.exception("due_kind_failed", kind=kind.name)
            with suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), POLL_S)

    async def _drain(self, kind: WallKind | AccountKind) -> int:
        total = 0
        with acting(Actor("job", kind.name)):
            while handled := await self._run(kind):
                total += handled
        return total

    async def _run(self, kind: WallKind | AccountKind) -> int:
        now = self._clock()
        if isinstance(kind, WallKind):
            return await kind.run_due(now)
        return await kind.run_due(now, None)

    async def _listen(self) -> None:
        """Wake all kinds on a notification; polling alone goes on when the connection is lost."""
        while True:
            try:
                await self._listen_until_lost()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                log.warning("due_listen_failed")
            await asyncio.sleep(POLL_S)

    async def _listen_until_lost(self) -> None:
        conn = await asyncpg.connect(self._db.dsn)
        try:
            lost = asyncio.Event()
            conn.add_termination_listener(lambda _: lost.set())
            await conn.add_listener(CHANNEL, lambda *sent: self._wake(str(sent[-1])))
            await lost.wait()
        finally:
            await conn.close()

    def _wake(self, payload: str) -> None:
        named = payload.removeprefix(ONLY) if payload.startswith(ONLY) else None
        for name, wake in self._wakes.items():
            if named in (None, name):
                wake.set()
