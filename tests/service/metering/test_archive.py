"""Old events leave for files; totals, and the memory of ids, stay as they were."""

import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tallystick.accounts.model import Account
from tallystick.catalog.model import Meter
from tallystick.kernel.db import COMMAND_TIMEOUT_S, WRITER, Database, account_scope
from tallystick.kernel.errors import Conflict, SetupError
from tallystick.kernel.ids import show
from tallystick.metering import archive_files, archive_store, recount, service
from tallystick.metering.archive import GRACE, Archiver, ArchiveRule, archive_before
from tallystick.metering.archive_checks import refuse_archived_event
from tallystick.metering.archive_model import Archived, Manifest
from tallystick.metering.import_errors import open_refusals
from tallystick.metering.import_model import Options
from tallystick.metering.import_source import open_source
from tallystick.metering.imports import Importer, recording
from tallystick.metering.ingest import Ingest
from tallystick.metering.model import EventResult, Status, UsageEvent
from tallystick.metering.prepare import event_key
from tallystick.metering.write import ASK_AGAIN_S, Remembered

from .conftest import NOW, Total

JANUARY = datetime(2025, 1, 1, tzinfo=UTC)
BEFORE = datetime(2025, 3, 1, tzinfo=UTC)
Folder = Callable[..., Awaitable[bool]]
Run = Callable[..., Awaitable[Archived]]
SendOld = Callable[..., Awaitable[Sequence[EventResult]]]


def old(number: int, **changes: Any) -> UsageEvent:
    """An event a minute, from the first of January 2025."""
    told: dict[str, Any] = {
        "source": "s", "id": str(number), "type": "call", "subject": "cust-1",
        "at": JANUARY + timedelta(minutes=number), "properties": {"n": Decimal(f"{number}.50")},
    }  # fmt: skip
    return UsageEvent(**{**told, **changes})


@pytest.fixture
async def ingest(
    db: Database,
    accounts: Sequence[Account],  # noqa: ARG001 - they must be there
    meters: Sequence[Meter],  # noqa: ARG001 - likewise
) -> AsyncIterator[Ingest]:
    made = Ingest(db)
    yield made
    await made.close()


@pytest.fixture
async def later(db: Database) -> AsyncIterator[Ingest]:
    """An ingest that did not look for archives before there was one: it does so now and then."""
    made = Ingest(db)
    yield made
    await made.close()


@pytest.fixture
def archiver(db: Database, tmp_path: Path) -> Archiver:
    return Archiver(db, lambda: NOW, tmp_path, grace=timedelta(), events_max=100)


@pytest.fixture
def archived(ingest: Ingest, fold: Folder, archiver: Archiver) -> Run:
    """Store 300 events of five hours, fold and archive them."""

    async def _archived(*more: UsageEvent) -> Archived:
        await ingest.record([*(old(number) for number in range(300)), *more], now=NOW)
        await fold()
        return await archiver.run(BEFORE)

    return _archived


def files(folder: Path, pattern: str = "*.gz") -> list[Path]:
    return sorted(folder.rglob(pattern))


async def count(db: Database, table: str = "usage_events") -> int:
    async with db.transaction(WRITER) as conn:
        return int(await conn.fetchval(f"SELECT count(*) FROM {table}"))  # noqa: S608 - names below


async def test_events_go_into_files_and_totals_stay(
    archived: Run, total: Total, db: Database, tmp_path: Path, accounts: Sequence[Account]
) -> None:
    done = await archived(old(1000, at=BEFORE), old(1001, subject="cust-2"))
    subject = show("account", accounts[0].account_id)
    assert done.event_count == 301
    assert [name for name in done.files if name.startswith(subject)] == [
        f"{subject}/2025-01.{number}.ndjson.gz" for number in (1, 2, 3, 4, 5)
    ]
    assert await count(db) == 1
    assert await total(JANUARY, BEFORE) == {
        "calls": Decimal(300), "tokens": sum((Decimal(f"{n}.5") for n in range(300)), Decimal(0)),
    }  # fmt: skip
    assert (await total(JANUARY, NOW))["calls"] == Decimal(301)
    written = files(tmp_path)
    manifests = [
        Manifest(**json.loads(path.with_name(path.name.replace(".ndjson.gz", ".json")).read_text()))
        for path in written
    ]
    assert [one.sha256 for one in manifests] == [archive_files.file_digest(p) for p in written]
    assert sum(one.events for one in manifests) == 301
    assert not files(tmp_path, "*.part")


