"""The billing run, killed at random: each bill is invoiced once, no number is missing."""

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from tallystick.accounts import service as accounts
from tallystick.accounts.model import NewAccount
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewMeter, NewPlanVersion, PlanVersion
from tallystick.kernel.db import WRITER, Database
from tallystick.metering import service as metering
from tallystick.pricing.model import FlatPrice, PerUnitPrice
from tallystick.subscriptions import service as subscriptions

BEGAN = datetime.now(UTC) - timedelta(days=65)
ACCOUNT_COUNT = 40
KILLS = 3
PROCESS = Path(__file__).with_name("billing_process.py")
POLL_S = 0.005
POLLS_MAX = 4000
TOO_MUCH = """
INSERT INTO usage_events (account_id, key, at, event_type, source, event_id, properties)
SELECT account_id, gen_random_uuid(), $1, 'calls', 'test', 'e', '{"n": "900000000000000"}'
FROM accounts ORDER BY account_id LIMIT 1
"""


async def make(db: Database, count: int) -> None:
    """Accounts on two plans, with two periods behind them: each has one invoice for both."""
    async with db.transaction(WRITER) as conn:
        await metering.create_meter(
            conn, NewMeter(code="calls", aggregation="sum", property="n"), BEGAN
        )
        plans = [await plan(conn, code) for code in ("one", "two")]
        for at in range(count):
            new = NewAccount(name=f"A{at}", email="a@example.com", currency="EUR", country="FR")
            account = await accounts.create_account(conn, new, BEGAN)
            for one in plans:
                await subscriptions.subscribe(conn, account, one, BEGAN)


async def plan(conn: Any, code: str) -> PlanVersion:
    prices = (
        FlatPrice(currency="EUR", code="fee", amount=Decimal(5)),
        PerUnitPrice(currency="EUR", code="calls", meter="calls", unit=Decimal(10**6)),
    )
    new = NewPlanVersion(
        plan_code=code, plan_name=code, currency="EUR", interval="month", prices=prices
    )
    return await catalog.create_plan_version(conn, new, BEGAN)


@contextmanager
def two_runs(dsn: str) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Two processes that bill at once; killed at the end."""
    runs = [subprocess.Popen([sys.executable, str(PROCESS), dsn]) for _ in range(2)]
    try:
        yield runs
    finally:
        for run in runs:
            run.kill()
            run.wait()


async def billed(db: Database) -> int:
    async with db.transaction(WRITER) as conn:
        return int(await conn.fetchval("SELECT count(*) FROM invoice_bills"))


async def kill_in_the_middle(db: Database, dsn: str, dice: random.Random) -> None:
    """Kill both runs some moments after the next batch of theirs is in."""
    before = await billed(db)
    with two_runs(dsn) as runs:
        for _ in range(POLLS_MAX):
            if await billed(db) > before or all(run.poll() is not None for run in runs):
                break
            await asyncio.sleep(POLL_S)
        await asyncio.sleep(dice.random() * 0.06)


async def test_what_is_killed_at_random_bills_everything_exactly_once(
    db: Database, dsn: str
) -> None:
    await make(db, ACCOUNT_COUNT)
    seed = random.randrange(10**6)  # noqa: S311 -- instants to kill at
    dice = random.Random(seed)  # noqa: S311
    for _ in range(KILLS):
        await kill_in_the_middle(db, dsn, dice)
    with two_runs(dsn) as runs:
        codes = [await asyncio.to_thread(run.wait) for run in runs]
    assert codes == [0, 0], f"seed {seed}"
    await check(db)


async def check(db: Database) -> None:
    async with db.transaction(WRITER) as conn:
        bills = await conn.fetch(
            "SELECT s.bill_index, array_agg(b.bill_index ORDER BY b.bill_index) AS invoiced"
            " FROM subscriptions s JOIN invoice_bills b USING (account_id, subscription_id)"
            " GROUP BY s.account_id, s.subscription_id, s.bill_index"
        )
        assert len(bills) == ACCOUNT_COUNT * 2
        assert all(row["invoiced"] == list(range(row["bill_index"])) for row in bills)
        due = "SELECT count(*) FROM subscriptions WHERE next_bill_at < now()"
        assert not await conn.fetchval(due)
        numbers = await conn.fetch("SELECT number FROM invoices ORDER BY number")
        given = [int(row["number"].rpartition("-")[2]) for row in numbers]
        by_year: dict[str, list[int]] = {}
        for row, number in zip(numbers, given, strict=True):
            by_year.setdefault(row["number"].rpartition("-")[0], []).append(number)
        assert all(found == list(range(1, len(found) + 1)) for found in by_year.values())
        together = await conn.fetch("SELECT cardinality(subscription_ids) AS size FROM invoices")
        assert {row["size"] for row in together} == {2}
        (books,) = await conn.fetch(
            "SELECT (SELECT sum(total_minor) FROM invoices) AS invoiced,"
            " (SELECT sum(amount) FROM ledger_postings"
            " WHERE ledger_account = 'receivable') AS owed,"
            " (SELECT count(*) FROM invoices) AS invoices,"
            " (SELECT count(*) FROM ledger_entries) AS entries"
        )
        assert books["invoiced"] == books["owed"]
        assert books["invoices"] == books["entries"]


def bill(dsn: str, home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tallystick", "bill", *arguments],
        env={**os.environ, "DATABASE_URL": dsn, "TALLYSTICK_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


async def test_the_command_says_what_it_bills_and_what_it_can_not(
    db: Database, dsn: str, tmp_path: Path
) -> None:
    await make(db, 5)
    async with db.transaction(WRITER) as conn:
        await conn.execute(TOO_MUCH, BEGAN + timedelta(days=1))
    dry = await asyncio.to_thread(bill, dsn, tmp_path, "--dry-run")
    assert dry.stdout.splitlines() == [
        "10 subscriptions are due; nothing was written.",
        "  4 invoices in EUR, together €40.00",
        "  2 could not be billed: amount_too_large: The amount is too large to be billed.",
    ]
    assert (dry.returncode, await billed(db)) == (1, 0)
    done = await asyncio.to_thread(bill, dsn, tmp_path)
    first, *rest = done.stdout.splitlines()
    assert first.startswith(f"{4 * 2 * 2 + 2} bills in ")
    assert rest == [
        "2 subscriptions are parked; the worker tries them again.",
        "  2: amount_too_large: The amount is too large to be billed.",
    ]
    assert (done.returncode, await billed(db)) == (1, 4 * 2 * 2)
