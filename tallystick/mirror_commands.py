"""What `tallystick import stripe` shows while it runs, and at the end."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tallystick.app import open_services
from tallystick.kernel.db import Actor, acting
from tallystick.kernel.errors import SetupError
from tallystick.kernel.logs import configure_logs
from tallystick.mirror.model import Step, Told
from tallystick.mirroring import mirror_of
from tallystick.settings import Settings

EXIT_INTERRUPTED: Final = 130


def import_from_stripe(settings: Settings, dsn: str, *, restart: bool) -> int:
    """Read what lives at Stripe, show how far it is; return the exit code.

    0: all was read. 130: interrupted. Raises SetupError without a key, Unavailable when Stripe
    does not answer; run again, it goes on from there.
    """
    if not settings.stripe_configured:
        raise SetupError("stripe_missing", "Set STRIPE_SECRET_KEY to read what lives at Stripe.")
    configure_logs(json=False, level="WARNING")  # what is shown here says the rest
    steps: dict[str, Step] = {}
    try:
        with _shown(steps) as told:
            asyncio.run(_read(settings, dsn, told, restart=restart))
    except KeyboardInterrupt:
        typer.echo("Interrupted. Run the same command again to go on from there.", err=True)
        return EXIT_INTERRUPTED
    for step in steps.values():
        typer.echo(_line(step))
    return 0


async def _read(settings: Settings, dsn: str, told: Told, *, restart: bool) -> None:
    async with open_services(settings, dsn) as services:
        mirror = mirror_of(services)
        if mirror:
            with acting(Actor("job", "import")):
                await mirror.read_all(told, restart=restart)


@contextmanager
def _shown(steps: dict[str, Step]) -> Iterator[Told]:
    """Show a line of each kind that grows on a terminal, one for each kind's end elsewhere."""
    if not sys.stderr.isatty():
        yield lambda step: _note(steps, step)
        return
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("asking Stripe …", total=None)

        def told(step: Step) -> None:
            _note(steps, step)
            bars.update(task, description=_line(step))

        yield told


def _note(steps: dict[str, Step], step: Step) -> None:
    steps[step.kind] = step


def _line(step: Step) -> str:
    rest = f", {step.left_out:,} of nobody here" if step.left_out else ""
    return f"{step.kind + 's':<14}{step.object_count:>10,}{rest}"
