"""What only a store without unique keys and transactions can do wrong, and what it refuses."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from clickhouse_connect.driver.exceptions import Error
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallystick.accounts.model import Account, NewAccount
from tallystick.accounts.service import create_account
from tallystick.catalog.model import Aggregation, Meter, MeterFilter, NewMeter
from tallystick.kernel.db import STAFF, WRITER, Database, account_scope, open_database
from tallystick.kernel.errors import Conflict, SetupError, Unavailable
from tallystick.metering import clickhouse_rows, service
from tallystick.metering.clickhouse_client import ClickHouse, open_clickhouse
from tallystick.metering.clickhouse_store import ClickHouseUsage
from tallystick.metering.decide import Work
from tallystick.metering.gate import Gate
from tallystick.metering.ingest import Ingest
from tallystick.metering.limits import Ask
from tallystick.metering.many_periods import totals_of_many
from tallystick.metering.model import AccountPeriod, Status, UsageEvent
from tallystick.metering.prepare import Row, event_key
from tallystick.metering.write import write
from tests.property.test_usage_rollups import ENCODE

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
START, END = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
SUM = NewMeter(code="tokens", event_type="call", aggregation="sum", property="n")


@pytest.fixture
async def both(dsn: str, clickhouse: ClickHouse) -> AsyncIterator[Database]:
    """PostgreSQL with ClickHouse beside it."""
    database = await open_database(dsn, connections_max=8, beside=ClickHouseUsage(clickhouse))
    yield database
    await database.close()


@pytest.fixture
async def account(both: Database) -> Account:
    new = NewAccount(
        name="A", email="a@example.com", currency="USD", country="US", external_id="cust-1"
    )
    async with both.transaction(WRITER) as conn:
        return await create_account(conn, new, NOW)


@pytest.fixture
async def meter(both: Database) -> Meter:
    async with both.transaction(WRITER) as conn:
        return await service.create_meter(conn, SUM, NOW)


def call(event_id: object, n: Any = 1, at: datetime | None = START) -> UsageEvent:
    return UsageEvent(
        source="gw", id=str(event_id), type="call", subject="cust-1", at=at, properties={"n": n}
    )


def row_of(account: Account, event_id: str, n: int) -> Row:
    key = event_key("gw", event_id)
    return (account.account_id, key, START, "call", "gw", event_id, f'{{"n":{n}}}')


async def total(db: Database, account: Account, meter: Meter) -> Decimal:
    async with db.transaction(account_scope(account.account_id)) as conn:
        told = await service.period_totals(conn, account.account_id, [meter], START, END)
    return told[meter.code]


async def test_the_same_events_from_many_writers_at_once_count_once(
    both: Database, account: Account, meter: Meter
) -> None:
    """Two processes' ingests, two lanes each, all with the same ids and half with other content."""
    ingests = [Ingest(both), Ingest(both)]

    async def sender(number: int) -> list[Status]:
        events = [call(at, n=number % 2 + 1) for at in range(20)]
        found = await ingests[number % 2].record(events, now=NOW, strict=False)
        return [result.status for result in found]

    told = await asyncio.gather(*(sender(number) for number in range(12)))
    for ingest in ingests:
        await ingest.close()
    by_event = list(zip(*told, strict=True))
    assert all(answers.count(Status.ACCEPTED) == 1 for answers in by_event)
    assert all(answers.count(Status.CONFLICT) == 6 for answers in by_event)
    won = [answers.index(Status.ACCEPTED) % 2 + 1 for answers in by_event]
    assert await total(both, account, meter) == sum(won)
    async with both.transaction(WRITER) as conn:
        assert await conn.fetchval("SELECT count(*) FROM usage_conflicts") == 20
        assert await conn.fetchval("SELECT count(*) FROM usage_events") == 0


async def test_many_accounts_are_read_as_each_by_itself(
    both: Database, account: Account, meter: Meter
) -> None:
    ingest = Ingest(both)
    await ingest.record([call("a", 3), call("b", 4)], now=NOW)
    await ingest.close()
    spans = ((START, END), (END, NOW))
    asked = [AccountPeriod(account.account_id, *span) for span in spans]
    async with both.transaction(STAFF) as conn:
        found = await totals_of_many(conn, asked, [meter])
    assert found == [{"tokens": Decimal(7)}, {"tokens": Decimal(0)}]


async def test_an_insert_that_arrives_after_its_writer_was_given_up_changes_nothing(
    both: Database, account: Account, meter: Meter, clickhouse: ClickHouse
) -> None:
    async with both.transaction(WRITER) as conn:
        given_up = int(await conn.fetchval("SELECT pg_current_xact_id()"))
    async with both.transaction(WRITER) as conn:
        answer = await write(conn, [row_of(account, "1", 5)], [START], NOW)
    assert answer == [Status.ACCEPTED]
    row = row_of(account, "1", 7)
    late = clickhouse_rows.to_stored(row, given_up, clickhouse_rows.content_of(row))
    await clickhouse.insert("usage_events", clickhouse_rows.COLUMNS, [late])
    assert await total(both, account, meter) == 5
    await clickhouse.fetch("OPTIMIZE TABLE usage_events FINAL", {})
    assert await total(both, account, meter) == 5


