"""`tallystick simulate`: a story on a database that is thrown away, and what came of it."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

import typer

from tallystick import verify
from tallystick.app import open_services
from tallystick.kernel.db import WRITER
from tallystick.kernel.embedded import EmbeddedPostgres
from tallystick.kernel.errors import SetupError
from tallystick.kernel.logs import configure_logs
from tallystick.settings import Settings
from tallystick.simulation.checks import check
from tallystick.simulation.database_store import throw_away_database
from tallystick.simulation.gateway import ToldGateway
from tallystick.simulation.report import Report, encode, read_report
from tallystick.simulation.scenario import Scenario, read_scenario
from tallystick.simulation.story import Progress, Story

HOME: Final = "simulate"


def run_simulation(home: Path, file: Path | None) -> None:
    """Read a scenario from the file (None: standard input), tell it, and print what came of it.

    The database server is one of its own below `home`, apart from any installation's. Raises
    BadInput that names the step, SetupError.
    """
    scenario = read_scenario(_read(file))
    check(scenario)
    configure_logs(json=False, level="CRITICAL")  # standard output is the report's alone
    server = EmbeddedPostgres.start(home / HOME, progress=_say)
    try:
        report = asyncio.run(_on_server(server.dsn, home, scenario))
    finally:
        server.stop()
    sys.stdout.buffer.write(encode(report))


async def simulate(
    dsn: str, home: Path, scenario: Scenario, progress: Progress = lambda _: None
) -> Report:
    """Tell a checked scenario on an empty, migrated database.

    Raises BadInput `step_refused` that names the step which can not be done.
    """
    gateway = ToldGateway()
    async with open_services(Settings(home=home), dsn, more_gateways=[gateway]) as services:
        told = await Story(services, gateway, scenario).tell(progress)
        is_balanced = await _is_balanced(dsn)
        async with services.db.transaction(WRITER) as conn:
            return await read_report(conn, told, is_balanced=is_balanced)


async def _on_server(server_dsn: str, home: Path, scenario: Scenario) -> Report:
    async with throw_away_database(server_dsn, _say) as dsn:
        with typer.progressbar(
            length=len(scenario.steps), label="steps", file=sys.stderr, hidden=not _is_watched()
        ) as bar:
            return await simulate(dsn, home, scenario, bar.update)


async def _is_balanced(dsn: str) -> bool:
    """Recompute the books, as `tallystick verify` does."""
    async with verify.snapshot(dsn) as conn:
        found = await verify.verify_database(conn, None, lambda _: None, lambda _: None)
    return found.is_clean


def _read(file: Path | None) -> bytes:
    if file is None:
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise SetupError("file_unreadable", f"{file} can not be read: {error.strerror}.") from error


def _say(text: str) -> None:
    """Tell a person what takes a while; a program that reads us sees errors alone."""
    if _is_watched():
        typer.echo(f"simulate: {text}", err=True)


def _is_watched() -> bool:
    return os.isatty(sys.stderr.fileno())
