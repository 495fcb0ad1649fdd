import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from tallystick.kernel import due
from tallystick.kernel.clock import system_clock
from tallystick.kernel.db import WRITER, Actor, Database, actor
from tallystick.kernel.due import AccountKind, WallKind, Worker
from tallystick.kernel.outbox import append

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PATIENCE_S = 20.0


Owner = asyncpg.Connection


@pytest.fixture
async def owner(dsn: str) -> AsyncIterator[Owner]:
    """A session of the owner of the database, who may look at and end the others."""
    conn = await asyncpg.connect(dsn)
    yield conn
    await conn.close()


class Fact(msgspec.Struct, frozen=True):
    note: str = ""


class Pile:
    """Work of a known number of batches."""

    def __init__(self, batches: list[int]) -> None:
        self.batches = batches
        self.seen: list[tuple[datetime, Actor]] = []

    async def run(self, now: datetime) -> int:
        self.seen.append((now, actor()))
        return self.batches.pop(0) if self.batches else 0


async def test_every_kind_is_worked_off_before_the_worker_rests(db: Database) -> None:
    first, second = Pile([3, 2]), Pile([1])
    worker = Worker(db, lambda: NOW, [WallKind("a", first.run), WallKind("b", second.run)])
    assert await worker.run_once() == 6
    assert await worker.run_once() == 0


async def test_a_kind_acts_under_its_name_at_the_clocks_time(db: Database) -> None:
    pile = Pile([1])
    await Worker(db, lambda: NOW, [WallKind("billing_run", pile.run)]).run_once()
    assert set(pile.seen) == {(NOW, Actor("job", "billing_run"))}


async def test_work_on_account_time_is_asked_for_accounts_on_no_test_clock(db: Database) -> None:
    clocks: list[UUID | None] = []

    async def run(_: datetime, clock: UUID | None) -> int:
        clocks.append(clock)
        return 0

    async def next_at(_: UUID) -> datetime | None:
        return None

    await Worker(db, lambda: NOW, [AccountKind("billing", run, next_at)]).run_once()
    assert clocks == [None]


async def test_a_kind_that_fails_stops_no_other_and_is_tried_again(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due, "POLL_S", 0.01)
    failures, others, enough = 0, 0, asyncio.Event()

    async def fail(_: datetime) -> int:
        nonlocal failures
        failures += 1
        raise ValueError("broken")

    async def other(_: datetime) -> int:
        nonlocal others
        others += 1
        if failures > 2 and others > 2:
            enough.set()
        return 0

    worker = Worker(db, system_clock, [WallKind("bad", fail), WallKind("good", other)])
    task = asyncio.create_task(worker.run())
    async with asyncio.timeout(PATIENCE_S):
        await enough.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_new_event_wakes_the_worker_without_waiting_for_its_next_look(
    db: Database, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due, "POLL_S", 3600.0)
    first, woken = asyncio.Event(), asyncio.Event()

    async def look(_: datetime) -> int:
        (woken if first.is_set() else first).set()
        return 0

    task = asyncio.create_task(Worker(db, system_clock, [WallKind("outbox", look)]).run())
    async with asyncio.timeout(PATIENCE_S):
        await first.wait()
        await listening(owner)
        async with db.transaction(WRITER) as conn:
            await append(conn, uuid4(), "invoice.paid", Fact())
        await woken.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(PATIENCE_S):
        await silence(owner)


async def test_a_worker_that_lost_its_connection_listens_again(
    db: Database, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due, "POLL_S", 0.01)

    async def nothing(_: datetime) -> int:
        return 0

    task = asyncio.create_task(Worker(db, system_clock, [WallKind("idle", nothing)]).run())
    async with asyncio.timeout(PATIENCE_S):
        lost = await listening(owner)
        await owner.execute("SELECT pg_terminate_backend($1)", lost)
        assert await listening(owner, not_again=lost) != lost
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


LISTENERS = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND query LIKE 'LISTEN%' AND pid <> $1
"""


async def listening(owner: Owner, not_again: int = 0) -> int:
    """Wait until a session of this database listens, and return its process id."""
    while True:
        pid = await owner.fetchval(LISTENERS, not_again)
        if pid is not None:
            return int(pid)
        await asyncio.sleep(0.01)


async def silence(owner: Owner) -> None:
    """Wait until no session of this database listens."""
    while True:
        if await owner.fetchval(LISTENERS, 0) is None:
            return
        await asyncio.sleep(0.01)
