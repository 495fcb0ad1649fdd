"""The commands that hold what is stored against what it follows from."""

import asyncio
from typing import Annotated, Final

import typer

from tallystick.cli_parts import say, settings_with

usage_commands: Final = typer.Typer(
    no_args_is_help=True, help="Usage events and the totals of them."
)
invoice_commands: Final = typer.Typer(no_args_is_help=True, help="What was invoiced.")


@usage_commands.command("verify", epilog="Example: tallystick usage verify   (beside the server)")
def verify_usage_totals() -> None:
    """Hold every total of usage against its events; exit code 1 on any difference."""
    from tallystick.processes import database
    from tallystick.settings import need_roll_ups
    from tallystick.usage_commands import verify_usage

    settings = settings_with({})
    need_roll_ups(settings)
    with database(settings, progress=say) as dsn:
        is_clean = asyncio.run(verify_usage(dsn))
    if not is_clean:
        raise typer.Exit(1)


@invoice_commands.command("recompute", epilog="Example: tallystick invoices recompute")
def recompute(
    invoice: Annotated[
        str | None, typer.Option(help="One invoice: inv_…; else every issued one.")
    ] = None,
) -> None:
    """Compute every line again from what is stored beside it; exit code 1 on any difference."""
    from tallystick.invoice_commands import recompute_invoices
    from tallystick.processes import database

    with database(settings_with({}), progress=say) as dsn:
        is_same = asyncio.run(recompute_invoices(dsn, invoice))
    if not is_same:
        raise typer.Exit(1)


@usage_commands.command("rebuild", epilog="Example: tallystick usage rebuild   (beside the server)")
def rebuild_usage_totals() -> None:
    """Make every total of usage anew of its events; reads stay exact meanwhile."""
    from tallystick.processes import database
    from tallystick.settings import need_roll_ups
    from tallystick.usage_commands import rebuild_usage

    settings = settings_with({})
    need_roll_ups(settings)
    with database(settings, progress=say) as dsn:
        count = asyncio.run(rebuild_usage(dsn))
    say(f"{count} months of accounts counted anew")
