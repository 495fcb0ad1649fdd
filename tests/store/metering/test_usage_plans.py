"""Reading a total stays quick however much is stored: the plans, with a hundred thousand events."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewMeter
from tallystick.kernel.db import WRITER, Connection, Database, Scope, account_scope, open_database
from tallystick.metering import events_store, fold_store, service, spans_store, totals_store
from tallystick.metering.fold import Fold
from tallystick.metering.hours import floor_hour, floor_month, whole_hours

START, END = datetime(2026, 1, 1, 0, 30, tzinfo=UTC), datetime(2026, 1, 31, 23, 45, tzinfo=UTC)
FIRST, LAST = datetime(2026, 1, 1, 1, tzinfo=UTC), datetime(2026, 1, 31, 23, tzinfo=UTC)
ACCOUNT = UUID(int=1)
# One account with half of all events, and five hundred with the others, over two months.
FILL = """
INSERT INTO usage_events (account_id, key, at, event_type, source, event_id, properties)
SELECT CASE WHEN n % 2 = 0 THEN $1 ELSE md5((n % 500)::text)::uuid END, md5(n::text)::uuid,
       $2::timestamptz + n * interval '50 seconds', 'call', 's', n::text,
       jsonb_build_object('n', 1, 'who', n % 20)
FROM generate_series($3::int, $4::int) AS n
"""


OTHERS: dict[str, dict[str, Any]] = {
    "seats": {"aggregation": "sum", "property": "n", "recurring": True},
    "level": {"aggregation": "weighted_sum", "property": "n", "recurring": True},
    "people": {"aggregation": "unique_count", "property": "who"},
    "grouped": {"aggregation": "sum", "property": "n", "group_by": ("who",)},
}


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
        for code, how in OTHERS.items():
            await service.create_meter(conn, NewMeter(code=code, event_type="call", **how), START)
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


# February, whose first month is carried over; in days, as a chart asks for it.
LATE = (datetime(2026, 2, 1, 0, 30, tzinfo=UTC), datetime(2026, 2, 27, 23, 45, tzinfo=UTC))
DAYS = [(LATE[0] + timedelta(days=n), LATE[0] + timedelta(days=n + 1)) for n in range(27)]


async def meter_ids(conn: Connection, *codes: str) -> list[UUID]:
    found = await catalog.meters_by_codes(conn, codes)
    return [found[code].meter_id for code in codes]


def carried_args(ids: list[UUID]) -> tuple[object, ...]:
    carry = floor_month(LATE[0]), floor_hour(LATE[0])
    return ACCOUNT, ids, *LATE, *whole_hours(*LATE), *carry


@pytest.mark.parametrize("has_statistics", [False, True])
@pytest.mark.parametrize("generic", [False, True])
async def test_a_recurring_total_reads_months_and_not_all_that_ever_was(
    filled: tuple[Database, UUID], filled_dsn: str, *, generic: bool, has_statistics: bool
) -> None:
    db, _ = filled
    if has_statistics:
        await analyze(filled_dsn)
    async with db.transaction(account_scope(ACCOUNT)) as conn:
        args = carried_args(await meter_ids(conn, "seats", "level"))
        plan = await explain(
            conn, totals_store.CARRIED_STATES, *args, generic=generic, analyzed=True
        )
    assert not re.search(r"Seq Scan on usage_(events|totals)", plan), plan
    # Two meters' 647 hours, the tail twice, the edges of two hours; January is one row each.
    touched = [int(float(rows)) for rows in re.findall(r"actual rows=([\d.]+)", plan)]
    assert max(touched) < 2600, plan


@pytest.mark.parametrize("has_statistics", [False, True])
@pytest.mark.parametrize("generic", [False, True])
@pytest.mark.parametrize(
    ("code", "sql", "group_by", "rows_max"),
    [
        ("calls", spans_store.SPAN_STATES, (), 2600),
        ("people", spans_store.SPAN_UNIQUES, (), 60_000),
        ("grouped", spans_store.GROUP_STATES, ("who",), 60_000),
    ],
)
async def test_windows_read_their_hours_and_the_edges_by_their_indexes(
    filled: tuple[Database, UUID],
    filled_dsn: str,
    *,
    code: str,
    sql: str,
    group_by: tuple[str, ...],
    rows_max: int,
    generic: bool,
    has_statistics: bool,
) -> None:
    db, _ = filled
    if has_statistics:
        await analyze(filled_dsn)
    async with db.transaction(account_scope(ACCOUNT)) as conn:
        (meter_id,) = await meter_ids(conn, code)
        args = [*spans_store.arguments(ACCOUNT, meter_id, DAYS, group_by)]
        args += [100_000] if group_by else []
        plan = await explain(conn, sql, *args, generic=generic, analyzed=True)
    assert not re.search(r"Seq Scan on usage_(events|totals|groups|values)", plan), plan
    assert re.search(r"usage_events_\d_account_id_at_idx", plan), plan
    touched = [int(float(rows)) for rows in re.findall(r"actual rows=([\d.]+)", plan)]
    assert max(touched) < rows_max, plan


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
