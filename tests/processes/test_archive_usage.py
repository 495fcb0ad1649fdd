"""Archiving as a process: killed at any point it loses nothing; what it says."""

import asyncio
import gzip
import json
import os
import random
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tallystick.accounts.model import NewAccount
from tallystick.accounts.service import create_account
from tallystick.catalog.model import NewMeter
from tallystick.kernel.db import WRITER, Database, account_scope
from tallystick.metering import service
from tallystick.metering.fold import Fold
from tallystick.metering.ingest import Ingest
from tallystick.metering.model import UsageEvent

AT = datetime(2024, 3, 1, tzinfo=UTC)
COUNT = 20_000
# As `tallystick archive usage` does it, yet without waiting before it drops.
ARCHIVE = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tallystick.kernel.clock import system_clock
from tallystick.kernel.db import open_database
from tallystick.metering.archive import Archiver

async def main():
    db = await open_database(sys.argv[1], connections_max=4)
    archiver = Archiver(db, system_clock, Path(sys.argv[2]), grace=timedelta(), events_max=2000)
    await archiver.run(datetime(2025, 1, 1, tzinfo=UTC))
    await db.close()

asyncio.run(main())
"""


def archive(dsn: str, folder: Path, seconds: float) -> int | None:
    """Archive, killed behind so many seconds; the exit code, None when it was killed."""
    with subprocess.Popen([sys.executable, "-c", ARCHIVE, dsn, str(folder)]) as process:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(seconds)
        process.kill()
    return None


def lines_in(folder: Path) -> list[str]:
    return [
        json.loads(line)["id"]
        for file in folder.rglob("*.gz")
        for line in gzip.decompress(file.read_bytes()).splitlines()
    ]


async def test_killed_at_any_point_nothing_is_lost_and_totals_stay(
    db: Database, dsn: str, tmp_path: Path
) -> None:
    new = NewAccount(name="A", email="a@example.com", currency="USD", country="US", external_id="a")
    async with db.transaction(WRITER) as conn:
        account = await create_account(conn, new, AT)
        meter = await service.create_meter(
            conn, NewMeter(code="n", event_type="call", aggregation="sum", property="n"), AT
        )
    ingest = Ingest(db)
    sent = [
        UsageEvent(source="s", id=str(at), type="call", subject="a", properties={"n": at},
                   at=AT + timedelta(minutes=at))
        for at in range(COUNT)
    ]  # fmt: skip
    for first in range(0, COUNT, 5000):
        await ingest.record(sent[first : first + 5000], now=AT + timedelta(days=60))
    for _ in range(3000):
        await Fold(db).run_once()
        async with db.transaction(WRITER) as conn:
            if await conn.fetchval(
                "SELECT upto > (SELECT max(tx) FROM usage_events) FROM usage_fold"
            ):
                break
        await asyncio.sleep(0.01)
    chance = random.Random(2)  # noqa: S311 - a test's dice
    code = None
    for tries in range(40):
        code = archive(dsn, tmp_path, 60 if tries == 39 else chance.uniform(0.4, 1.5))
        async with db.transaction(account_scope(account.account_id)) as conn:
            end = AT + timedelta(days=60)
            told = await service.period_totals(conn, account.account_id, [meter], AT, end)
            left = await conn.fetchval("SELECT count(*) FROM usage_events")
        assert told["n"] == sum(range(COUNT))
        if code is not None:
            break
    assert code == 0
    assert left == 0
    assert sorted(map(int, lines_in(tmp_path))) == list(range(COUNT))
    later = Ingest(db)
    results = await later.record(sent[:100], now=AT + timedelta(days=60))
    assert {result.status.value for result in results} == {"duplicate"}
    await ingest.close()
    await later.close()


def run(dsn: str, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tallystick", "archive", "usage", *arguments],
        env={"PATH": os.environ["PATH"], "DATABASE_URL": dsn, **variables},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_what_is_asked_for_wrongly_is_one_sentence(dsn: str, tmp_path: Path) -> None:
    for arguments, told in (
        ((), "Say --keep-days, or set TALLYSTICK_USAGE_KEEP_DAYS."),
        (("--keep-days", "30"), "keep that many days, or say --force"),
    ):
        done = run(dsn, "--to", str(tmp_path), *arguments)
        assert done.returncode == 1
        assert told in done.stderr
        assert done.stderr.count("\n") == 1
    done = run(dsn, TALLYSTICK_USAGE_KEEP_DAYS="30")
    assert "TALLYSTICK_USAGE_KEEP_DAYS must be a whole number from 400" in done.stderr


def test_without_old_events_it_says_so(dsn: str, tmp_path: Path) -> None:
    done = run(dsn, "--to", str(tmp_path), TALLYSTICK_USAGE_KEEP_DAYS="500")
    assert done.returncode == 0
    assert done.stdout.startswith("There are no usage events before ")
    assert not list(tmp_path.iterdir())


async def test_what_lago_was_not_sent_yet_stays_and_is_told(
    db: Database, dsn: str, tmp_path: Path
) -> None:
    new = NewAccount(name="A", email="a@example.com", currency="USD", country="US", external_id="a")
    async with db.transaction(WRITER) as conn:
        await create_account(conn, new, AT)
        await service.create_meter(conn, NewMeter(code="n", event_type="call"), AT)
    ingest = Ingest(db)
    event = UsageEvent(source="s", id="1", type="call", subject="a", properties={}, at=AT)
    await ingest.record([event], now=AT)
    await ingest.close()
    lago = {"LAGO_API_URL": "http://127.0.0.1:9", "LAGO_API_KEY": "k" * 16}
    done = run(dsn, "--to", str(tmp_path), "--keep-days", "400", **lago)
    assert done.returncode == 0
    assert done.stdout.startswith("1 usage events before ")
    assert "not sent to Lago yet" in done.stdout
    done = run(dsn, "--to", str(tmp_path), "--keep-days", "400", "--ignore-lago", **lago)
    assert "Lago" not in done.stdout
