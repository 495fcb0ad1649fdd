"""What `tallystick lago compare` does: our totals against Lago's, as a table."""

import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Final
from uuid import UUID

from rich.console import Console
from rich.table import Table

from tallystick.accounts import service as accounts
from tallystick.app import open_services
from tallystick.kernel.clock import system_clock
from tallystick.kernel.db import STAFF, Database
from tallystick.kernel.errors import SetupError
from tallystick.kernel.ids import unknown
from tallystick.kernel.logs import configure_logs
from tallystick.lago_sync.compare import Line
from tallystick.lago_sync.sweep import Compared, Sweep
from tallystick.money.exact import subtract
from tallystick.settings import Settings

WIDTH: Final = 160
"""Columns of the table where it is no terminal's width."""
_DAY: Final = "%Y-%m-%d"


async def compare_usage(settings: Settings, dsn: str, account: str | None) -> bool:
    """Compare one account (`acct_...` or external id), or all that were sent; False: differences.

    Raises SetupError `lago_not_configured`, NotFound `account_not_found`.
    """
    configure_logs(json=settings.log_json, level=settings.log_level)
    async with open_services(settings, dsn) as services:
        if services.lago is None:
            raise SetupError("lago_not_configured", "Set LAGO_API_URL and LAGO_API_KEY first.")
        sweep = Sweep(services.db, services.lago, system_clock)
        wanted = await _account(services.db, account) if account else None
        found = [compared async for compared in _compared(sweep, wanted)]
    _show(found)
    return all(compared.is_clean for compared in found)


async def _account(db: Database, subject: str) -> UUID:
    async with db.transaction(STAFF) as conn:
        found = await accounts.find_by_subjects(conn, [subject])
    if subject not in found:
        raise unknown("account")
    return found[subject].account_id


async def _compared(sweep: Sweep, wanted: UUID | None) -> AsyncIterator[Compared]:
    if wanted is not None:
        yield await sweep.compare(wanted)
        return
    last = UUID(int=0)
    while batch := await sweep.accounts_after(last):
        for account_id in batch:
            yield await sweep.compare(account_id)
        last = batch[-1]


def _show(found: list[Compared]) -> None:
    table = Table("Account", "Period", "Meter", title="Usage here and in Lago")
    for name in ("Here", "Lago", "Difference"):
        table.add_column(name, justify="right")
    table.add_column("Verdict")
    for compared in found:
        _add(table, compared)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(table)
    bad = sum(not compared.is_clean for compared in found)
    console.print(f"{len(found)} accounts compared, {bad} with differences or problems.")


def _add(table: Table, compared: Compared) -> None:
    if compared.problem is not None:
        table.add_row(compared.name, "", "", "", "", "", f"not compared: {compared.problem}")
        return
    span = (compared.start, compared.end)
    period = " to ".join(at.strftime(_DAY) for at in span if at is not None)
    for line in compared.lines:
        theirs = "none" if line.theirs is None else _plain(line.theirs)
        difference = _plain(subtract(line.theirs or Decimal(0), line.ours))
        verdict = _verdict(line, is_busy=compared.is_busy)
        figures = (_plain(line.ours), theirs, difference)
        table.add_row(compared.name, period, line.meter.code, *figures, verdict)


def _verdict(line: Line, *, is_busy: bool) -> str:
    if line.is_equal:
        return "equal"
    if is_busy:
        return "events are on their way"
    return "no charge counts it" if line.theirs is None else "differs"


def _plain(quantity: Decimal) -> str:
    text = f"{quantity:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
