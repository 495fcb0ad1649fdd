"""What `tallystick import usage` shows while it runs, and at the end."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as Bar,
)

from tallystick.app import open_usage
from tallystick.kernel.clock import system_clock
from tallystick.kernel.db import open_database
from tallystick.kernel.errors import SetupError
from tallystick.kernel.logs import configure_logs
from tallystick.metering.import_errors import Refusals, open_refusals
from tallystick.metering.import_model import Form, Options, Progress
from tallystick.metering.import_source import Source, open_source
from tallystick.metering.imports import Importer, Told, checking, recording
from tallystick.metering.ingest import Ingest
from tallystick.metering.prepare import Ages
from tallystick.settings import Settings

CONNECTIONS_MAX: Final = 4
LINE_SECONDS: Final = 5.0
"""How often a line tells how far it is where there is no terminal."""
EXIT_REFUSED: Final = 3
EXIT_INTERRUPTED: Final = 130


class Job(msgspec.Struct, frozen=True):
    """What was asked for on the command line; `file` None is the standard input."""

    file: Path | None
    options: Options
    ages: Ages
    errors: Path | None
    restart: bool
    dry_run: bool
    usage_store_url: str | None = None


def ages_of(settings: Settings) -> Ages:
    """Return how old the events may be: as old as those that are sent."""
    days = settings.event_age_days_max
    return Ages(
        ahead_max=timedelta(seconds=settings.event_ahead_seconds_max),
        age_max=None if days is None else timedelta(days=days),
    )


def read_options(
    form: str | None, delimiter: str | None, columns: Sequence[str], constants: Sequence[str],
    source: str | None,
) -> Options:  # fmt: skip
    """Return the options of a command line; raises SetupError that names the one that is wrong."""
    forms = {one.value: one for one in Form}
    if form is not None and form not in forms:
        raise SetupError("option_invalid", "--format must be ndjson or csv.")
    delimiter = "\t" if delimiter in {"\\t", "tab"} else delimiter
    if delimiter is not None and len(delimiter) != 1:
        raise SetupError("option_invalid", "--delimiter must be one character, or tab.")
    return Options(
        form=forms[form] if form else None,
        delimiter=delimiter,
        columns=_pairs("--column", columns),
        constants=_pairs("--set", constants),
        source=source,
    )


def run_import(dsn: str, job: Job) -> int:
    """Import, show how far it is, then what became of the lines; return the exit code.

    0: every line is counted, or was already. 3: some were not. 130: interrupted.
    """
    configure_logs(json=False, level="WARNING")  # what is shown here says the rest
    seen = _Seen()
    with open_source(job.file) as source, open_refusals(job.errors) as refusals:
        try:
            with _shown(source, seen) as told:
                progress = asyncio.run(_import(dsn, job, source, refusals, told))
        except KeyboardInterrupt:
            typer.echo(f"Interrupted behind line {seen.line}. {_how_to_go_on(job)}", err=True)
            return EXIT_INTERRUPTED
        except BaseException:
            if seen.line:
                typer.echo(f"Stopped behind line {seen.line}. {_how_to_go_on(job)}", err=True)
            raise
    _summarize(job, progress, refusals, is_old=not seen.has_begun)
    return EXIT_REFUSED if progress.tally.refused else 0


async def _import(dsn: str, job: Job, source: Source, refusals: Refusals, told: Told) -> Progress:
    usage = await open_usage(job.usage_store_url)
    db = await open_database(dsn, connections_max=CONNECTIONS_MAX, beside=usage)
    ingest = Ingest(db, job.ages)
    how = checking if job.dry_run else recording
    importer = Importer(db, how(ingest, system_clock), system_clock)
    try:
        if job.dry_run:
            return await importer.check(source, job.options, refusals, told)
        return await importer.run(source, job.options, refusals, told, restart=job.restart)
    finally:
        await ingest.close()
        await db.close()
        if usage:
            await usage.server.close()


class _Seen:
    """How far it came, for whoever asks after it ended."""

    line = 0
    has_begun = False


@contextmanager
def _shown(source: Source, seen: _Seen) -> Iterator[Told]:
    """Show a bar on a terminal, a line every few seconds elsewhere; both on the error output."""
    size = source.identity.size if source.identity else None
    show = _bar(size) if sys.stderr.isatty() else _lines(size)
    with show as tell:

        def told(progress: Progress, packed: int) -> None:
            seen.line, seen.has_begun = progress.line, True
            tell(progress, packed)

        yield told


@contextmanager
def _bar(size: int | None) -> Iterator[Told]:
    rate = _Rate()
    columns = (
        BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[rows]}"),
        TimeRemainingColumn(compact=True),
    )  # fmt: skip
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("import", total=size, rows="")

        def told(progress: Progress, packed: int) -> None:
            rows = f"{progress.line:,} lines, {rate.of(progress.line):,}/s"
            if progress.tally.refused:
                rows += f", {progress.tally.refused:,} not counted"
            bar.update(task, completed=packed, rows=rows)

        yield told


@contextmanager
def _lines(size: int | None) -> Iterator[Told]:
    rate = _Rate()
    next_at = time.monotonic() + LINE_SECONDS

    def told(progress: Progress, packed: int) -> None:
        nonlocal next_at
        if time.monotonic() < next_at:
            return
        next_at = time.monotonic() + LINE_SECONDS
        left = f", {rate.left(packed, size)} left" if size else ""
        typer.echo(f"{progress.line:,} lines, {rate.of(progress.line):,}/s{left}", err=True)

    yield told


class _Rate:
    """Lines a second since the first part, and how long the rest takes at that pace."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._first: tuple[float, int] | None = None
        self._packed: int | None = None

    def of(self, line: int) -> int:
        now = time.monotonic()
        if self._first is None:
            self._first = (now, line)
            return round(line / max(now - self._began, 0.001))
        began, first = self._first
        return round((line - first) / max(now - began, 0.001))

    def left(self, packed: int, size: int) -> timedelta:
        elapsed = time.monotonic() - self._began
        return timedelta(seconds=round(elapsed * max(size - packed, 0) / max(packed, 1)))


def _summarize(job: Job, progress: Progress, refusals: Refusals, *, is_old: bool) -> None:
    tally = progress.tally
    say: Callable[[str], None] = typer.echo
    if is_old and tally.lines:
        say(f"This file was imported before ({progress.finished_at:%Y-%m-%d %H:%M} UTC); "
            "--restart reads it again. What became of it then:")  # fmt: skip
    if job.dry_run:
        say("Nothing was stored. What an import would find:")
    for name, count in msgspec.structs.asdict(tally).items():
        if count or name in {"accepted", "duplicate"}:
            say(f"{name:<9} {count:>12,}")
    for one in refusals.shown:
        say(f"line {one.line}: {one.status}: {one.code}: {one.reason}")
    if tally.refused > len(refusals.shown):
        where = f"in {job.errors}" if job.errors else "written by --errors FILE"
        say(f"All {tally.refused:,} lines that were not counted are {where}.")


def _how_to_go_on(job: Job) -> str:
    if job.file is None:
        return "Send the same input again: nothing is counted twice."
    return "Run the same command again to go on from there; nothing is counted twice."


def _pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise SetupError("option_invalid", f"{option} takes NAME=VALUE, not {text}.")
        found[name] = value
    return found
