"""Test clocks: accounts that live in another time, moved forward on command (`advancer.py`)."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import unknown
from tallystick.kernel.paging import After, Page, PageRequest, make_page

ADVANCE_MAX: Final = timedelta(days=3_660)
"""How far a clock is advanced at once: ten years."""
ACCOUNTS_MAX: Final = 10_000
"""How many accounts live by one clock."""

INSERT: Final = """
INSERT INTO test_clocks (test_clock_id, name, now_at, target_at, from_at, created_at)
VALUES ($1, $2, $3, $3, $3, $4)
"""
FIND: Final = "SELECT * FROM test_clocks WHERE test_clock_id = $1"
LOCK: Final = f"{FIND} FOR NO KEY UPDATE"
PAGE: Final = """
SELECT * FROM test_clocks
WHERE deleted_at IS NULL
  AND ($1::timestamptz IS NULL OR (created_at, test_clock_id) < ($1, $2::uuid))
ORDER BY created_at DESC, test_clock_id DESC LIMIT $3 OFFSET $4
"""
COUNT: Final = "SELECT count(*) FROM test_clocks WHERE deleted_at IS NULL"
# Only a clock that stands is aimed: of two who ask at once, one waits here and then finds nothing.
AIM: Final = """
UPDATE test_clocks
SET target_at = $2, from_at = now_at, is_advancing = true, work_count = 0, error = NULL
WHERE test_clock_id = $1 AND NOT is_advancing AND deleted_at IS NULL
RETURNING test_clock_id
"""
DELETE: Final = "UPDATE test_clocks SET deleted_at = $2, error = NULL WHERE test_clock_id = $1"


class TestClock(msgspec.Struct, frozen=True, kw_only=True):
    """A clock's present, and where it is being advanced to (the same when it stands).

    It is advancing until the work of the target's own instant is done too. `work_count` is how
    much due work the last advance has done so far, from `from_at` on; `error` why it can not go on
    at the moment: it is tried again and again.
    """

    __test__ = False  # pytest: this is no test

    test_clock_id: UUID
    name: str
    now_at: datetime
    target_at: datetime
    from_at: datetime
    created_at: datetime
    is_advancing: bool = False
    work_count: int = 0
    error: str | None = None
    deleted_at: datetime | None = None

    @property
    def status(self) -> str:
        """`ready`, `advancing` while due work is being done on the way, or `deleted`."""
        if self.deleted_at is not None:
            return "deleted"
        return "advancing" if self.is_advancing else "ready"

    @property
    def percent(self) -> int:
        """How much of the way is behind it, in whole percent; 100 only when it is ready."""
        if not self.is_advancing:
            return 100
        way = self.target_at - self.from_at
        return min((self.now_at - self.from_at) * 100 // way, 99)


async def create(
    conn: Connection, test_clock_id: UUID, name: str, now_at: datetime, wall: datetime
) -> TestClock:
    """Make a clock that stands at `now_at` (UTC)."""
    await conn.execute(INSERT, test_clock_id, name, now_at, wall)
    return await get(conn, test_clock_id)


async def get(conn: Connection, test_clock_id: UUID) -> TestClock:
    """Return the clock, also when it is deleted; raises NotFound."""
    return _known(await conn.fetchrow(FIND, test_clock_id))


async def live(conn: Connection, test_clock_id: UUID) -> TestClock:
    """Return the clock; raises NotFound for a deleted one too."""
    return _not_deleted(await get(conn, test_clock_id))


async def lock_ready(conn: Connection, test_clock_id: UUID) -> TestClock:
    """Return the clock and lock it, so that nobody advances it before the transaction ends.

    Raises NotFound, Conflict `test_clock_advancing`.
    """
    clock = _not_deleted(_known(await conn.fetchrow(LOCK, test_clock_id)))
    if clock.is_advancing:
        raise _advancing()
    return clock


async def list_clocks(conn: Connection, request: PageRequest) -> Page[TestClock]:
    """Return a page of the clocks that are not deleted, newest first."""
    at, last = (request.after.at, request.after.id) if request.after else (None, None)
    rows = await conn.fetch(PAGE, at, last, request.limit + 1, request.offset)
    total = await conn.fetchval(COUNT)
    clocks = [_known(row) for row in rows]
    return make_page(clocks, total, request, lambda one: After(one.created_at, one.test_clock_id))


async def aim(conn: Connection, test_clock_id: UUID, target_at: datetime) -> TestClock:
    """Ask for the clock to be advanced; the worker does it.

    Never backwards, one at a time, ten years at most. Raises NotFound, BadInput, Conflict
    `test_clock_advancing`.
    """
    clock = await live(conn, test_clock_id)
    if target_at < clock.now_at:
        raise BadInput.field("to", "in_the_past", "a test clock only moves forward")
    if target_at - clock.now_at > ADVANCE_MAX:
        raise BadInput.field("to", "too_far", f"may be {ADVANCE_MAX.days} days ahead at most")
    if target_at > clock.now_at and not await conn.fetchval(AIM, test_clock_id, target_at):
        raise _advancing()
    return await get(conn, test_clock_id)


async def delete(conn: Connection, test_clock_id: UUID, wall: datetime) -> None:
    """Delete a clock that stands; time stands still for its accounts from then on.

    Raises NotFound, Conflict `test_clock_advancing`.
    """
    clock = await lock_ready(conn, test_clock_id)
    await conn.execute(DELETE, clock.test_clock_id, wall)


def _known(row: asyncpg.Record | None) -> TestClock:
    if row is None:
        raise unknown("test_clock")
    return msgspec.convert(dict(row), TestClock)


def _not_deleted(clock: TestClock) -> TestClock:
    if clock.deleted_at is not None:
        raise unknown("test_clock")
    return clock


def _advancing() -> Conflict:
    return Conflict("test_clock_advancing", "The clock is still being advanced; wait for it.")
