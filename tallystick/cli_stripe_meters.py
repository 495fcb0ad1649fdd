"""The commands of usage at Stripe's meters."""

import asyncio
from typing import Annotated, Final

import typer

from tallystick.cli_parts import instant_of, say, settings_with

stripe_meter_commands: Final = typer.Typer(
    no_args_is_help=True, help="Usage that is sent to Stripe's billing meters."
)


@stripe_meter_commands.callback()
def _stripe_meters() -> None:
    """Usage that is sent to Stripe's billing meters."""


@stripe_meter_commands.command(
    epilog="Example: tallystick stripe-meters summaries --account cust-1 --meter tokens "
    "--from 2026-11-01 --to 2026-11-21T09:00:00Z"
)
def summaries(
    account: Annotated[str, typer.Option(help="acct_… or your own id.")],
    meter: Annotated[str, typer.Option(help="Code of the meter.")],
    since: Annotated[str, typer.Option("--from", help="A day or a whole hour, in UTC.")],
    until: Annotated[str, typer.Option("--to", help="Likewise; exclusive, 62 days at most.")],
) -> None:
    """Show what was sent to Stripe and what it counted, hour by hour, side by side."""
    from tallystick.processes import database
    from tallystick.stripe_meter_commands import show_summaries

    settings = settings_with({})
    span = instant_of(since), instant_of(until)
    with database(settings, progress=say) as dsn:
        asyncio.run(show_summaries(settings, dsn, account, meter, span))
