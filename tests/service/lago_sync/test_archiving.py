"""Old usage does not leave the database before it was read for Lago, and is compared afterwards."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tallystick.accounts.model import Account
from tallystick.catalog.model import NewMeter
from tallystick.kernel.db import WRITER, Database
from tallystick.lago_sync import service
from tallystick.lago_sync.answers import CurrentUsage
from tallystick.lago_sync.sender import Sender
from tallystick.lago_sync.sweep import Sweep
from tallystick.metering import archive_store
from tallystick.metering import service as metering
from tallystick.metering.archive import Archiver, ArchiveRule
from tallystick.metering.fold import Fold

if TYPE_CHECKING:
    from tests.service.lago_sync.conftest import Lago

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
Record = Callable[..., Awaitable[None]]
SendAll = Callable[..., Awaitable[int]]


@pytest.fixture
def archiver(db: Database, tmp_path: Path) -> Archiver:
    return Archiver(db, lambda: NOW, tmp_path, grace=timedelta(), read_upto=service.read_upto)


async def archivable(db: Database) -> int:
    """Fold everything, and count what is stored."""
    while await Fold(db).run_once():
        pass
    async with db.transaction(WRITER) as conn:
        return int(await conn.fetchval("SELECT count(*) FROM usage_events"))


async def test_what_was_not_read_for_lago_stays(
    record: Record, send_all: SendAll, archiver: Archiver, db: Database, lago: "Lago"
) -> None:
    await record("1", "2")
    assert await archivable(db) == 2
    done = await archiver.run(APRIL)
    assert (done.event_count, done.held_count) == (0, 2)
    async with db.transaction(WRITER) as conn:
        assert await conn.fetchval("SELECT NOT isfinite(archived_before) FROM usage_fold")
    await send_all()
    await record("3")
    assert await archivable(db) == 3
    done = await archiver.run(APRIL)
    assert (done.event_count, done.held_count) == (2, 1)
    await send_all()
    assert len(lago.events()) == 6
    done = await archiver.run(APRIL)
    assert (done.event_count, done.held_count) == (1, 0)


async def test_what_waits_for_lago_is_sent_though_its_event_is_archived(
    *,
    record: Record,
    sender: Sender,
    send_all: SendAll,
    archiver: Archiver,
    db: Database,
    lago: "Lago",
) -> None:
    await record("1")
    await sender._take(NOW)
    await archivable(db)
    assert (await archiver.run(APRIL)).event_count == 1
    assert lago.events() == []
    await send_all()
    assert len(lago.events()) == 2


async def test_archived_events_are_counted_when_totals_are_compared(
    *,
    record: Record,
    send_all: SendAll,
    archiver: Archiver,
    db: Database,
    sweep: Sweep,
    accounts: Sequence[Account],
    lago: "Lago",
) -> None:
    lago.set_up("cust-1")
    await record("1", "2")
    await send_all()
    await archivable(db)
    assert (await archiver.run(APRIL)).event_count == 2
    await record("3")
    await send_all()
    compared = await sweep.compare(accounts[0].account_id)
    assert [(line.ours, line.theirs) for line in compared.lines] == [
        (Decimal(3), Decimal(3)),
        (Decimal("7.5"), Decimal("7.5")),
    ]
    assert compared.is_clean


async def test_a_period_of_lagos_that_cuts_an_archived_hour_is_a_problem(
    *,
    record: Record,
    send_all: SendAll,
    archiver: Archiver,
    db: Database,
    sweep: Sweep,
    accounts: Sequence[Account],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in a time zone of half hours."""
    await record("1")
    await send_all()
    await archivable(db)
    await archiver.run(APRIL)

    async def usage(*_: str) -> CurrentUsage:
        return CurrentUsage(NOW - timedelta(minutes=30), APRIL, {})

    monkeypatch.setattr(sweep._api, "current_usage", usage)
    compared = await sweep.compare(accounts[0].account_id)
    assert compared.problem is not None
    assert compared.problem.startswith("usage_archived: Events of the hour")


async def test_a_new_meter_keeps_what_was_about_to_go(
    *,
    record: Record,
    send_all: SendAll,
    archiver: Archiver,
    db: Database,
    lago: "Lago",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The events are in their file already; then a meter is made that Lago is to count too."""
    await record("1")
    await send_all()
    await archivable(db)
    drop = archive_store.pending

    async def none(_: object) -> tuple[()]:
        return ()

    monkeypatch.setattr(archive_store, "pending", none)
    assert len((await archiver.run(APRIL)).files) == 1
    monkeypatch.setattr(archive_store, "pending", drop)
    async with db.transaction(WRITER) as conn:
        new = NewMeter(code="later", event_type="call", aggregation="sum", property="n")
        await metering.create_meter(conn, new, NOW)
    done = await archiver.run(APRIL)
    assert (done.event_count, done.held_count) == (0, 1)
    await send_all()
    assert sorted(event["code"] for event in lago.events()) == ["calls", "later", "tokens"]
    assert (await archiver.run(APRIL)).event_count == 1


async def test_marks_of_another_server_hold_all(
    record: Record, send_all: SendAll, archiver: Archiver, db: Database
) -> None:
    await record("1")
    await send_all()
    await archivable(db)
    async with db.transaction(WRITER) as conn:
        await conn.execute("UPDATE lago_marks SET after_tx = '18446744073709551000'")
    done = await archiver.run(APRIL)
    assert (done.event_count, done.held_count) == (0, 1)


async def test_without_meters_nothing_waits_for_lago(db: Database) -> None:
    async with db.transaction(WRITER) as conn:
        assert await service.read_upto(conn) is None


async def test_the_workers_rule_says_what_it_keeps(
    record: Record, archiver: Archiver, db: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await record("1")
    await archivable(db)
    rule = ArchiveRule(archiver, timedelta(days=400))
    await rule.run_due(NOW + timedelta(days=500))
    assert "usage_archive_waits" in capsys.readouterr().out
