"""A what-if over so many roll-up rows: a dearer draft, a month of many accounts, three meters.

Alone: `python -m bench --only what-if --rollups 1000000`.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from rich.console import Console

from bench.figures import Figure
from bench.installation import Installation
from tallystick.accounts import service as accounts
from tallystick.accounts.model import NewAccount
from tallystick.catalog import service as catalog
from tallystick.catalog.model import PlanVersion
from tallystick.demo_data import METERS, OFFERS, plan_version
from tallystick.kernel import test_clocks
from tallystick.kernel.db import STAFF, WRITER, Connection, Database, open_database
from tallystick.kernel.ids import new_id
from tallystick.subscriptions import chosen
from tallystick.subscriptions import service as subscriptions
from tallystick.whatif.model import Question
from tallystick.whatif.reading import plan_of, read_batch
from tallystick.whatif.summary import Tally

START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2026, 2, 1, tzinfo=UTC)
HOURS = (END - START) // timedelta(hours=1)
# As if folded: the worker has no part in it.
FILL = """
INSERT INTO usage_totals (account_id, meter_id, hour, event_count, total)
SELECT a.account_id, m.meter_id, $3::timestamptz + h * interval '1 hour', 10, 10 * h
FROM unnest($1::uuid[]) AS a (account_id), unnest($2::uuid[]) AS m (meter_id),
     generate_series(0, $4::int - 1) AS h
"""


def measure(place: Installation, row_count: int, console: Console) -> list[Figure]:
    """Make the accounts and their roll-ups, and go through them once."""
    return asyncio.run(_measure(place.dsn, row_count, console))


async def _measure(dsn: str, row_count: int, console: Console) -> list[Figure]:
    db = await open_database(dsn)
    account_count = max(1, row_count // (HOURS * len(METERS)))
    console.print(f"what-if: {account_count} accounts …")
    async with db.transaction(WRITER) as conn:
        sold = await catalog.current_plan_version(conn, OFFERS[1].code)
        found = await _make_accounts(conn, sold, account_count)
        meters = await catalog.meters_by_codes(conn, [meter.code for meter in METERS])
        ids = [meter.meter_id for meter in meters.values()]
        await conn.execute(FILL, found, ids, START, HOURS, timeout=600)
    await _analyze(db)
    began = time.perf_counter()
    tally = await _run(db)
    seconds = time.perf_counter() - began
    await db.close()
    (summary,) = tally.result().summaries
    assert summary.account_count == account_count
    rows = account_count * HOURS * len(METERS)
    value = (
        f"{seconds:.2f} s, {rows / seconds:,.0f} rows/s, {account_count / seconds:,.0f} periods/s"
    )
    return [Figure(f"what-if over {rows:,} roll-up rows", value, "")]


async def _make_accounts(conn: Connection, sold: PlanVersion, count: int) -> list[UUID]:
    """Put accounts on a clock that stands at the period's end, where no worker bills them."""
    clock = await test_clocks.create(conn, new_id(), "what-if", END, END)
    found = []
    for number in range(count):
        new = NewAccount(
            name=f"What if {number}", email="bench@example.com", currency="EUR", country="FR",
            external_id=f"what-if-{number}", test_clock_id=clock.test_clock_id,
        )  # fmt: skip
        account = await accounts.create_account(conn, new, START)
        await subscriptions.subscribe(conn, account, sold, START)
        found.append(account.account_id)
    return found


async def _analyze(db: Database) -> None:
    """Let the planner know of the rows, as autovacuum does in time."""
    async with db.pool.acquire() as conn:
        await conn.execute("SET ROLE NONE")
        await conn.execute("ANALYZE usage_totals")
        await conn.execute("SET ROLE tallystick_writer")


async def _run(db: Database) -> Tally:
    """Do what `tallystick what-if` does."""
    tally = Tally()
    draft = plan_version(OFFERS[2])
    question = Question(draft=draft, plan_code=OFFERS[1].code, start=START, end=END)
    async with db.transaction(STAFF) as conn:
        plan = await plan_of(conn, question)
    last = chosen.FIRST
    while True:
        async with db.transaction(STAFF) as conn:
            batch = await read_batch(conn, plan, last, END)
        if batch is None:
            return tally
        for outcome in batch.outcomes:
            tally.add(outcome)
        last = batch.last_account_id
