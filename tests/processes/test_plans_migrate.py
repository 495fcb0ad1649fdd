"""`plans migrate` as a process: what would change, and the change."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from tallystick.accounts.model import NewAccount
from tallystick.accounts.service import create_account
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewPlanVersion
from tallystick.kernel.db import WRITER, Database
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions import service as subscriptions

WHY = ("--plan", "pro", "--reason", "new prices")


def run(home: Path, dsn: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tallystick", "plans", "migrate", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TALLYSTICK_HOME": str(home),
            "DATABASE_URL": dsn,
        },
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


async def test_a_plan_is_moved_once_its_preview_was_agreed_to(
    db: Database, dsn: str, tmp_path: Path
) -> None:
    """Two accounts pay 10.00 a month afterwards; the new version asks for 12.00."""
    now = datetime.now(UTC)
    async with db.transaction(WRITER) as conn:
        for amount in (10, 12):
            fee = FlatPrice(currency="EUR", code="fee", amount=Decimal(amount))
            new = NewPlanVersion(
                plan_code="pro", plan_name="Pro", currency="EUR", interval="month", prices=(fee,)
            )
            plan = await catalog.create_plan_version(conn, new, now)
            if amount == 12:
                break
            for name in ("ada", "bob"):
                asked = NewAccount(
                    name=name, email="a@example.com", currency="EUR", country="FR", external_id=name
                )
                account = await create_account(conn, asked, now)
                await subscriptions.subscribe(conn, account, plan, now)

    seen = run(tmp_path, dsn, *WHY, "--dry-run")
    assert seen.returncode == 0, seen.stderr
    assert all(figure in seen.stdout for figure in ("€40.00", "€44.00", "€4.00", "2, 0, 0"))
    assert "preview" in seen.stderr

    done = run(tmp_path, dsn, *WHY, "--account", "ada", "--notice-days", "40", "--yes")
    assert done.returncode == 0, done.stderr
    assert ": 1 scheduled" in done.stdout
    async with db.transaction(WRITER) as conn:
        told = await conn.fetch("SELECT kind FROM outbox WHERE kind LIKE '%migration%'")
        waiting = await conn.fetch("SELECT next_plan_version_id AS next FROM subscriptions")
    assert len(told) == 1
    assert {row["next"] for row in waiting} == {None, plan.plan_version_id}

    again = run(tmp_path, dsn, *WHY, "--account", "ada", "--yes")
    assert again.returncode == 1
    assert "Another change is scheduled" in again.stdout

    wrong = run(tmp_path, dsn, *WHY, "--when", "soon")
    assert (wrong.returncode, "--when takes" in wrong.stderr) == (1, True)
