"""The commands of tax rates."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer

from tallystick.cli_parts import say, settings_with

tax_commands: Final = typer.Typer(no_args_is_help=True, help="Tax rates.")


@tax_commands.callback()
def _taxes() -> None:
    """Tax rates."""


@tax_commands.command("load", epilog="Example: tallystick taxes load rates.toml --dry-run")
def load(
    file: Annotated[
        Path | None,
        typer.Argument(help="JSON, TOML or YAML, by its name; none: the rates that come along."),
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Only show what would change.")] = False,
) -> None:
    """Add the tax rates of a file that are not known yet, and show them first.

    Nothing is deleted or changed; a new rate ends the one before. Exit code 1 when it is not done.
    """
    from tallystick.api.document_files import fault_lines
    from tallystick.kernel.errors import BadInput
    from tallystick.processes import database
    from tallystick.tax_commands import load_file, read_rates

    def agree() -> bool:
        return yes or typer.confirm("Load?", err=True)

    try:
        wanted = read_rates(file)
        with database(settings_with({}), progress=say) as dsn:
            asyncio.run(load_file(dsn, wanted, show=typer.echo, agree=None if dry_run else agree))
    except BadInput as error:
        for line in fault_lines(error):
            say(line)
        raise typer.Exit(1) from error
