"""`invoices recompute` as a process: what was tampered with is told, exit code 1."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from tallystick.accounts import service as accounts
from tallystick.accounts.model import NewAccount
from tallystick.documents.document import Party
from tallystick.invoices.one_off import issue_one_off, one_off_draft
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.ids import show
from tallystick.money.amount import Money

AT = datetime(2026, 3, 1, tzinfo=UTC)
LINE = """
UPDATE invoice_lines SET amount_minor = 1500 WHERE amount_minor = 1000;
UPDATE invoice_lines SET derivation = '{}' WHERE amount_minor = 2000;
UPDATE invoices SET subtotal_minor = 3001, total_minor = 3001 WHERE subtotal_minor = 3000
"""


def run(home: Path, dsn: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tallystick", "invoices", "recompute", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TALLYSTICK_HOME": str(home),
            "DATABASE_URL": dsn,
        },
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


async def test_every_tampered_invoice_is_told_with_what_follows_from_its_inputs(
    db: Database, dsn: str, tmp_path: Path
) -> None:
    ids = []
    async with db.transaction(WRITER) as conn:
        new = NewAccount(name="Ada", email="a@x.example", currency="EUR", country="FR")
        account = await accounts.create_account(conn, new, AT)
        for minor in (1000, 2000, 3000):
            draft = one_off_draft(
                account, "one_off", Money(minor, "EUR"), description="Setup", code="setup", at=AT
            )
            made = await issue_one_off(conn, account, draft, seller=Party("Seller"), at=AT)
            ids.append(show("invoice", made.invoice_id))
    clean = run(tmp_path, dsn)
    assert (clean.returncode, clean.stdout) == (
        0,
        "3 invoices computed again: no difference.\n",
    ), clean.stderr
    assert "recomputing" in clean.stderr

    owner = await asyncpg.connect(dsn)
    await owner.execute("SET session_replication_role = replica;" + LINE)
    await owner.close()
    spoilt = run(tmp_path, dsn)
    assert spoilt.returncode == 1
    one, two, three = (f"INV-2026-00000{n + 1}{{}} ({shown})" for n, shown in enumerate(ids))
    told = spoilt.stdout.replace(", stored inputs give", "; not").replace(" (minor units, EUR)", "")
    assert told.splitlines() == [
        f"{one.format(' line 1')}: amount is 1500; not 1000",
        f"{one.format('')}: subtotal is 1000; not 1500",
        f"{two.format(' line 1')}: amount is 2000; not nothing",
        f"{three.format('')}: subtotal is 3001; not 3000",
        f"{three.format('')}: document is 3000; not 3001",
        "3 invoices computed again: 5 differences.",
    ]
    alone = run(tmp_path, dsn, "--invoice", ids[1])
    assert (alone.returncode, len(alone.stdout.splitlines())) == (1, 2)
    unknown = run(tmp_path, dsn, "--invoice", show("invoice", account.account_id))
    assert (unknown.returncode, unknown.stderr) == (1, "tallystick: There is no such invoice.\n")
