"""What `tallystick export csv` does: a sheet into a file, row by row, with progress."""

import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import typer

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.exports.model import Sheet, Wanted
from tallystick.exports.service import csv_pieces
from tallystick.exports.sheets import ACCOUNT_SHEETS, BOOK_SHEETS
from tallystick.kernel.clock import account_now, system_clock
from tallystick.kernel.db import STAFF, Connection, open_database
from tallystick.kernel.errors import NotFound, SetupError
from tallystick.subscriptions.periods import add_months, local_day, start_of_day

SHEETS: Final = {**ACCOUNT_SHEETS, **BOOK_SHEETS}
_EARLIEST: Final = date(2000, 1, 1)
_INSTANT: Final = timedelta(microseconds=1)
"""What happens at this very instant is in it too."""
_SHOW_AFTER_S: Final = 0.2


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The command line; days are ISO 8601."""

    sheet: str
    file: Path
    start: str | None
    end: str | None
    account: str | None
    timezone: str | None


async def write_csv(dsn: str, asked: Asked) -> int:
    """Write the file and return how many rows it has.

    Raises SetupError `option_invalid`, NotFound `account_not_found`.
    """
    sheet = _sheet(asked)
    db = await open_database(dsn, connections_max=1)
    try:
        async with db.transaction(STAFF) as conn:
            wanted = await _wanted(conn, asked)
            return await _write(conn, sheet, wanted, asked.file)
    finally:
        await db.close()


async def _write(conn: Connection, sheet: Sheet, wanted: Wanted, file: Path) -> int:
    """Write beside the file and rename: a part is never taken for the whole."""
    part = file.with_name(f"{file.name}.part")
    progress = _Progress()
    with part.open("wb") as out:
        async for piece in csv_pieces(conn, sheet, wanted, progress.advance):
            out.write(piece)
    part.replace(file)
    progress.end()
    return progress.count - 1  # the names of the columns


class _Progress:
    """How many rows are written, and how fast, on the standard error."""

    def __init__(self) -> None:
        self.count = 0
        self._begun = self._shown = time.monotonic()

    def advance(self, rows: int) -> None:
        """Count rows; show them a few times a second."""
        self.count += rows
        now = time.monotonic()
        if now - self._shown >= _SHOW_AFTER_S:
            self._shown = now
            rate = self.count / (now - self._begun)
            typer.echo(f"\r{self.count:,} rows, {rate:,.0f} a second", nl=False, err=True)

    def end(self) -> None:
        """Leave the line."""
        if self._shown != self._begun:
            typer.echo("", err=True)


def _sheet(asked: Asked) -> Sheet:
    sheet = SHEETS.get(asked.sheet)
    if sheet is None:
        known = ", ".join(SHEETS)
        raise _wrong(f"There is no table {asked.sheet!r}; there are {known}.")
    if sheet.name == "usage" and asked.account is None:
        raise _wrong("Usage is exported account by account: give --account.")
    return sheet


async def _wanted(conn: Connection, asked: Asked) -> Wanted:
    account = await _account(conn, asked.account) if asked.account else None
    now = await account_now(conn, account.account_id, system_clock()) if account else system_clock()
    timezone = asked.timezone or (account.timezone if account else "UTC")
    if asked.sheet == "revenue":
        start, end = _months(asked, local_day(now, timezone))
    else:
        start = start_of_day(_day("--from", asked.start) or _EARLIEST, timezone)
        until = _day("--to", asked.end)
        end = start_of_day(until, timezone) if until else now + _INSTANT
    if end <= start:
        raise _wrong("--to must be a later day than --from.")
    return Wanted(
        start=start,
        end=end,
        account_id=account.account_id if account else None,
        timezone=timezone,
    )


def _months(asked: Asked, today: date) -> tuple[datetime, datetime]:
    """Return the months from that of --from on, else the last twelve, before that of --to."""
    start, end = _day("--from", asked.start), _day("--to", asked.end)
    last = add_months(today.replace(day=1), 1)
    return _midnight(start or add_months(last, -12)), _midnight(end or last)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, 1, tzinfo=UTC)


def _day(option: str, text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise _wrong(f"{option} takes a day such as 2026-01-31.") from None


async def _account(conn: Connection, subject: str) -> Account:
    found = (await accounts.find_by_subjects(conn, [subject])).get(subject)
    if found is None:
        raise NotFound("account_not_found", f"There is no account {subject}.")
    return found


def _wrong(message: str) -> SetupError:
    return SetupError("option_invalid", message)