async def test_an_insert_whose_commit_was_lost_is_a_duplicate_when_it_is_sent_again(
    both: Database, account: Account, meter: Meter
) -> None:
    async def lose() -> None:
        async with both.transaction(WRITER) as conn:
            await write(conn, [row_of(account, "1", 5)], [None], NOW)
            raise OSError("the line is cut")

    with pytest.raises(OSError, match="cut"):
        await lose()
    async with both.transaction(WRITER) as conn:
        assert await write(conn, [row_of(account, "1", 5)], [None], NOW) == [Status.DUPLICATE]
    assert await total(both, account, meter) == 5


async def test_a_void_counts_at_its_commit(both: Database, account: Account, meter: Meter) -> None:
    async with both.transaction(WRITER) as conn:
        rows = [row_of(account, "1", 5), row_of(account, "2", 7)]
        await write(conn, rows, [START, START], NOW)
        await conn.execute(
            "INSERT INTO usage_voids (account_id, key) VALUES ($1, $2)", *rows[0][:2]
        )
        assert await total(both, account, meter) in (7, 12)  # another connection's, or this one's
    assert await total(both, account, meter) == 7


async def test_recording_only_what_fits_is_refused_and_asking_is_not(
    both: Database, account: Account, meter: Meter
) -> None:
    gate = Gate(both)
    work = Work(
        row=row_of(account, "1", 5), stated_at=START, content=b"", asks=(), now=NOW, wall=NOW
    )
    with pytest.raises(Conflict) as refused:
        await gate.check_and_record(work)
    assert refused.value.code == "needs_usage_in_postgresql"
    assert (await gate.check([Ask(account.account_id, meter, Decimal(1), ())])).states == ()
    await gate.close()


async def test_a_store_that_is_away_is_told_by_name_and_nothing_is_answered(
    dsn: str, account: Account, meter: Meter, clickhouse: ClickHouse
) -> None:
    class Away:
        def query(self, *_: object, **__: object) -> None:
            raise Error("HTTPDriver returned: code: 210, SELECT 'secret'")

    beside = ClickHouseUsage(ClickHouse(Away(), Error))
    database = await open_database(dsn, connections_max=2, beside=beside)
    ingest = Ingest(database)
    try:
        with pytest.raises(Unavailable) as away:
            await ingest.record([call(1)], now=NOW)
        assert away.value.code == "usage_store_unavailable"
        assert "secret" not in str(away.value)
        with pytest.raises(Unavailable):
            await total(database, account, meter)
    finally:
        await ingest.close()
        await database.close()
    assert not await clickhouse.fetch(
        "SELECT 1 FROM usage_events WHERE account_id = {a:UUID}", {"a": str(account.account_id)}
    )


def test_a_server_that_does_not_answer_is_one_sentence() -> None:
    with pytest.raises(SetupError) as refused:
        open_clickhouse("clickhouse://user:hidden@127.0.0.1:1/usage")
    assert refused.value.code == "usage_store_unavailable"
    assert "hidden" not in refused.value.detail


INSERT_AND_WAIT = """
import asyncio, sys
from datetime import UTC, datetime
from clickhouse_connect import get_client
from clickhouse_connect.driver.exceptions import Error
from tallystick.kernel.db import WRITER, open_database
from tallystick.metering.clickhouse_client import ClickHouse
from tallystick.metering.clickhouse_store import ClickHouseUsage
from tallystick.metering.ingest import Ingest
from tallystick.metering.model import UsageEvent

async def main():
    server = ClickHouse(get_client(interface="chdb", path=sys.argv[2]), Error, threads_max=1)
    if sys.argv[3] == "write":
        await server.make_tables()
        db = await open_database(sys.argv[1], beside=ClickHouseUsage(server))
        at = datetime(2026, 2, 1, tzinfo=UTC)
        told = [UsageEvent(source="gw", id=str(number), type="call", subject="cust-1", at=at,
                           properties={"n": number}) for number in range(1000)]
        print([r.status.value for r in await Ingest(db).record(told, now=at)].count("accepted"),
              flush=True)
        await asyncio.sleep(60)
    print((await server.fetch("SELECT count(), sum(numbers['n']) FROM usage_events", {}))[0])

asyncio.run(main())
"""