async def test_a_file_can_be_imported_again(
    archived: Run, db: Database, tmp_path: Path, later: Ingest
) -> None:
    done = await archived()
    file = tmp_path / done.files[0]
    first = json.loads(gzip.decompress(file.read_bytes()).splitlines()[1])
    assert first["properties"] == {"n": 1.5}
    assert first["time"] == "2025-01-01T00:01:00.000000Z"
    with open_source(file) as source, open_refusals(None) as refusals:
        progress = await Importer(db, recording(later, lambda: NOW), lambda: NOW).run(
            source, Options(), refusals, lambda *_: None, restart=False
        )
    assert (progress.tally.duplicate, progress.tally.lines) == (60, 60)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, Status.DUPLICATE),
        ({"properties": {"n": Decimal("7.500")}}, Status.DUPLICATE),
        ({"at": None}, Status.DUPLICATE),
        ({"properties": {"n": Decimal(8)}}, Status.CONFLICT),
        ({"properties": {"n": "7.50"}}, Status.CONFLICT),
        ({"at": JANUARY}, Status.CONFLICT),
        ({"at": NOW}, Status.CONFLICT),
        ({"source": "t"}, Status.ACCEPTED),
        ({"subject": "cust-2"}, Status.ACCEPTED),
    ],
)
async def test_a_resent_event_that_is_archived_is_known(
    archived: Run, later: Ingest, total: Total, changes: dict[str, Any], status: Status
) -> None:
    await archived()
    before = await total(JANUARY, NOW)
    for events in ([old(7, **changes)], [old(7, **changes), old(999), old(999)]):
        results = await later.record(events, now=NOW, strict=False)
        expected = Status.DUPLICATE if status is Status.ACCEPTED and len(events) > 1 else status
        assert results[0].status is expected
    if status is not Status.ACCEPTED:
        assert (await total(JANUARY, NOW))["calls"] == before["calls"] + 1


async def test_a_running_ingest_learns_of_the_first_archive(
    ingest: Ingest, fold: Folder, archiver: Archiver, db: Database
) -> None:
    now = 0.0
    remembered = Remembered(lambda: now)
    await ingest.record([old(1)], now=NOW)
    await fold()
    async with db.transaction(WRITER) as conn:
        row = await conn.fetchrow("SELECT account_id, key FROM usage_events")
        assert row is not None
        sent = [(row["account_id"], row["key"], JANUARY, "call", "s", "1", "{}")]
        assert not await remembered.has_any(conn, sent)
    await archiver.run(BEFORE)
    told = []
    for now in (ASK_AGAIN_S - 1, ASK_AGAIN_S):  # noqa: B007 - the clock that is asked
        async with db.transaction(WRITER) as conn:
            told.append(await remembered.has_any(conn, sent))
    assert told == [False, True]
    assert timedelta(seconds=ASK_AGAIN_S + COMMAND_TIMEOUT_S) < GRACE


async def test_a_late_event_of_an_archived_hour_is_counted_and_archived_next(
    archived: Run, ingest: Ingest, total: Total, fold: Folder, archiver: Archiver
) -> None:
    await archived()
    late = old(5000, at=JANUARY + timedelta(minutes=5), properties={"n": 1})
    assert (await ingest.record([late], now=NOW))[0].status is Status.ACCEPTED
    assert (await total(JANUARY, BEFORE))["calls"] == Decimal(301)
    await fold()
    done = await archiver.run(BEFORE)
    assert (done.event_count, done.files[0][-17:]) == (1, "2025-01.6.ndjson.gz"[-17:])
    assert (await total(JANUARY, BEFORE))["calls"] == Decimal(301)


async def test_a_period_that_cuts_an_archived_hour_is_refused(
    archived: Run, db: Database, accounts: Sequence[Account], meters: Sequence[Meter]
) -> None:
    await archived()
    account_id, other = accounts[0].account_id, accounts[1].account_id
    half = JANUARY + timedelta(minutes=30)

    async def refused(work: Callable[..., Awaitable[object]], *args: Any, **options: Any) -> bool:
        async with db.transaction(account_scope(account_id)) as conn:
            try:
                await work(conn, *args, **options)
            except Conflict as error:
                return error.code == "usage_archived"
        return False

    assert await refused(service.period_totals, account_id, meters, half, NOW)
    assert await refused(service.period_totals, account_id, meters, JANUARY, half)
    assert await refused(service.hourly_totals, account_id, meters[0], half, BEFORE)
    assert await refused(service.grouped_totals, account_id, meters[0], half, NOW, group_by=())
    assert await refused(
        service.percentiles, account_id, meters[1], JANUARY, NOW, shares=[Decimal("0.5")]
    )
    late = half + timedelta(days=1)
    assert not await refused(service.period_totals, account_id, meters, late, NOW)
    assert not await refused(service.period_totals, other, meters, half, NOW)
    assert not await refused(service.period_totals, account_id, meters, JANUARY, NOW)


