import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from tallystick.accounts.model import Account
from tallystick.catalog.model import Meter, NewMeter
from tallystick.kernel.db import STAFF, WRITER, Database, account_scope
from tallystick.kernel.errors import Conflict
from tallystick.metering import service
from tallystick.metering.fold import Fold
from tallystick.metering.ingest import Ingest
from tallystick.metering.model import EventResult, UsageEvent

START, END = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
MICRO = timedelta(microseconds=1)
Send = Callable[..., Awaitable[tuple[EventResult, ...]]]
Total = Callable[..., Awaitable[dict[str, Decimal]]]
Folder = Callable[..., Awaitable[bool]]
Settle = Callable[[], Awaitable[None]]


def call(event_id: object, at: datetime = START, n: Any = 1) -> UsageEvent:
    return UsageEvent(
        source="gw", id=str(event_id), type="call", subject="cust-1", at=at, properties={"n": n}
    )


async def folded(db: Database) -> dict[str, int]:
    async with db.transaction(WRITER) as conn:
        assert await service.differences(conn) == ()
        rows = await conn.fetch("""
            SELECT code, sum(event_count)::int AS event_count
            FROM usage_totals JOIN meters USING (meter_id) GROUP BY code""")
    return {row["code"]: row["event_count"] for row in rows}


async def test_a_fold_changes_no_total(
    send: Send, total: Total, db: Database, fold: Folder
) -> None:
    await send(*(call(at, START + timedelta(hours=at), n=f"0.{at}") for at in range(1, 10)))
    before = await total()
    await fold()
    assert await folded(db) == {"calls": 9, "tokens": 9}
    assert await total() == before == {"calls": 9, "tokens": Decimal("4.5")}


async def test_what_comes_after_a_fold_is_added_by_the_next(
    send: Send, total: Total, db: Database, fold: Folder
) -> None:
    for at in range(3):
        await send(call(at, n=2))
        await fold()
    assert await folded(db) == {"calls": 3, "tokens": 3}
    assert await total() == {"calls": 3, "tokens": 6}


@pytest.mark.parametrize("is_folded", [False, True])
async def test_a_period_holds_its_start_and_not_its_end(
    send: Send, total: Total, fold: Folder, *, is_folded: bool
) -> None:
    await send(call("before", START - MICRO), call("first", START), call("last", END - MICRO),
               call("after", END))  # fmt: skip
    if is_folded:
        await fold()
    assert (await total())["calls"] == 2


@pytest.mark.parametrize("is_folded", [False, True])
async def test_a_period_may_begin_and_end_inside_an_hour(
    send: Send, total: Total, fold: Folder, *, is_folded: bool
) -> None:
    middle = START + timedelta(minutes=30)
    await send(*(call(minute, START + timedelta(minutes=minute)) for minute in range(180)))
    if is_folded:
        await fold()
    assert (await total(middle, middle + timedelta(hours=2)))["calls"] == 120
    assert (await total(middle, middle + timedelta(minutes=5)))["calls"] == 5
    assert (await total(middle, middle + timedelta(minutes=45)))["calls"] == 45
    assert (await total(middle, middle))["calls"] == 0
    assert (await total(middle, START))["calls"] == 0


async def test_hours_are_shown_with_what_each_holds(
    send: Send, db: Database, fold: Folder, accounts: Sequence[Account], meters: Sequence[Meter]
) -> None:
    await send(call(1, START, n=2), call(2, START + timedelta(minutes=59), n=3))
    await fold()
    await send(call(3, START + timedelta(hours=2), n=4), call(4, END, n=5))
    account_id = accounts[0].account_id
    async with db.transaction(account_scope(account_id)) as conn:
        hours = await service.hourly_totals(conn, account_id, meters[1], START, END)
    assert [(hour.hour, hour.quantity) for hour in hours] == [
        (START, Decimal(5)), (START + timedelta(hours=2), Decimal(4)),
    ]  # fmt: skip


async def test_an_account_can_not_read_anothers_totals(
    send: Send, db: Database, fold: Folder, accounts: Sequence[Account], meters: Sequence[Meter]
) -> None:
    await send(call(1), call(2, END))
    await fold()
    await send(call(3))
    mine, other = accounts[0].account_id, accounts[1].account_id
    async with db.transaction(account_scope(other)) as conn:
        totals = await service.period_totals(conn, mine, meters, START, END)
    assert totals == {"calls": 0, "tokens": 0}
    async with db.transaction(STAFF) as conn:
        assert (await service.period_totals(conn, mine, meters, START, END))["calls"] == 2