async def test_a_kill_loses_nothing_that_was_answered(
    dsn: str, account: Account, meter: Meter, tmp_path: Path
) -> None:
    del account, meter

    async def start(what: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", INSERT_AND_WAIT, dsn, str(tmp_path / "data"), what,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip

    process = await start("write")
    assert process.stdout is not None
    assert await process.stdout.readline() == b"1000\n"
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    told, _ = await (await start("read")).communicate()
    assert told == f"(1000, {sum(range(1000)) * 10**12})\n".encode()


NAMES = st.sampled_from(["n", "who", "it's", 'say "x"', "back\\slash", "päth", "{n:String}"])
NUMBERS = (
    st.integers(-(10**16), 10**16)
    | st.decimals(-(10**15), 10**15, places=12)
    | st.decimals(-5, 5, places=13)
    | st.sampled_from([Decimal("1E+2"), Decimal("-0.0"), Decimal("1.50"), 10**40])
)
VALUES = st.one_of(
    NUMBERS,
    NUMBERS.map(str),
    st.none(),
    st.booleans(),
    st.sampled_from(["", "x", "it's", "\\N", "null", "1.5" + "0" * 30, "é" * 255, "é" * 256]),
    st.lists(st.integers(), max_size=1),
    st.dictionaries(st.just("n"), st.integers(), max_size=1),
)
EVENTS = st.lists(st.dictionaries(NAMES, VALUES, max_size=5), min_size=1, max_size=8)


def awkward_meters(kind: str, name: str) -> list[NewMeter]:
    """Meters of every aggregation that read, filter and group by one property."""
    plain: dict[str, Any] = {"event_type": kind, "group_by": (name,)}
    numeric: tuple[Aggregation, ...] = (
        "sum", "max", "min", "average", "latest", "weighted_sum",
    )  # fmt: skip
    return [
        NewMeter(code=f"c{uuid4().hex}", **plain),
        NewMeter(
            code=f"u{uuid4().hex}", aggregation="unique_count", property=name, recurring=True,
            **plain,
        ),
        NewMeter(
            code=f"f{uuid4().hex}", event_type=kind,
            filters=(MeterFilter(property=name, values=("it's", "true", "100", "x")),),
        ),
        NewMeter(
            code=f"g{uuid4().hex}", event_type=kind,
            filters=(MeterFilter(property=name, operator="is_not", values=("\\N", "")),),
        ),
        NewMeter(
            code=f"a{uuid4().hex}", event_type=kind,
            filters=(MeterFilter(property=name, operator="is_absent"),),
        ),
        NewMeter(code=f"e{uuid4().hex}", aggregation="sum", expression="n * n / 7", **plain),
        *(
            NewMeter(
                code=f"m{uuid4().hex}", aggregation=kind_of, property=name, allow_negative=signed,
                **plain,
            )
            for kind_of in numeric
            for signed in (True, False)
        ),
    ]  # fmt: skip


async def test_both_stores_read_whatever_events_hold_in_the_same_way(
    db: Database, both: Database
) -> None:
    async def compare(sent: Sequence[dict[str, Any]], name: str) -> None:
        kind, account_id = f"k{uuid4().hex}", uuid4()
        rows = [
            (account_id, UUID(int=uuid4().int), START + timedelta(minutes=at), kind, "s", str(at),
             ENCODE(properties).decode())
            for at, properties in enumerate(sent)
        ]  # fmt: skip
        for one in (db, both):
            async with one.transaction(WRITER) as conn:
                await write(conn, rows, [None] * len(rows), NOW)
        async with db.transaction(WRITER) as conn:
            meters = [
                await service.create_meter(conn, new, NOW) for new in awkward_meters(kind, name)
            ]
        told = []
        for one in (db, both):
            async with one.transaction(WRITER) as conn:
                totals = await service.period_totals(conn, account_id, meters, START, END)
                groups = [
                    await service.grouped_totals(
                        conn, account_id, meter, START, END, group_by=meter.group_by
                    )
                    for meter in meters
                ]
            told.append((totals, [sorted(map(repr, found)) for found in groups]))
        assert told[0] == told[1]

    loop = asyncio.get_running_loop()

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(sent=EVENTS, name=NAMES)
    def run(sent: Sequence[dict[str, Any]], name: str) -> None:
        asyncio.run_coroutine_threadsafe(compare(sent, name), loop).result()

    await asyncio.to_thread(run)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('{"n": 1}', '{"n": 1.0}', True),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}', True),
        ('{"n": 1}', '{"n": "1"}', False),
        ('{"n": 1}', '{"n": true}', False),
        ('{"n": ["number", "1"]}', '{"n": 1}', False),
        ('{"n": null}', "{}", False),
        ('{"n": [1, 2]}', '{"n": [2, 1]}', False),
    ],
)
async def test_content_is_compared_as_postgresql_compares_it(
    db: Database, both: Database, one: str, other: str, *, same: bool
) -> None:
    base: tuple[Any, ...] = (uuid4(), uuid4(), START, "call", "s", "1")
    for database in (db, both):
        async with database.transaction(WRITER) as conn:
            assert await write(conn, [(*base, one)], [START], NOW) == [Status.ACCEPTED]
            (answer,) = await write(conn, [(*base, other)], [START], NOW)
        assert answer == (Status.DUPLICATE if same else Status.CONFLICT)
