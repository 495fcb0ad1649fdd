"""`what-if` as a process: figures on the output, progress beside them, rows in a file."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from tallystick.accounts.model import NewAccount
from tallystick.accounts.service import create_account
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewPlanVersion
from tallystick.kernel.db import WRITER, Database
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions import service as subscriptions

START = datetime(2025, 1, 1, tzinfo=UTC)
SPAN = ("--from", "2025-01-01", "--to", "2025-04-01")
DRAFT = {
    "code": "pro", "name": "Pro", "currency": "EUR", "interval": "month",
    "prices": [{"model": "flat", "code": "fee", "currency": "EUR", "amount": "11.00"}],
}  # fmt: skip


def run(home: Path, dsn: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tallystick", "what-if", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TALLYSTICK_HOME": str(home),
            "DATABASE_URL": dsn,
        },
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


async def test_a_file_is_tried_on_what_is_stored(db: Database, dsn: str, tmp_path: Path) -> None:
    """Two accounts pay 10.00 a month for a quarter; the draft asks for 11.00."""
    async with db.transaction(WRITER) as conn:
        fee = FlatPrice(currency="EUR", code="fee", amount=Decimal(10))
        new = NewPlanVersion(
            plan_code="pro", plan_name="Pro", currency="EUR", interval="month", prices=(fee,)
        )
        plan = await catalog.create_plan_version(conn, new, START)
        for name in ("ada", "bob"):
            asked = NewAccount(
                name=name, email="a@example.com", currency="EUR", country="FR", external_id=name
            )
            await subscriptions.subscribe(
                conn, await create_account(conn, asked, START), plan, START
            )
    draft, rows = tmp_path / "draft.json", tmp_path / "rows.ndjson"
    draft.write_bytes(msgspec.json.encode(DRAFT))

    done = run(tmp_path, dsn, "--draft", str(draft), *SPAN, "--rows", str(rows), "--json")
    assert done.returncode == 0, done.stderr
    (whole,) = msgspec.json.decode(done.stdout)["currencies"]
    assert (whole["now_cents"], whole["then_cents"]) == (6000, 6600)
    assert (whole["difference_percent"], whole["more_count"]) == ("10.00", 2)
    assert "accounts" in done.stderr
    lines = [msgspec.json.decode(line) for line in rows.read_bytes().splitlines()]
    assert sum(line["difference_cents"] for line in lines) == 600
    assert len(lines) == 6

    shown = run(tmp_path, dsn, "--draft", str(draft), *SPAN, "--account", "ada")
    assert shown.returncode == 0, shown.stderr
    assert "€3.00 (+10.00 %)" in shown.stdout

    wrong = run(tmp_path, dsn, *SPAN)
    assert wrong.returncode == 1
    assert "--plan-version or --draft" in wrong.stderr
    nobody = run(tmp_path, dsn, "--draft", str(draft), *SPAN, "--account", "nobody")
    assert (nobody.returncode, "nobody" in nobody.stderr) == (1, True)
