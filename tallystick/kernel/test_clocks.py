"""Test clocks: accounts that live in another time, moved forward on command.

Advancing handles everything that falls due on the way, in order of time, through the same code
as production: the clock stops at each due instant, that work runs, and only then it moves on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel import outbox
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.due import AccountKind
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import unknown

STEPS_MAX: Final = 100_000
_QUIET_POLLS_MAX: Final = 600
_QUIET_POLL_S: Final = 0.05

Tell = Callable[[datetime], Awaitable[int]]
"""Tells one batch of the outbox, by wall time."""

INSERT: Final = """
INSERT INTO test_clocks (test_clock_id, name, now_at, target_at, created_at)
VALUES ($1, $2, $3, $3, $4)
"""
FIND: Final = """
SELECT test_clock_id, name, now_at, target_at, created_at FROM test_clocks WHERE test_clock_id = $1
"""
LIST: Final = """
SELECT test_clock_id, name, now_at, target_at, created_at FROM test_clocks
ORDER BY created_at DESC, test_clock_id DESC LIMIT 100
"""
AIM: Final = """
UPDATE test_clocks SET target_at = $2 WHERE test_clock_id = $1 AND target_at = now_at
RETURNING test_clock_id
"""
MOVE: Final = "UPDATE test_clocks SET now_at = $2 WHERE test_clock_id = $1 AND now_at <= $2"
IN_USE: Final = """
SELECT test_clock_id FROM test_clocks c
WHERE target_at > now_at OR EXISTS (SELECT FROM accounts a WHERE a.test_clock_id = c.test_clock_id)
ORDER BY created_at
"""
TRY_LOCK: Final = (
    "SELECT pg_try_advisory_lock(hashtextextended('test_clock:' || ($1::uuid)::text, 0))"
)
UNLOCK: Final = "SELECT pg_advisory_unlock(hashtextextended('test_clock:' || ($1::uuid)::text, 0))"


class TestClock(msgspec.Struct, frozen=True):
    """A clock's present, and where it is being advanced to (the same when it stands)."""

    __test__ = False  # pytest: this is no test

    test_clock_id: UUID
    name: str
    now_at: datetime
    target_at: datetime
    created_at: datetime

    @property
    def status(self) -> str:
        """`ready`, or `advancing` while due work is being done on the way."""
        return "ready" if self.now_at == self.target_at else "advancing"


async def create(
    conn: Connection, test_clock_id: UUID, name: str, now_at: datetime, wall: datetime
) -> TestClock:
    """Make a clock that stands at `now_at` (UTC)."""
    await conn.execute(INSERT, test_clock_id, name, now_at, wall)
    return await get(conn, test_clock_id)


async def get(conn: Connection, test_clock_id: UUID) -> TestClock:
    """Return the clock; raises NotFound."""
    row = await conn.fetchrow(FIND, test_clock_id)
    if row is None:
        raise unknown("test_clock")
    return TestClock(**dict(row))


async def newest(conn: Connection) -> tuple[TestClock, ...]:
    """Return the newest hundred clocks."""
    return tuple(TestClock(**dict(row)) for row in await conn.fetch(LIST))


async def aim(conn: Connection, test_clock_id: UUID, target_at: datetime) -> TestClock:
    """Ask for the clock to be advanced; the worker does it. Never backwards, one at a time."""
    clock = await get(conn, test_clock_id)
    if target_at < clock.now_at:
        raise BadInput.field("to", "in_the_past", "a test clock only moves forward")
    if target_at > clock.now_at and not await conn.fetchval(AIM, test_clock_id, target_at):
        raise Conflict("test_clock_advancing", "The clock is still being advanced; wait for it.")
    return await get(conn, test_clock_id)


class Advancer:
    """Advances every clock that was asked to, through the kinds of work on account time."""

    def __init__(
        self, db: Database, clock: Clock, kinds: Sequence[AccountKind], tell: Tell
    ) -> None:
        self._db = db
        self._clock = clock
        self._kinds = kinds
        self._tell = tell

    async def run_due(self, _wall: datetime) -> int:
        """Advance clocks behind their target, do what is due on standing ones; count the steps."""
        async with self._db.transaction(WRITER) as conn:
            clocks = [row["test_clock_id"] for row in await conn.fetch(IN_USE)]
        return sum([await self._alone(test_clock_id) for test_clock_id in clocks])

    async def _alone(self, test_clock_id: UUID) -> int:
        """Work under a lock of the session, so that two workers never move one clock."""
        async with self._db.pool.acquire() as conn:
            if not await conn.fetchval(TRY_LOCK, test_clock_id):
                return 0
            try:
                return await self._advance(test_clock_id)
            finally:
                await conn.fetchval(UNLOCK, test_clock_id)

    async def _advance(self, test_clock_id: UUID) -> int:
        done = 0
        for _ in range(STEPS_MAX):
            clock = await self._read(test_clock_id)
            done += await self._handle_due(clock)
            stop = await self._next_stop(clock)
            if stop == clock.now_at:
                break
            done += 1
            async with self._db.transaction(WRITER) as conn:
                await conn.execute(MOVE, test_clock_id, stop)
        return done

    async def _next_stop(self, clock: TestClock) -> datetime:
        waiting = [await kind.next_at(clock.test_clock_id) for kind in self._kinds]
        ahead = [at for at in waiting if at is not None and at > clock.now_at]
        return min([*ahead, clock.target_at])

    async def _handle_due(self, clock: TestClock) -> int:
        """Run due work until nothing is due and every event of it was told."""
        done = 0
        while True:
            handled = 0
            for kind in self._kinds:
                handled += await kind.run_due(clock.now_at, clock.test_clock_id)
            done += handled
            if not await self._tell_all(clock.test_clock_id) and not handled:
                return done

    async def _tell_all(self, test_clock_id: UUID) -> bool:
        """Tell the outbox, whose handlers may bring new due work; return whether any waited."""
        for polls in range(_QUIET_POLLS_MAX):
            async with self._db.transaction(WRITER) as conn:
                if not await outbox.untold_count(conn, test_clock_id):
                    return polls > 0
            if not await self._tell(self._clock()):
                await asyncio.sleep(_QUIET_POLL_S)
        return False

    async def _read(self, test_clock_id: UUID) -> TestClock:
        async with self._db.transaction(WRITER) as conn:
            return await get(conn, test_clock_id)
