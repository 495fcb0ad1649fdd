"""Advancing test clocks: everything that falls due on the way, in order of time.

The clock stops at each due instant, that work runs through the same code as production, what it
told is handled, and only then the clock moves on. Each stop is committed: whoever goes on after a
crash goes on from there, and the work of one instant is safe to begin again, as all due work is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from tallystick.kernel import outbox, test_clocks
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.due import AccountKind
from tallystick.kernel.errors import NotFound
from tallystick.kernel.test_clocks import TestClock

log = structlog.get_logger()

STOPS_MAX: Final = 500
"""Stops of one clock before the other clocks have their turn."""
ERROR_CHARS_MAX: Final = 500
_QUIET_POLLS_MAX: Final = 600
_QUIET_POLL_S: Final = 0.05

Tell = Callable[[datetime], Awaitable[int]]
"""Tells one batch of the outbox, by wall time."""

IN_USE: Final = """
SELECT test_clock_id FROM test_clocks c
WHERE deleted_at IS NULL AND (is_advancing
    OR EXISTS (SELECT FROM accounts a WHERE a.test_clock_id = c.test_clock_id))
ORDER BY created_at, test_clock_id
"""
MOVE: Final = """
UPDATE test_clocks SET now_at = $2, work_count = work_count + $3, error = NULL
WHERE test_clock_id = $1 AND is_advancing AND now_at < $2 AND $2 <= target_at
"""
SETTLE: Final = """
UPDATE test_clocks SET is_advancing = false, work_count = work_count + $2, error = NULL
WHERE test_clock_id = $1 AND now_at = target_at
"""
FAIL: Final = "UPDATE test_clocks SET error = $2 WHERE test_clock_id = $1 AND deleted_at IS NULL"
TRY_LOCK: Final = (
    "SELECT pg_try_advisory_lock(hashtextextended('test_clock:' || ($1::uuid)::text, 0))"
)
UNLOCK: Final = "SELECT pg_advisory_unlock(hashtextextended('test_clock:' || ($1::uuid)::text, 0))"


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
        """Advance clocks behind their target, do what is due on standing ones; count the steps.

        A clock whose work fails says so in `error` and is tried again the next time.
        """
        async with self._db.transaction(WRITER) as conn:
            clocks = [row["test_clock_id"] for row in await conn.fetch(IN_USE)]
        return sum([await self._or_note(test_clock_id) for test_clock_id in clocks])

    async def finish(self, test_clock_id: UUID) -> None:
        """Work until the clock stands and nothing is due on it; what fails is raised.

        For who advances a clock by itself, with no worker beside.
        """
        while await self._alone(test_clock_id):
            pass

    async def next_due(self, test_clock_id: UUID) -> datetime | None:
        """Return the earliest instant at which anything is due on the clock; None: nothing."""
        waiting = [await kind.next_at(test_clock_id) for kind in self._kinds]
        return min((at for at in waiting if at is not None), default=None)

    async def _or_note(self, test_clock_id: UUID) -> int:
        try:
            return await self._alone(test_clock_id)
        except NotFound:
            return 0  # deleted meanwhile
        except Exception as error:
            log.exception("test_clock_failed", test_clock_id=str(test_clock_id))
            reason = f"{type(error).__name__}: {error}"[:ERROR_CHARS_MAX]
            await self._execute(FAIL, test_clock_id, reason)
            return 0

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
        total = 0
        for _ in range(STOPS_MAX):
            clock = await self._read(test_clock_id)
            handled = await self._handle_due(clock)
            stop = await self._next_stop(clock)
            total += handled
            if stop == clock.now_at:
                if clock.is_advancing or clock.error is not None:
                    await self._execute(SETTLE, test_clock_id, handled)
                break
            await self._execute(MOVE, test_clock_id, stop, handled)
            total += 1
        return total

    async def _execute(self, statement: str, *values: object) -> None:
        async with self._db.transaction(WRITER) as conn:
            await conn.execute(statement, *values)

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
            return await test_clocks.live(conn, test_clock_id)
