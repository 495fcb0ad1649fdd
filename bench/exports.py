"""`tallystick export csv` as a process: seconds, and peak memory whatever the size."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg

from bench.figures import Figure
from bench.installation import Installation, copy_twin
from tallystick.accounts import service as accounts
from tallystick.accounts.model import NewAccount
from tallystick.documents.document import Party
from tallystick.invoices.one_off import issue_one_off, one_off_draft
from tallystick.kernel.db import WRITER, open_database
from tallystick.kernel.ids import show
from tallystick.money.amount import Money

AT = datetime(2026, 1, 31, tzinfo=UTC)
LINES_EACH = 1_000
SECONDS_MAX = 600.0
# Copies of one invoice with one line, whatever columns they have.
COPY_INVOICES = """
INSERT INTO invoices
SELECT (jsonb_populate_record(i, jsonb_build_object(
    'invoice_id', gen_random_uuid(), 'number', i.account_id || '-' || n))).*
FROM invoices i, generate_series(1, $2::integer) AS n WHERE i.account_id = $1
"""
COPY_LINES = """
INSERT INTO invoice_lines
SELECT (jsonb_populate_record(l, jsonb_build_object(
    'invoice_id', i.invoice_id, 'invoice_line_id', gen_random_uuid(), 'position', n))).*
FROM invoice_lines l
JOIN invoices i ON i.account_id = l.account_id AND i.invoice_id <> l.invoice_id,
     generate_series(1, $2::integer) AS n
WHERE l.account_id = $1
"""


def measure(place: Installation, lines: int) -> list[Figure]:
    """Export a tenth, one account's, and all; the ratio of memory is to the first."""
    dsn = copy_twin(place.dsn)
    account_id = asyncio.run(_fill(dsn, lines // 10))
    asyncio.run(_fill(dsn, lines - lines // 10))
    few = _export(dsn, lines // 10 + 1, "--account", show("account", account_id))
    all_ = _export(dsn, lines + 2)
    return [
        *_figures(lines // 10, few, few[1]),
        *_figures(lines, all_, few[1]),
    ]


def _figures(lines: int, took: tuple[float, float], first_mb: float) -> list[Figure]:
    seconds, peak_mb = took
    value = f"{seconds:.1f} s, {lines / seconds:,.0f} lines/s"
    what = f"CSV export of {lines:,} invoice lines"
    return [
        Figure(what, value, "", lines / seconds),
        Figure(f"{what}: peak", f"{peak_mb:.0f} MB", f"{peak_mb / first_mb:.2f}"),
    ]


def _export(dsn: str, rows: int, *options: str) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lines.csv"
        began = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - ours
            [sys.executable, "-m", "tallystick", "export", "csv", "invoice-lines", file, *options],
            env={**os.environ, "DATABASE_URL": dsn},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        assert os.waitstatus_to_exitcode(status) == 0
        with file.open("rb") as written:
            assert sum(1 for _ in written) == rows + 1  # the names of the columns
    return seconds, used.ru_maxrss / 1024  # ru_maxrss counts KiB


async def _fill(dsn: str, lines: int) -> UUID:
    """Give an account of its own an invoice, then so many lines on copies of it."""
    db = await open_database(dsn, connections_max=1)
    new = NewAccount(name="A", email="a@example.com", currency="EUR", country="FR")
    async with db.transaction(WRITER) as conn:
        account = await accounts.create_account(conn, new, AT)
        draft = one_off_draft(
            account, "one_off", Money(1000, "EUR"), description="Work", code="work", at=AT
        )
        await issue_one_off(conn, account, draft, seller=Party("Bench"), at=AT)
    await db.close()
    owner = await asyncpg.connect(dsn)
    # Final invoices take no further lines; copies are made past the triggers.
    await owner.execute("SET session_replication_role = replica")
    count, each = max(1, lines // LINES_EACH), min(lines, LINES_EACH)
    await owner.execute(COPY_INVOICES, account.account_id, count, timeout=SECONDS_MAX)
    await owner.execute(COPY_LINES, account.account_id, each, timeout=SECONDS_MAX)
    await owner.execute("ANALYZE invoices, invoice_lines")
    await owner.close()
    return account.account_id
