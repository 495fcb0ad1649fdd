"""`usage verify` and `usage rebuild` as processes: each difference, progress, exit code."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from tallystick.catalog.model import NewMeter
from tallystick.kernel.db import WRITER, Database
from tallystick.metering import service

ACCOUNT = UUID(int=7)
START, END = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
FILL = """
INSERT INTO usage_events (account_id, key, at, event_type, source, event_id, properties)
SELECT $1, md5(n::text)::uuid, $2::timestamptz + n * interval '11 hours', 'call', 's', n::text,
       jsonb_build_object('n', n, 'who', n % 5)
FROM generate_series(1, 100) AS n
"""
METERS = (
    NewMeter(code="tokens", event_type="call", aggregation="sum", property="n", group_by=("who",)),
    NewMeter(code="people", event_type="call", aggregation="unique_count", property="who"),
    NewMeter(code="seats", event_type="call", aggregation="sum", property="n", recurring=True),
)
SPOIL = (
    "UPDATE usage_totals SET total = 5 WHERE hour = '2026-02-01 11:00Z'",
    "DELETE FROM usage_groups WHERE hour = '2026-02-01 22:00Z'",
    "DELETE FROM usage_values WHERE hour = '2026-02-01 11:00Z'",
    "UPDATE usage_months SET event_count = event_count + 1 WHERE month = '2026-03-01Z'",
    """INSERT INTO usage_totals (account_id, meter_id, hour, event_count, total)
       SELECT account_id, meter_id, '2026-01-01Z', 1, 1 FROM usage_totals LIMIT 1""",
)


def run(home: Path, dsn: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tallystick", "usage", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TALLYSTICK_HOME": str(home),
            "DATABASE_URL": dsn,
        },
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


async def test_totals_that_are_not_their_events_are_told_and_made_anew(
    db: Database, dsn: str, tmp_path: Path
) -> None:
    async with db.transaction(WRITER) as conn:
        await conn.execute(FILL, ACCOUNT, START)
        meters = [await service.create_meter(conn, new, END) for new in METERS]
    async with db.transaction(WRITER) as conn:
        # As if all of it were folded; a fold would wait for the transactions of other tests.
        await conn.execute("UPDATE usage_fold SET upto = pg_current_xact_id()")
    assert run(tmp_path, dsn, "rebuild").returncode == 0
    clean = run(tmp_path, dsn, "verify")
    assert (clean.returncode, clean.stdout) == (
        0,
        "2 months of accounts read: no difference.\n",
    ), clean.stderr
    assert "verifying" in clean.stderr

    async with db.transaction(WRITER) as conn:
        before = await service.period_totals(conn, ACCOUNT, meters, START, END)
        for statement in SPOIL:
            await conn.execute(statement)
    spoilt = run(tmp_path, dsn, "verify")
    assert spoilt.returncode == 1, spoilt.stderr
    lines = spoilt.stdout.splitlines()
    assert {line.split()[0] for line in lines[:-1]} == {"hour", "group", "value", "month"}
    assert "kept nothing, events give" in spoilt.stdout
    assert "events give nothing" in spoilt.stdout

    rebuilt = run(tmp_path, dsn, "rebuild")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert "3 months of accounts counted anew" in rebuilt.stderr
    assert run(tmp_path, dsn, "verify").returncode == 0
    async with db.transaction(WRITER) as conn:
        assert await service.period_totals(conn, ACCOUNT, meters, START, END) == before