async def test_nothing_makes_archived_hours_anew(
    archived: Run, db: Database, total: Total, ingest: Ingest, fold: Folder
) -> None:
    await archived(old(1000, at=BEFORE))
    await ingest.record([old(5000)], now=NOW)
    await fold()
    before = await total(JANUARY, NOW)
    async with db.transaction(WRITER) as conn:
        months = await recount.account_months(conn)
    assert await recount.rebuild(db, months, lambda _: None) == 1
    async with db.transaction(WRITER) as conn:
        assert await service.differences(conn) == ()
    assert await total(JANUARY, NOW) == before


@pytest.mark.parametrize("is_cut_off", [False, True])
async def test_a_dump_in_another_server_counts_nothing_twice(
    archiver: Archiver,
    db: Database,
    total: Total,
    later: Ingest,
    fold: Folder,
    *,
    is_cut_off: bool,
) -> None:
    """The first fold there begins at nothing, and events of archived months are still there."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    await later.record([old(number) for number in range(300)], now=NOW)
    await fold()
    if is_cut_off:
        with pytest.raises(KeyboardInterrupt):
            await archiver.run(BEFORE, stop)
    else:
        await archiver.run(BEFORE)
        await later.record([old(5000, at=JANUARY), old(5001, at=BEFORE)], now=NOW)
        await fold()
    before = await total(JANUARY, NOW)
    async with db.transaction(WRITER) as conn:
        await conn.execute("UPDATE usage_fold SET upto = '1000000000000'")
    while await fold():
        pass
    assert await total(JANUARY, NOW) == before
    async with db.transaction(WRITER) as conn:
        assert await service.differences(conn) == ()


async def test_a_rebuild_that_began_before_the_archive_leaves_its_months_alone(
    ingest: Ingest, fold: Folder, archiver: Archiver, db: Database, total: Total
) -> None:
    await ingest.record([old(number) for number in range(10)], now=NOW)
    await fold()
    async with db.transaction(WRITER) as conn:
        months = await recount.account_months(conn)
    await archiver.run(BEFORE)
    for month in months:
        async with db.transaction(WRITER) as conn:
            await recount._rebuild_month(conn, month)
    assert (await total(JANUARY, BEFORE))["calls"] == Decimal(10)


async def test_what_is_not_folded_or_voided_stays(
    ingest: Ingest, fold: Folder, archiver: Archiver, db: Database, accounts: Sequence[Account]
) -> None:
    await ingest.record([old(1), old(2)], now=NOW)
    await fold()
    account_id = accounts[0].account_id
    async with db.transaction(WRITER) as conn:
        await conn.execute(
            "INSERT INTO usage_voids (account_id, key) VALUES ($1, $2)",
            account_id, event_key("s", "1"),
        )  # fmt: skip
    await ingest.record([old(3)], now=NOW)
    assert (await archiver.run(BEFORE)).event_count == 1
    assert await count(db) == 2
    async with db.transaction(WRITER) as conn:
        with pytest.raises(Conflict):
            await refuse_archived_event(conn, account_id, event_key("s", "1"), old(1).at)
        with pytest.raises(Conflict):
            await refuse_archived_event(conn, account_id, event_key("s", "2"), None)
        await refuse_archived_event(conn, account_id, event_key("s", "4"), BEFORE)


async def test_an_event_is_not_deleted_before_it_is_remembered(
    ingest: Ingest, db: Database, dsn: str
) -> None:
    await ingest.record([old(1)], now=NOW)
    owner = await asyncpg.connect(dsn)
    with pytest.raises(asyncpg.RestrictViolationError):
        await owner.execute("DELETE FROM usage_events")
    await owner.close()
    for table in ("usage_archived_keys", "usage_archived_hours", "usage_archives"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.transaction(WRITER) as conn:
                await conn.execute(f"DELETE FROM {table}")  # noqa: S608 - names above


async def test_a_file_of_other_events_is_not_remembered(
    ingest: Ingest, fold: Folder, archiver: Archiver, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ingest.record([old(number) for number in range(10)], now=NOW)
    await fold()
    whole = archive_store.lines_of

    async def less(*args: Any) -> AsyncIterator[list[bytes]]:
        async for some in whole(*args):
            yield some[1:]

    monkeypatch.setattr(archive_store, "lines_of", less)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await archiver.run(BEFORE)
    assert await count(db) == 10
    assert await count(db, "usage_archived_keys") == 0


@pytest.mark.parametrize("harm", ["cut", "changed", "gone"])
async def test_a_file_that_was_harmed_meanwhile_drops_nothing(
    ingest: Ingest, fold: Folder, db: Database, tmp_path: Path, harm: str
) -> None:
    await ingest.record([old(number) for number in range(10)], now=NOW)
    await fold()
    file = None

    def told(name: str, _: int) -> None:
        nonlocal file
        file = tmp_path / name
        whole = file.read_bytes()
        if harm == "gone":
            file.unlink()
        else:
            other = gzip.compress(gzip.decompress(whole), 1, mtime=5)
            file.write_bytes(whole[:-9] if harm == "cut" else other)

    archiver = Archiver(db, lambda: NOW, tmp_path, grace=timedelta())
    with pytest.raises(SetupError) as refused:
        await archiver.run(BEFORE, told)
    assert refused.value.code in {"archive_damaged", "archive_missing"}
    assert await count(db) == 10


async def test_a_run_that_was_cut_off_is_finished_by_the_next(
    ingest: Ingest, fold: Folder, db: Database, tmp_path: Path, total: Total
) -> None:
    """Behind each file: written and remembered, not dropped."""
    await ingest.record([old(number) for number in range(300)], now=NOW)
    await fold()

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    archiver = Archiver(db, lambda: NOW, tmp_path, grace=timedelta(), events_max=100)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            await archiver.run(BEFORE, stop)
        assert (await total(JANUARY, BEFORE))["calls"] == Decimal(300)
    await archiver.run(BEFORE)
    assert await count(db) == 0
    assert await count(db, "usage_archived_keys") == 300
    lines = [
        line for file in files(tmp_path)
        for line in gzip.decompress(file.read_bytes()).splitlines()
    ]  # fmt: skip
    assert len(lines) == len(set(lines)) == 300
    assert (await total(JANUARY, BEFORE))["calls"] == Decimal(300)


async def test_events_are_dropped_a_while_after_they_are_remembered(
    ingest: Ingest, fold: Folder, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ingest.record([old(1)], now=NOW)
    await fold()
    waited = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        assert await count(db) == 1
        assert await count(db, "usage_archived_keys") == 1

    monkeypatch.setattr("tallystick.metering.archive.sleep", sleep)
    await Archiver(db, lambda: NOW, tmp_path).run(BEFORE)
    assert 80 < waited[0] <= 90


async def test_two_do_not_archive_at_once(
    ingest: Ingest, fold: Folder, archiver: Archiver, db: Database
) -> None:
    await ingest.record([old(1)], now=NOW)
    await fold()
    other = await db.connect()
    assert await archive_store.try_lock(other)
    with pytest.raises(Conflict) as refused:
        await archiver.run(BEFORE)
    assert refused.value.code == "archive_running"
    await other.close()


def test_the_correction_window_is_kept() -> None:
    day = timedelta(days=1)
    with pytest.raises(SetupError) as refused:
        archive_before(NOW, 399 * day, force=False)
    assert refused.value.code == "archive_too_young"
    assert archive_before(NOW, 400 * day, force=False) == datetime(2025, 1, 1, tzinfo=UTC)
    assert archive_before(NOW, timedelta(), force=True) == datetime(2026, 3, 1, tzinfo=UTC)


async def test_the_workers_rule_runs_once_an_hour(
    ingest: Ingest, fold: Folder, archiver: Archiver, db: Database
) -> None:
    rule = ArchiveRule(archiver, timedelta(days=400))
    now = NOW + timedelta(days=60)
    await rule.run_due(now)
    await ingest.record([old(1)], now=NOW)
    await fold()
    await rule.run_due(now + timedelta(minutes=59))
    assert await count(db) == 1
    await rule.run_due(now + timedelta(minutes=61))
    assert await count(db) == 0
