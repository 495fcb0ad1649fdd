"""What `tallystick archive usage` shows while it runs, and at the end."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

import typer

from tallystick.kernel.clock import system_clock
from tallystick.kernel.db import open_database
from tallystick.kernel.errors import SetupError
from tallystick.kernel.logs import configure_logs
from tallystick.metering.archive import Archiver, archive_before
from tallystick.metering.archive_model import Archived
from tallystick.settings import Settings

CONNECTIONS_MAX: Final = 4


def run_archive(settings: Settings, dsn: str, keep_days: int | None, *, force: bool) -> None:
    """Archive and say what went where; raises SetupError `option_invalid`."""
    configure_logs(json=False, level="WARNING")  # what is shown here says the rest
    days = settings.usage_keep_days if keep_days is None else keep_days
    if days is None:
        raise SetupError("option_invalid", "Say --keep-days, or set TALLYSTICK_USAGE_KEEP_DAYS.")
    before = archive_before(system_clock(), timedelta(days=days), force=force)
    folder = settings.usage_archive or settings.home / "usage-archive"
    typer.echo(f"Archiving usage events before {before:%Y-%m-%d} (UTC) into {folder}.", err=True)
    done = asyncio.run(_archive(dsn, settings, before))
    if not done.event_count:
        typer.echo(f"There are no usage events before {before:%Y-%m-%d} that may go.")
        return
    typer.echo(f"{done.event_count:,} events archived, {len(done.files):,} files in {folder}.")


async def _archive(dsn: str, settings: Settings, before: datetime) -> Archived:
    db = await open_database(dsn, connections_max=CONNECTIONS_MAX)
    folder = settings.usage_archive or settings.home / "usage-archive"

    def told(name: str, count: int) -> None:
        typer.echo(f"{count:>10,} events in {name}", err=True)

    try:
        return await Archiver(db, system_clock, folder).run(before, told)
    finally:
        await db.close()
