"""The billing run: so many subscriptions, three usage lines each, two workers; how it grows.

Alone: `python -m bench --only billing --subscriptions 10000,100000`. Each size has a database of
its own. A subscription has an account of its own, a fee, and three meters used in three hours.
"""

import asyncio
import math
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from rich.console import Console

from bench.figures import Figure, Load
from bench.installation import Installation, copy_twin
from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, NewAccount
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewPlanVersion
from tallystick.demo_data import METERS
from tallystick.documents.document import Party
from tallystick.invoices.one_off import issue_one_off, one_off_draft
from tallystick.kernel.db import WRITER, Connection, Database, open_database
from tallystick.kernel.ids import new_id
from tallystick.money.amount import Money
from tallystick.pricing.model import (
    FlatPrice,
    GraduatedPrice,
    PackagePrice,
    PerUnitPrice,
    Price,
    Tier,
)
from tallystick.subscriptions import service as subscriptions

START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2026, 2, 1, tzinfo=UTC)
WORKERS = 2
FINALIZED = 500
SETUP_SECONDS_MAX = 600.0
# Copies of one account and its subscription, whatever columns they have.
COPY_ACCOUNTS = """
INSERT INTO accounts
SELECT (jsonb_populate_record(a, jsonb_build_object('account_id', n.id, 'external_id', n.id))).*
FROM accounts a, unnest($2::uuid[]) AS n (id) WHERE a.account_id = $1
"""
COPY_SUBSCRIPTIONS = """
INSERT INTO subscriptions
SELECT (jsonb_populate_record(s, jsonb_build_object('account_id', n.id,
                                                    'subscription_id', n.subscription_id))).*
FROM subscriptions s, unnest($2::uuid[], $3::uuid[]) AS n (id, subscription_id)
WHERE s.account_id = $1
"""
# As if folded: no worker has a part in it.
USE = """
INSERT INTO usage_totals (account_id, meter_id, hour, event_count, total)
SELECT a.account_id, m.meter_id, $2::timestamptz + h * interval '7 days', 10, 1000 * h + 7
FROM accounts a, meters m, generate_series(1, 3) AS h
WHERE m.code = ANY ($1::text[])
"""


def measure(place: Installation, sizes: Sequence[int], console: Console) -> list[Figure]:
    """Bill each size once, and finalize single invoices behind the last one."""
    figures: list[Figure] = []
    took: list[float] = []
    for size in sizes:
        console.print(f"billing: {size:,} subscriptions …")
        dsn = copy_twin(place.dsn)
        began = time.perf_counter()
        asyncio.run(_fill(dsn, size))
        filled = time.perf_counter() - began
        seconds = _bill(dsn)
        asyncio.run(_check(dsn, size))
        took.append(seconds)
        value = f"{size / seconds:,.0f} invoices/s ({seconds:.1f} s; made in {filled:.0f} s)"
        figures.append(Figure(f"billing run, {size:,} subscriptions, {WORKERS} workers", value, ""))
    if len(sizes) > 1:
        power = math.log(took[-1] / took[0]) / math.log(sizes[-1] / sizes[0])
        figures.append(Figure("billing run grows by", f"size^{power:.2f}", ""))
    return [*figures, asyncio.run(_finalize(dsn))]


async def _fill(dsn: str, size: int) -> None:
    db = await open_database(dsn, connections_max=1)
    async with db.transaction(WRITER) as conn:
        first = await _first(conn)
        ids = [new_id() for _ in range(size - 1)]
        limit = SETUP_SECONDS_MAX
        await conn.execute(COPY_ACCOUNTS, first.account_id, ids, timeout=limit)
        named = [new_id() for _ in ids]
        await conn.execute(COPY_SUBSCRIPTIONS, first.account_id, ids, named, timeout=limit)
        await conn.execute(USE, [meter.code for meter in METERS], START, timeout=limit)
    await _analyze(db)
    await db.close()


async def _first(conn: Connection) -> Account:
    for meter in METERS:
        await catalog.create_meter(conn, meter, START)
    new = NewPlanVersion(
        plan_code="pro", plan_name="Pro", currency="EUR", interval="month", prices=_prices()
    )
    plan = await catalog.create_plan_version(conn, new, START)
    named = NewAccount(name="A", email="a@example.com", currency="EUR", country="FR")
    account = await accounts.create_account(conn, named, START)
    await subscriptions.subscribe(conn, account, plan, START)
    return account


def _prices() -> tuple[Price, ...]:
    one, two, three = (meter.code for meter in METERS)
    tiers = (
        Tier(up_to=Decimal(1000), unit=Decimal("0.02"), flat=Decimal(5)),
        Tier(up_to=None, unit=Decimal("0.01")),
    )
    return (
        FlatPrice(currency="EUR", code="fee", amount=Decimal(29)),
        PerUnitPrice(currency="EUR", code="one", meter=one, unit=Decimal("0.001")),
        GraduatedPrice(currency="EUR", code="two", meter=two, tiers=tiers),
        PackagePrice(
            currency="EUR", code="three", meter=three, size=Decimal(100), amount=Decimal(1)
        ),
    )


async def _analyze(db: Database) -> None:
    """Let the planner know of the rows, as autovacuum does in time."""
    async with db.pool.acquire() as conn:
        await conn.execute("SET ROLE NONE")
        for table in ("accounts", "subscriptions", "usage_totals"):
            await conn.execute(f"ANALYZE {table}", timeout=SETUP_SECONDS_MAX)
        await conn.execute("SET ROLE tallystick_writer")


def _bill(dsn: str) -> float:
    """Return how long the workers took from the word to go."""
    command = [sys.executable, "-m", "bench.billing_process", dsn, END.isoformat()]
    runs = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ours
        for _ in range(WORKERS)
    ]
    for run in runs:
        assert run.stdout is not None
        run.stdout.readline()
    began = time.perf_counter()
    for run in runs:
        assert run.stdin is not None
        run.stdin.write("\n")
        run.stdin.flush()
    codes = [run.wait() for run in runs]
    seconds = time.perf_counter() - began
    assert codes == [0] * WORKERS
    return seconds


async def _check(dsn: str, size: int) -> None:
    db = await open_database(dsn, connections_max=1)
    async with db.transaction(WRITER) as conn:
        invoices = await conn.fetchval("SELECT count(*) FROM invoices WHERE status = 'open'")
        lines = await conn.fetchval("SELECT count(*) FROM invoice_lines WHERE kind = 'usage'")
    await db.close()
    assert (invoices, lines) == (size, 3 * size), (invoices, lines)


async def _finalize(dsn: str) -> Figure:
    """Issue single invoices, each in a transaction of its own."""
    db = await open_database(dsn, connections_max=1)
    async with db.transaction(WRITER) as conn:
        ids: list[UUID] = [
            row["account_id"]
            for row in await conn.fetch("SELECT account_id FROM accounts LIMIT $1", FINALIZED)
        ]
        known = await accounts.accounts_by_ids(conn, ids)
    waited = [await _finalize_one(db, known[account_id]) for account_id in ids]
    await db.close()
    load = Load(len(waited) / sum(waited), waited)
    value = f"{load.per_second:,.0f}/s, p99 {load.percentile_ms(99):.1f} ms"
    return Figure("finalize one invoice, one caller", value, "")


async def _finalize_one(db: Database, account: Account) -> float:
    began = time.perf_counter()
    async with db.transaction(WRITER) as conn:
        draft = one_off_draft(
            account, "one_off", Money(1000, "EUR"), description="Work", code="work", at=END
        )
        await issue_one_off(conn, account, draft, seller=Party("Bench"), at=END)
    return time.perf_counter() - began
