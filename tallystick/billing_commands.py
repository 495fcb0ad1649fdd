"""What `tallystick bill` does: bills what is due by now, once, and shows how far it is."""

import sys
import time
from collections import Counter
from typing import Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tallystick.app import open_services
from tallystick.invoices.billing_run import BillingRun, reason_of
from tallystick.invoices.foresee import FIRST, foresee
from tallystick.kernel.clock import system_clock
from tallystick.kernel.db import STAFF, Actor, acting
from tallystick.money.amount import Money
from tallystick.money.text import show_money
from tallystick.payments import methods
from tallystick.settings import Settings
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.model import DueCount

LOCALE: Final = "en-US"


async def run_billing(settings: Settings, dsn: str, batch: int) -> int:
    """Bill all that is due, beside any workers; return how many are parked then.

    `batch` subscriptions a transaction. Accounts on test clocks are left to those.
    """
    async with open_services(settings, dsn) as services:
        now = system_clock()
        run = BillingRun(
            services.db,
            system_clock,
            services.seller,
            has_method=methods.has_method,
            batch_max=batch,
        )
        async with services.db.transaction(STAFF) as conn:
            due = await subscriptions.due_count(conn, now)
        began = time.monotonic()
        with _progress() as progress, acting(Actor("job", "bill")):
            task = progress.add_task("billing", total=due.waiting, rate="")
            done = 0
            while handled := await run.run_due(now, None):
                done += handled
                rate = done / max(time.monotonic() - began, 0.001)
                total = max(done, due.waiting)
                progress.update(task, completed=done, total=total, rate=f"{rate:,.0f}/s")
        seconds = time.monotonic() - began
        async with services.db.transaction(STAFF) as conn:
            left = await subscriptions.due_count(conn, now)
        _say_end(done, seconds, left)
    return left.parked


async def foresee_billing(settings: Settings, dsn: str, batch: int) -> int:
    """Print what would be billed by now, by currency, and what could not be; return how many."""
    async with open_services(settings, dsn) as services:
        now, after, count = system_clock(), FIRST, 0
        sums: dict[str, list[int]] = {}
        reasons: Counter[str] = Counter()
        with _progress() as progress:
            task = progress.add_task("reading", total=None, rate="")
            while True:
                async with services.db.transaction(STAFF) as conn:
                    found = await foresee(conn, now, after, batch, methods.has_method)
                if found is None:
                    break
                for one in found.made:
                    sums.setdefault(one.draft.currency, []).append(one.draft.total.minor)
                reasons.update(reason_of(one.error) for one in found.failed)
                count += found.subscription_count
                after = found.last_account_id
                progress.update(task, completed=count, total=count)
    _show_foreseen(count, sums, reasons)
    return reasons.total()


def _show_foreseen(count: int, sums: dict[str, list[int]], reasons: Counter[str]) -> None:
    typer.echo(f"{count} subscriptions are due; nothing was written.")
    for code, totals in sorted(sums.items()):
        shown = show_money(Money(sum(totals), code), LOCALE)
        typer.echo(f"  {len(totals)} invoices in {code}, together {shown}")
    for reason, number in reasons.most_common():
        typer.echo(f"  {number} could not be billed: {reason}")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
    )


def _say_end(done: int, seconds: float, left: DueCount) -> None:
    rate = done / max(seconds, 0.001)
    typer.echo(f"{done} bills in {seconds:.1f} s, {rate:,.0f}/s.")
    if left.parked:
        typer.echo(f"{left.parked} subscriptions are parked; the worker tries them again.")
        for reason, count in left.reasons.items():
            typer.echo(f"  {count}: {reason}")
