"""The commands around payments."""

import asyncio
from typing import Final

import typer

from tallystick.cli_parts import say, settings_with

payment_commands: Final = typer.Typer(no_args_is_help=True, help="Payments through gateways.")


@payment_commands.command("sweep", epilog="Example: tallystick payments sweep   (beside workers)")
def sweep() -> None:
    """Ask gateways about every charge without a clear answer; exit code 1 if any stays unclear."""
    from tallystick.kernel.logs import configure_logs
    from tallystick.payment_commands import sweep_payments
    from tallystick.processes import database

    settings = settings_with({})
    configure_logs(json=settings.log_json, level="ERROR")
    with database(settings, progress=say) as dsn:
        unclear_count = asyncio.run(sweep_payments(settings, dsn))
    if unclear_count:
        raise typer.Exit(1)
