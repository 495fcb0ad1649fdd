"""Reading a total stays quick however much is stored: the plans, with a hundred thousand events."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from tallystick.catalog.model import NewMeter
from tallystick.kernel.db import WRITER, Connection, Database, Scope, account_scope, open_database
from tallystick.metering import events_store, fold_store, service, totals_store
from tallystick.metering.fold import Fold

START, END = datetime(2026, 1, 1, 0, 30, tzinfo=UTC), datetime(2026, 1, 31, 23, 45, tzinfo=UTC)
FIRST, LAST = datetime(2026, 1, 1, 1, tzinfo=UTC), datetime(2026, 1, 31, 23, tzinfo=UTC)
ACCOUNT = UUID(int=1)
# One account with half of all events, and five hundred with the others, over two months.
FILL = """
INSERT INTO usage_events (account_id, key, at, event_type, source, event_id, properties)
SELECT CASE WHEN n % 2 = 0 THEN $1 ELSE md5((n % 500)::text)::uuid END, md5(n::text)::uuid,
       $2::timestamptz + n * interval '50 seconds', 'call', 's', n::text, '{"n": 1}'
FROM generate_series($3::int, $4::int) AS n
"""


@pytest.fixture(scope="module")
async def filled_dsn(server_dsn: str, template: str) -> AsyncIterator[str]:
    """A database of this module, for it takes a while to fill."""
    name = f"test_{uuid4().hex[:16]}"
    conn = await asyncpg.connect(server_dsn)
    await conn.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log")
    address, _, query = server_dsn.partition("?")
    yield f"{address.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")
    await conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await conn.close()


@pytest.fixture(scope="module")
async def filled(filled_dsn: str) -> AsyncIterator[tuple[Database, UUID]]:
    """100,000 events folded, 500 in the live tail; and the meter that counts them."""
    db = await open_database(filled_dsn, connections_max=2)
    async with db.transaction(WRITER) as conn:
        meter = await service.create_meter(conn, NewMeter(code="calls", event_type="call"), START)
        await conn.execute(FILL, ACCOUNT, FIRST, 1, 100_000)
    upto = 0
    while not upto:  # other transactions on the server may hold the fold back for a moment
        await asyncio.sleep(0.01)
        await Fold(db, events_max=200_000).run_once()
        async with db.transaction(WRITER) as conn:
            upto = await totals_store.lock_mark(conn)
    async with db.transaction(WRITER) as conn:
        await conn.execute(FILL, ACCOUNT, FIRST, 100_001, 100_500)
    yield db, meter.meter_id
    await db.close()


async def explain(
    conn: Connection, sql: str, *args: object, generic: bool, analyzed: bool = False
) -> str:
    mode = "force_generic_plan" if generic else "force_custom_plan"
    await conn.execute(f"SET LOCAL plan_cache_mode = {mode}")
    options = "(ANALYZE, TIMING OFF)" if analyzed else ""
    return "\n".join(row[0] for row in await conn.fetch(f"EXPLAIN {options} {sql}", *args))


@pytest.mark.parametrize("has_statistics", [False, True])
@pytest.mark.parametrize("scope", [account_scope(ACCOUNT), WRITER], ids=["account", "writer"])
@pytest.mark.parametrize("generic", [False, True])
async def test_a_total_reads_roll_ups_tail_and_edges_by_their_indexes(
    filled: tuple[Database, UUID],
    filled_dsn: str,
    *,
    generic: bool,
    scope: Scope,
    has_statistics: bool,
) -> None:
    db, meter_id = filled
    if has_statistics:
        await analyze(filled_dsn)
    args = (ACCOUNT, [meter_id], START, END, FIRST, LAST)
    async with db.transaction(scope) as conn:
        plan = await explain(
            conn, totals_store.PERIOD_STATES, *args, generic=generic, analyzed=True
        )
    assert not re.search(r"Seq Scan on usage_(events|totals)", plan), plan
    assert "usage_totals_pkey" in plan
    # The account's tail, or everybody's where most of it is this account's.
    assert re.search(r"usage_events_\d_(account_id_)?tx_idx", plan), plan
    assert len(re.findall(r"usage_events_\d_account_id_at_idx", plan)) == 2, plan
    # 742 hours, 250 events of the tail and 27 of the edges, of the 50,000 that the account has.
    touched = [int(float(rows)) for rows in re.findall(r"actual rows=([\d.]+)", plan)]
    assert max(touched) < 1100, plan


async def analyze(dsn: str) -> None:
    # Only their owner may analyze tables, so over a connection of its own.
    conn = await asyncpg.connect(dsn)
    await conn.execute("ANALYZE")
    await conn.close()


@pytest.mark.parametrize("generic", [False, True])
async def test_a_fold_walks_new_transactions_only(
    filled: tuple[Database, UUID], *, generic: bool
) -> None:
    db, _ = filled
    async with db.transaction(WRITER) as conn:
        upto = await totals_store.lock_mark(conn)
        for sql, args in (
            (fold_store.FIND_BACKLOG, (upto, 1000)),
            *((add, (upto, upto + 100)) for add in fold_store.FOLD),
        ):
            plan = await explain(conn, sql, *args, generic=generic)
            assert "Seq Scan on usage_events" not in plan, plan
            assert re.search(r"usage_events_\d_tx_idx", plan), plan


async def test_a_known_event_is_found_by_its_key(filled: tuple[Database, UUID]) -> None:
    db, _ = filled
    row = [[ACCOUNT], [uuid4()], [START], ["call"], ["s"], ["1"], ["{}"]]
    async with db.transaction(WRITER) as conn:
        plan = await explain(conn, events_store.SAME_AS_STORED, *row, generic=True)
    assert "Seq Scan on usage_events" not in plan, plan
    assert re.search(r"usage_events_\d_pkey", plan), plan
