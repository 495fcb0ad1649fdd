"""What `tallystick what-if` does: progress while it reads, then the whole as a table or as JSON.

Nothing is written to the database. Rows go to a file as they come; what stays in memory is one
batch, and one number for each account.
"""

import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Any, Final
from uuid import UUID

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from tallystick.accounts import service as accounts
from tallystick.api.admin_catalog import NewPlan, new_version
from tallystick.api.answers import encode
from tallystick.api.strict import decode
from tallystick.api.what_if_answers import result_answer, row_answer
from tallystick.app import open_usage
from tallystick.catalog.model import NewPlanVersion
from tallystick.kernel.clock import system_clock
from tallystick.kernel.db import STAFF, Database, open_database
from tallystick.kernel.errors import NotFound, SetupError
from tallystick.kernel.ids import parse, show
from tallystick.money.amount import Money
from tallystick.money.text import show_money
from tallystick.settings import Settings
from tallystick.subscriptions import chosen
from tallystick.whatif.model import Question, Result, Summary
from tallystick.whatif.reading import Batch, Plan, plan_of, read_batch
from tallystick.whatif.service import check_span
from tallystick.whatif.summary import Tally
from tallystick.whatif.variance import percent

LOCALE: Final = "en-US"
WIDTH: Final = 120
"""Columns of the tables where there is no terminal."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The command line: one of `plan_version` and `draft`; dates are beginnings of days in UTC."""

    plan_version: str | None
    draft: Path | None
    accounts: Sequence[str]
    plan: str | None
    start: str
    end: str
    rows: Path | None
    as_json: bool


async def run_what_if(settings: Settings, dsn: str, asked: Asked) -> None:
    """Answer on the output, with progress on the error output.

    Raises SetupError `option_invalid`; NotFound for the plan, the version or an account; BadInput
    naming the fields of the draft that can not be taken.
    """
    usage = await open_usage(settings.usage_store_url)
    db = await open_database(dsn, connections_max=1, beside=usage)
    try:
        question = await _question(db, asked)
        check_span(question)
        with _rows_file(asked.rows) as rows:
            result = await _answer(db, question, rows)
    finally:
        await db.close()
        if usage:
            await usage.server.close()
    if asked.as_json:
        typer.echo(encode(result_answer(result)))
    else:
        _show(result)


async def _answer(db: Database, question: Question, rows: IO[bytes] | None) -> Result:
    tally = Tally()
    async with db.transaction(STAFF) as conn:
        plan = await plan_of(conn, question)
        count = await chosen.count_accounts(conn, plan.choice)
    with typer.progressbar(length=count, label="accounts", file=sys.stderr) as bar:
        async for batch in _batches(db, plan):
            for outcome in batch.outcomes:
                tally.add(outcome)
                if rows:
                    rows.write(encode(row_answer(outcome)) + b"\n")
            for one in batch.skipped:
                tally.skip(one.reason)
            bar.update(batch.account_count)
    return tally.result()


async def _batches(db: Database, plan: Plan) -> AsyncIterator[Batch]:
    last = chosen.FIRST
    while True:
        async with db.transaction(STAFF) as conn:
            batch = await read_batch(conn, plan, last, system_clock())
        if batch is None:
            return
        yield batch
        last = batch.last_account_id


async def _question(db: Database, asked: Asked) -> Question:
    if (asked.plan_version is None) == (asked.draft is None):
        raise SetupError("option_invalid", "Name either --plan-version or --draft.")
    version = parse("plan_version", asked.plan_version) if asked.plan_version else None
    return Question(
        plan_version_id=version,
        draft=_read_draft(asked.draft) if asked.draft else None,
        account_ids=await _accounts(db, asked.accounts) if asked.accounts else None,
        plan_code=asked.plan,
        start=_instant("--from", asked.start),
        end=_instant("--to", asked.end),
    )


def _read_draft(file: Path) -> NewPlanVersion:
    """Read a version as `POST /api/v1/admin/plans` takes it."""
    try:
        body = file.read_bytes()
    except OSError as error:
        raise SetupError("option_invalid", f"{file} can not be read: {error.strerror}.") from error
    data: NewPlan = decode(body, NewPlan)
    return new_version(data)


async def _accounts(db: Database, names: Sequence[str]) -> tuple[UUID, ...]:
    async with db.transaction(STAFF) as conn:
        found = await accounts.find_by_subjects(conn, names)
    for name in names:
        if name not in found:
            raise NotFound("account_not_found", f"There is no account {name}.")
    return tuple(dict.fromkeys(found[name].account_id for name in names))


def _instant(option: str, text: str) -> datetime:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise SetupError("option_invalid", f"{option} takes a date such as 2026-01-01.") from error
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@contextmanager
def _rows_file(path: Path | None) -> Iterator[IO[bytes] | None]:
    if path is None:
        yield None
        return
    try:
        file = path.open("wb")
    except OSError as error:
        raise SetupError(
            "option_invalid", f"{path} can not be written: {error.strerror}."
        ) from error
    with file:
        yield file


def _show(result: Result) -> None:
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    for summary in result.summaries:
        console.print(_whole(summary))
        console.print(_prices(summary))
    if not result.summaries:
        console.print("No period was compared: none of these accounts has one that ended.")
    for reason, count in result.skipped.items():
        console.print(f"{count} not compared: {reason}")


def _whole(one: Summary) -> Table:
    table = Table(title=f"What if: {one.currency}", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    change = percent(one)
    share = "" if change is None else f" ({change:+} %)"
    rows: list[tuple[str, Any]] = [
        ("accounts", f"{one.account_count:,}"),
        ("periods", f"{one.period_count:,}"),
        ("now", _money(one.now)),
        ("then", _money(one.then)),
        ("difference", _money(one.difference) + share),
        ("pay more, less, the same", f"{one.more_count}, {one.less_count}, {one.same_count}"),
        *((f"{tenth}0 % change by at most", _money(d)) for tenth, d in enumerate(one.deciles, 1)),
    ]
    for label, extreme in (("most more", one.raised), ("most less", one.lowered)):
        if extreme:
            shown = f"{_money(extreme.difference)}  {show('account', extreme.account_id)}"
            rows.append((label, shown))
    for label, value in rows:
        table.add_row(label, value)
    return table


def _prices(one: Summary) -> Table:
    table = Table("Price")
    for name in ("Now", "Then", "Difference"):
        table.add_column(name, justify="right")
    for line in one.lines:
        figures = (line.now, line.then, line.then - line.now)
        table.add_row(line.price_code, *map(_money, figures))
    return table


def _money(amount: Money) -> str:
    return show_money(amount, LOCALE)
