"""Group commit under everything that goes wrong: nothing is lost, nothing counts twice."""

import asyncio
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from tallystick import verify
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.errors import Conflict, PaymentRequired, TallystickError, Unavailable
from tallystick.ledger.model import PREPAID, RECEIVABLE, REVENUE, Entry, Posting, clearing
from tallystick.ledger.service import Ledger, balance
from tallystick.ledger.verify import Difference

AT = datetime(2026, 3, 1, tzinfo=UTC)
CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND query LIKE '%post_entries%' AND pid <> pg_backend_pid()
"""


def move(key: str, debit: str, credit: str, amount: int, reason: str = "a test") -> Entry:
    postings = (Posting(debit, "EUR", amount), Posting(credit, "EUR", -amount))
    return Entry(key, "test_move", "ref", reason, AT, postings)


def owe(key: str, amount: int = 1, reason: str = "a test") -> Entry:
    return move(key, RECEIVABLE, REVENUE, amount, reason)


@pytest.fixture
async def ledger(db: Database) -> AsyncIterator[Ledger]:
    ledger = Ledger(db)
    yield ledger
    await ledger.close()


@pytest.fixture
async def owner(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    conn = await asyncpg.connect(dsn)
    yield conn
    await conn.close()


async def owed(db: Database, account: UUID) -> int:
    async with db.transaction(WRITER) as conn:
        return await balance(conn, account, RECEIVABLE, "EUR")


async def is_clean(dsn: str) -> bool:
    found: list[Difference] = []
    async with verify.snapshot(dsn) as conn:
        await verify.verify_database(conn, None, found.append, lambda _: None)
    return not found


async def outcome(ledger: Ledger, account: UUID, entry: Entry) -> bool | type[TallystickError]:
    try:
        return await ledger.post(account, entry)
    except TallystickError as error:
        return type(error)


async def test_many_posts_over_many_accounts_all_count(
    db: Database, dsn: str, ledger: Ledger
) -> None:
    accounts = [uuid4() for _ in range(40)]
    answers = await asyncio.gather(
        *(ledger.post(accounts[n % 40], owe(f"k{n}")) for n in range(1200))
    )
    assert all(answers)
    assert [await owed(db, account) for account in accounts] == [30] * 40
    assert await is_clean(dsn)


async def test_equal_keys_that_wait_together_are_answered_as_one_after_the_other(
    ledger: Ledger,
) -> None:
    account = uuid4()
    await ledger.post(account, owe("old"))
    entries = [
        owe("new"), owe("new"), owe("new", 2), owe("new"),
        owe("old"), owe("old"), owe("old", 2),
        move("short", PREPAID, REVENUE, 5), move("short", PREPAID, REVENUE, 5),
        owe("short"), owe("short"),
    ]  # fmt: skip
    answers = await asyncio.gather(*(outcome(ledger, account, entry) for entry in entries))
    assert answers[:4] == [True, False, Conflict, False]
    assert answers[4:7] == [False, False, Conflict]
    assert answers[7:] == [PaymentRequired, PaymentRequired, True, False]


async def test_one_bad_posting_fails_alone(db: Database, ledger: Ledger) -> None:
    account = uuid4()
    good = [ledger.post(account, owe(f"k{n}")) for n in range(20)]
    bad = ledger.post(account, owe("bad", reason="a \x00 that no text may hold"))
    answers = await asyncio.gather(*good[:10], bad, *good[10:], return_exceptions=True)
    assert isinstance(answers.pop(10), asyncpg.DataError)
    assert answers == [True] * 20
    assert await owed(db, account) == 20


async def test_a_full_queue_refuses_and_what_it_took_is_posted(db: Database) -> None:
    account, ledger = uuid4(), Ledger(db, waiting_max=5)
    posts = (ledger.post(account, owe(f"k{n}")) for n in range(9))
    answers = await asyncio.gather(*posts, return_exceptions=True)
    assert answers[:5] == [True] * 5
    assert all(isinstance(one, Unavailable) and one.code == "ledger_busy" for one in answers[5:])
    assert await ledger.post(account, owe("later"))
    assert await owed(db, account) == 6
    await ledger.close()


async def test_a_caller_that_is_gone_has_posted_once(db: Database, ledger: Ledger) -> None:
    account = uuid4()
    tasks = [asyncio.create_task(ledger.post(account, owe(f"k{n}"))) for n in range(40)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    assert [await task for task in tasks[1::2]] == [True] * 20
    again = [await ledger.post(account, owe(f"k{n}")) for n in range(40)]
    assert again == [False] * 40
    assert await owed(db, account) == 40


async def test_closing_posts_what_was_taken_and_takes_no_more(db: Database) -> None:
    account, ledger = uuid4(), Ledger(db)
    tasks = [asyncio.create_task(ledger.post(account, owe(f"k{n}"))) for n in range(900)]
    await asyncio.sleep(0)
    await ledger.close()
    assert all([await task for task in tasks])
    assert await owed(db, account) == 900
    with pytest.raises(Unavailable, match="send it again"):
        await ledger.post(account, owe("late"))


async def test_a_connection_cut_in_the_middle_of_batches_loses_and_doubles_nothing(
    db: Database, dsn: str, ledger: Ledger, owner: asyncpg.Connection
) -> None:
    account = uuid4()

    async def post_all(worker: int) -> list[bool]:
        return [await ledger.post(account, owe(f"{worker}:{n}")) for n in range(12)]

    async def cut() -> int:
        count = 0
        for _ in range(12):
            await asyncio.sleep(0.02)
            count += len(await owner.fetch(CUT))
        return count

    cutting = asyncio.create_task(cut())
    answers = await asyncio.gather(*(post_all(worker) for worker in range(100)))
    assert await cutting
    # Each was posted by its own caller, and is told so, though answers were lost on the way.
    assert answers == [[True] * 12] * 100
    assert await owed(db, account) == 1200
    assert await is_clean(dsn)


async def test_a_database_that_stays_away_is_told_and_the_key_can_be_sent_again(
    db: Database, dsn: str, server_dsn: str, owner: asyncpg.Connection
) -> None:
    account, ledger = uuid4(), Ledger(db)
    assert await ledger.post(account, owe("before"))
    name = await owner.fetchval("SELECT current_database()")
    elsewhere = await asyncpg.connect(server_dsn)
    await elsewhere.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    await owner.execute(CUT)
    with pytest.raises(Unavailable) as caught:
        await ledger.post(account, owe("during"))
    assert caught.value.code == "database_unavailable"
    await elsewhere.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    await elsewhere.close()
    assert await ledger.post(account, owe("during"))
    assert await is_clean(dsn)
    await ledger.close()


async def test_several_committers_with_the_same_keys_post_each_once(db: Database, dsn: str) -> None:
    accounts, ledgers = [uuid4() for _ in range(3)], [Ledger(db) for _ in range(3)]
    keys = [(accounts[n % 3], owe(f"k{n}")) for n in range(150)]
    house = [(accounts[0], move(f"h{n}", clearing("stripe"), REVENUE, 1)) for n in range(150)]
    answers = await asyncio.gather(
        *(
            one.post(*each)
            for one in ledgers
            for each in (keys + house)[:: 1 - 2 * (one is ledgers[1])]
        )
    )
    assert sum(answers) == 300
    assert [await owed(db, account) for account in accounts] == [50] * 3
    assert await is_clean(dsn)
    await asyncio.gather(*(one.close() for one in ledgers))


async def test_sixty_four_tasks_spend_no_more_than_there_is(
    db: Database, dsn: str, ledger: Ledger
) -> None:
    account = uuid4()
    await ledger.post(account, move("top-up", clearing("manual"), PREPAID, 1000))

    async def spend(worker: int) -> int:
        done = [
            await outcome(ledger, account, move(f"{worker}:{n}", PREPAID, REVENUE, worker % 7 + 1))
            for n in range(10)
        ]
        assert set(done) <= {True, PaymentRequired}
        return done.count(True) * (worker % 7 + 1)

    spent = await asyncio.gather(*(spend(worker) for worker in range(64)))
    async with db.transaction(WRITER) as conn:
        rows = await conn.fetch(
            "SELECT amount, balance_after FROM ledger_postings"
            " WHERE ledger_account = 'prepaid' ORDER BY sequence"
        )
    held = 0
    for row in rows:  # what was done, one after the other: never under zero
        held -= row["amount"]
        assert held == -row["balance_after"] >= 0
    assert sum(spent) == 1000 - held
    assert held == 0  # a task that wants 1 was refused, so nothing was left
    assert await is_clean(dsn)


POSTER = """
    import asyncio, sys
    from datetime import UTC, datetime
    from uuid import UUID
    from tallystick.kernel.db import open_database
    from tallystick.ledger.model import Entry, Posting
    from tallystick.ledger.service import Ledger

    async def main(dsn, account):
        ledger = Ledger(await open_database(dsn))
        async def post(n):
            postings = (Posting("receivable", "EUR", 1), Posting("revenue", "EUR", -1))
            at = datetime(2026, 3, 1, tzinfo=UTC)
            await ledger.post(account, Entry(f"k{n}", "test_move", "ref", "a test", at, postings))
            print(n, flush=True)
        await asyncio.gather(*(post(n) for n in range(20_000)), return_exceptions=True)

    asyncio.run(main(sys.argv[1], UUID(sys.argv[2])))
"""


async def test_a_process_killed_in_the_middle_of_a_batch_leaves_whole_batches(
    db: Database, dsn: str, ledger: Ledger, tmp_path: Path
) -> None:
    account, script = uuid4(), tmp_path / "poster.py"
    script.write_text(textwrap.dedent(POSTER))
    poster = await asyncio.create_subprocess_exec(
        sys.executable, script, dsn, str(account), stdout=subprocess.PIPE
    )
    assert poster.stdout is not None
    told = [int(await poster.stdout.readline()) for _ in range(700)]
    poster.send_signal(signal.SIGKILL)
    told += [int(line) for line in (await poster.stdout.read()).split(b"\n")[:-1]]
    await poster.wait()
    again = await asyncio.gather(*(ledger.post(account, owe(f"k{n}")) for n in told))
    assert not any(again)
    posted = [await ledger.post(account, owe(f"k{n}")) for n in range(max(told), max(told) + 40)]
    assert await owed(db, account) >= len(told) + sum(posted)
    assert await is_clean(dsn)
