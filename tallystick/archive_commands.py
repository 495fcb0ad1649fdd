"""What `tallystick archive usage` shows while it runs, and at the end."""

import asyncio
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import typer

from tallystick.kernel.clock import system_clock
from tallystick.kernel.db import Connection, open_database
from tallystick.kernel.errors import SetupError
from tallystick.kernel.logs import configure_logs
from tallystick.lago_sync import service as lago
from tallystick.metering.archive import Archiver, ReadUpto, archive_before
from tallystick.metering.archive_model import HELD_MAX, Archived
from tallystick.settings import Settings

CONNECTIONS_MAX: Final = 4


def run_archive(
    settings: Settings, dsn: str, keep_days: int | None, *, force: bool, ignore_lago: bool
) -> None:
    """Archive and say what went where, and what stays for Lago; SetupError `option_invalid`."""
    configure_logs(json=False, level="WARNING")  # what is shown here says the rest
    days = settings.usage_keep_days if keep_days is None else keep_days
    if days is None:
        raise SetupError("option_invalid", "Say --keep-days, or set TALLYSTICK_USAGE_KEEP_DAYS.")
    before = archive_before(system_clock(), timedelta(days=days), force=force)
    folder = settings.usage_archive or settings.home / "usage-archive"
    typer.echo(f"Archiving usage events before {before:%Y-%m-%d} (UTC) into {folder}.", err=True)
    read_upto = None if ignore_lago else partial(_read_for_lago, settings)
    done = asyncio.run(_archive(dsn, settings, before, read_upto))
    if done.held_count:
        typer.echo(_held(done.held_count, before))
    if not done.event_count:
        typer.echo(f"There are no usage events before {before:%Y-%m-%d} that may go.")
        return
    typer.echo(f"{done.event_count:,} events archived, {len(done.files):,} files in {folder}.")


def _held(count: int, before: datetime) -> str:
    many = f"At least {count:,}" if count >= HELD_MAX else f"{count:,}"
    return (
        f"{many} usage events before {before:%Y-%m-%d} stay, for they are not sent to Lago yet: "
        "let the worker run with LAGO_API_URL set until they are, then archive again; "
        "if there is no Lago any more, say --ignore-lago."
    )


async def _read_for_lago(settings: Settings, conn: Connection) -> int | None:
    """Say how far events were read for Lago, also where only the worker is told of it."""
    if settings.lago_configured or await lago.is_used(conn):
        return await lago.read_upto(conn)
    return None


async def _archive(
    dsn: str, settings: Settings, before: datetime, read_upto: ReadUpto | None
) -> Archived:
    db = await open_database(dsn, connections_max=CONNECTIONS_MAX)
    folder = settings.usage_archive or settings.home / "usage-archive"

    def told(name: str, count: int) -> None:
        typer.echo(f"{count:>10,} events in {name}", err=True)

    try:
        return await Archiver(db, system_clock, folder, read_upto=read_upto).run(before, told)
    finally:
        await db.close()
