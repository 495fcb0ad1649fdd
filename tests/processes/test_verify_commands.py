"""`verify`, `anchor`, `export ledger` as processes: verdicts, each difference, exit code."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg

from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.ids import show
from tallystick.ledger import service
from tallystick.ledger.model import RECEIVABLE, REVENUE, Entry, Posting

AT = datetime(2026, 3, 1, tzinfo=UTC)
WITHOUT_ANCHOR = " (without an anchor: whole tails that are gone stay unseen)"


def run(home: Path, dsn: str | None, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TALLYSTICK_HOME": str(home)}
    if dsn is not None:
        environment["DATABASE_URL"] = dsn
    return subprocess.run(
        [sys.executable, "-m", "tallystick", *arguments],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


async def test_verify_tells_each_difference_with_its_ids_and_ends_with_1(
    db: Database, dsn: str, tmp_path: Path
) -> None:
    account = uuid4()
    for number in range(3):
        postings = (Posting(RECEIVABLE, "EUR", 10), Posting(REVENUE, "EUR", -10))
        entry = Entry(f"k{number}", "test_move", "ref", "a test", AT, postings)
        async with db.transaction(WRITER) as conn:
            await service.post(conn, account, entry)
    anchor, export = str(tmp_path / "anchor"), str(tmp_path / "export")
    done = run(tmp_path, dsn, "anchor", anchor)
    assert (done.returncode, done.stderr) == (0, f"1 chains anchored in {anchor}\n")
    assert run(tmp_path, dsn, "export", "ledger", export).returncode == 0

    done = run(tmp_path, dsn, "verify")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "4 records read.",
        "Integrity: no difference",
        f"Completeness: no difference{WITHOUT_ANCHOR}",
    ]
    assert "verifying" in done.stderr
    offline = run(tmp_path, None, "verify", "--export", export, "--anchor", anchor)
    assert (offline.returncode, offline.stdout.splitlines()[1:]) == (
        0,
        ["Integrity: no difference", "Completeness: no difference"],
    )

    owner = await asyncpg.connect(dsn)
    await owner.execute(
        "SET session_replication_role = replica;"
        "UPDATE ledger_balances SET balance = 31; DELETE FROM ledger_postings WHERE sequence = 2"
    )
    await owner.close()
    assert run(tmp_path, dsn, "export", "ledger", export).returncode == 0
    told = run(tmp_path, dsn, "verify", "--anchor", anchor)
    again = run(tmp_path, None, "verify", "--export", export, "--anchor", anchor)
    assert (told.returncode, again.returncode) == (1, 1)
    assert told.stdout == again.stdout
    acct = show("account", account)
    where = f"{acct} receivable EUR number 3"
    lines = told.stdout.splitlines()
    assert lines.pop(1).startswith(f"integrity entry_unbalanced: {acct} le_")
    assert lines == [
        f"completeness sequence_gap: {where}: after number 1 comes 3",
        f"integrity balance_differs: {where}: the postings end at 30, the balance row says 31",
        "4 records read.",
        "Integrity: 2 differences",
        "Completeness: 1 difference",
    ]