async def test_a_new_meter_counts_what_is_there_already(
    send: Send, db: Database, fold: Folder, accounts: Sequence[Account]
) -> None:
    await send(call(1, n=2), call(2, n=3))
    await fold()
    await send(call(3, n=4))
    async with db.transaction(WRITER) as conn:
        news = (
            NewMeter(code="more", event_type="call", aggregation="sum", property="n"),
            NewMeter(code="absent", event_type="call", aggregation="sum", property="x"),
            NewMeter(code="unused", event_type="other"),
        )
        made = [await service.create_meter(conn, new, END) for new in news]

    async def read() -> dict[str, Decimal]:
        account_id = accounts[0].account_id
        async with db.transaction(account_scope(account_id)) as conn:
            return await service.period_totals(conn, account_id, made, START, END)

    assert await read() == {"more": 9, "absent": 0, "unused": 0}
    await fold()
    assert await read() == {"more": 9, "absent": 0, "unused": 0}
    await folded(db)


@pytest.mark.parametrize(
    "value", ['"abc"', "-5", '"-5"', "true", "null", "[1]", '{"a": 1}', "1e20", "0.1234567890123"]
)
async def test_what_is_no_quantity_counts_nothing_for_a_later_meter(
    db: Database, accounts: Sequence[Account], value: str
) -> None:
    account_id = accounts[0].account_id
    async with db.transaction(WRITER) as conn:
        await conn.execute(
            """INSERT INTO usage_events
                   (account_id, key, at, event_type, source, event_id, properties)
               VALUES ($1, gen_random_uuid(), $2, 'call', 's', '1', $3)""",
            account_id, START, f'{{"n": {value}}}',
        )  # fmt: skip
        new = NewMeter(code="tokens", event_type="call", aggregation="sum", property="n")
        meter = await service.create_meter(conn, new, END)
        totals = await service.period_totals(conn, account_id, [meter], START, END)
    assert totals == {"tokens": 0}


async def test_a_meter_is_not_made_twice(db: Database, meters: Sequence[Meter]) -> None:
    del meters
    with pytest.raises(Conflict):
        async with db.transaction(WRITER) as conn:
            await service.create_meter(conn, NewMeter(code="calls"), END)


@pytest.fixture
async def slow(dsn: str, accounts: Sequence[Account]) -> AsyncIterator[asyncpg.Connection]:
    """A connection in whose open transaction an event was written."""
    conn = await asyncpg.connect(dsn)
    await conn.execute("BEGIN")
    await conn.execute(
        """INSERT INTO usage_events (account_id, key, at, event_type, source, event_id, properties)
           VALUES ($1, gen_random_uuid(), $2, 'call', 's', 'slow', '{"n": 7}')""",
        accounts[0].account_id, START,
    )  # fmt: skip
    yield conn
    await conn.close()


async def test_a_fold_waits_for_older_transactions_and_loses_none(
    slow: asyncpg.Connection, send: Send, total: Total, db: Database, fold: Folder
) -> None:
    """The event of a transaction that began first may be committed last."""
    await send(call("newer"))
    await Fold(db).run_once()
    assert await folded(db) == {}
    assert await total() == {"calls": 1, "tokens": 1}
    await slow.execute("COMMIT")
    assert await total() == {"calls": 2, "tokens": 8}
    await fold()
    assert await folded(db) == {"calls": 2, "tokens": 2}
    assert await total() == {"calls": 2, "tokens": 8}


async def test_ingest_and_folds_at_once_lose_nothing_and_double_nothing(
    db: Database, ingest: Ingest, total: Total, fold: Folder
) -> None:
    async def sender(name: str) -> None:
        for batch in range(10):
            events = [call(f"{name}-{batch}-{at}") for at in range(20)]
            await ingest.record(events, now=END)

    async def folder() -> None:
        for _ in range(20):
            await Fold(db, events_max=50).run_once()

    async def reader() -> None:
        before = Decimal(0)
        for _ in range(30):
            seen = (await total())["calls"]
            assert seen >= before
            assert seen % 20 == 0  # a request counts as a whole or not at all
            before = seen

    await asyncio.gather(*(sender(name) for name in "abc"), folder(), folder(), reader())
    while await fold(events_max=50):
        pass
    assert await total() == {"calls": 600, "tokens": 600}
    assert await folded(db) == {"calls": 600, "tokens": 600}


