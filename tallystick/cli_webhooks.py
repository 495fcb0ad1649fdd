"""The commands of webhooks."""

import asyncio
from typing import Annotated, Final

import typer

from tallystick.cli_parts import instant_of, say, settings_with

webhook_commands: Final = typer.Typer(no_args_is_help=True, help="Webhooks of gateways.")


@webhook_commands.callback()
def _webhooks() -> None:
    """Webhooks of gateways."""


@webhook_commands.command(
    "catch-up", epilog="Example: tallystick webhooks catch-up --gateway stripe --since 2026-11-20"
)
def catch_up(
    gateway: Annotated[str, typer.Option(help="The gateway's name.")] = "stripe",
    since: Annotated[
        str | None,
        typer.Option(help="A day or an instant, in UTC unless it says otherwise; none: as needed."),
    ] = None,
) -> None:
    """Ask a gateway for the events since then, and store those that did not come.

    The worker does so by itself after a start, after a silence and once a day. What is stored is
    handled by the worker; an event that is there already stays as it is.
    """
    from tallystick.processes import database
    from tallystick.webhook_commands import catch_up_with

    settings = settings_with({})
    start = None if since is None else instant_of(since)
    with database(settings, progress=say) as dsn:
        asyncio.run(catch_up_with(settings, dsn, gateway, start, show=say))