async def test_a_fold_steps_aside_for_one_that_runs(send: Send, db: Database, dsn: str) -> None:
    await send(call(1))
    other = await asyncpg.connect(dsn)
    async with other.transaction():
        await other.fetch("SELECT upto FROM usage_fold FOR UPDATE")
        assert await Fold(db).run_due(END) == 0
        assert await folded(db) == {}
    await other.close()


async def test_a_long_backlog_is_folded_in_steps(
    send: Send, total: Total, db: Database, settle: Settle
) -> None:
    for at in range(5):
        await send(call(f"{at}a"), call(f"{at}b"), call(f"{at}c"))
    await settle()
    fold = Fold(db, events_max=4)
    steps = 0
    while await fold.run_due(END):
        steps += 1
        assert (await total())["calls"] == 15
    assert steps == 2  # of two requests each; the third has the rest
    assert await folded(db) == {"calls": 15, "tokens": 15}


async def test_a_request_larger_than_the_bound_is_folded_whole(
    send: Send, db: Database, fold: Folder
) -> None:
    await send(*map(call, range(10)))
    assert not await fold(events_max=100)
    await send(*map(call, range(10, 20)))
    assert await fold(events_max=3)
    assert await folded(db) == {"calls": 20, "tokens": 20}


async def test_the_worker_is_not_kept_busy(send: Send, db: Database, settle: Settle) -> None:
    fold = Fold(db)
    assert fold.kind().name == "usage_fold"
    await send(call(1))
    await settle()
    assert await fold.run_due(END) == 0
    await send(call(2))
    await settle()
    assert await fold.run_due(END + timedelta(milliseconds=499)) == 0
    assert (await folded(db))["calls"] == 1
    assert await fold.run_due(END + timedelta(milliseconds=500)) == 0
    assert (await folded(db))["calls"] == 2


async def test_totals_of_another_server_are_counted_anew(
    send: Send, total: Total, db: Database, settle: Settle
) -> None:
    """As after a dump was restored: the mark and the events' transactions are the old server's."""
    await send(call(1), call(2))
    async with db.transaction(WRITER) as conn:
        await conn.execute("UPDATE usage_fold SET upto = '1000000000'")
        await conn.execute("UPDATE usage_totals SET total = total + 1")
    await send(call(3))
    await settle()
    fold = Fold(db)
    while await fold.run_due(END):
        pass
    assert await total() == {"calls": 3, "tokens": 3}
    assert await folded(db) == {"calls": 3, "tokens": 3}


async def test_a_wrong_total_is_found(send: Send, db: Database, fold: Folder) -> None:
    await send(call(1, n=5))
    await fold()
    async with db.transaction(WRITER) as conn:
        await conn.execute("""
            UPDATE usage_totals SET total = 6
            WHERE meter_id = (SELECT meter_id FROM meters WHERE code = 'tokens')""")
        (found,) = await service.differences(conn)
    assert (found.what, found.hour) == ("hour", START)
    assert [json.loads(told or "")["total"] for told in (found.kept, found.summed)] == [6, 5]


COPY_AND_WAIT = '''
import asyncio, sys
from datetime import datetime, UTC
from tallystick.kernel.db import WRITER, open_database
from tallystick.metering.ingest import Ingest
from tallystick.metering.model import UsageEvent
from tallystick.metering.prepare import event_key

async def main():
    db = await open_database(sys.argv[1])
    at = datetime(2026, 2, 1, tzinfo=UTC)
    def call(event_id):
        return UsageEvent(source="gw", id=event_id, type="call", subject="cust-1", at=at,
                          properties={"n": 1})
    ingest = Ingest(db)
    await ingest.record([call("answered")], now=at)
    async with db.transaction(WRITER) as conn:
        for one in ("copied", "copied too"):
            await conn.execute("""
                INSERT INTO usage_events (account_id, key, at, event_type, source, event_id,
                                          properties)
                SELECT account_id, $1, at, event_type, source, $2, properties
                FROM usage_events WHERE event_id = 'answered'""", event_key("gw", one), one)
        print("copied", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
'''


async def test_a_kill_before_the_commit_loses_only_what_was_not_answered(
    send: Send, total: Total, db: Database, dsn: str, fold: Folder
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", COPY_AND_WAIT, dsn, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"copied\n"
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    assert (await total())["calls"] == 1
    await send(call("answered"), call("copied"), call("copied too"))
    assert (await total())["calls"] == 3
    await fold()
    assert (await total())["calls"] == 3
    await folded(db)
