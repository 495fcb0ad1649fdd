"""The commands of the catalogue as a file."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from tallystick.cli_parts import say, settings_with

catalog_commands: Final = typer.Typer(no_args_is_help=True, help="The catalogue as a file.")


@catalog_commands.command(
    "apply", epilog="Example: tallystick catalog apply catalog.yaml --dry-run"
)
def apply(
    file: Annotated[Path, typer.Argument(help="JSON, TOML or YAML, by its name.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Only show what would change.")] = False,
) -> None:
    """Make meters, features, plans, add-ons and coupons as a file says, and show the change first.

    Nothing is deleted; what differs becomes a new version. Exit code 1 when it is not done.
    """
    from tallystick.api.document_files import fault_lines
    from tallystick.catalog_commands import apply_file, read_file
    from tallystick.kernel.errors import BadInput
    from tallystick.processes import database

    def agree() -> bool:
        return yes or typer.confirm("Apply?", err=True)

    try:
        wanted = read_file(file)
        with database(settings_with({}), progress=say) as dsn:
            asyncio.run(apply_file(dsn, wanted, show=typer.echo, agree=None if dry_run else agree))
    except BadInput as error:
        for line in fault_lines(error):
            say(line)
        raise typer.Exit(1) from error


@catalog_commands.command("export", epilog="Example: tallystick catalog export > catalog.json")
def export() -> None:
    """Write what is counted and sold now as JSON, as `catalog apply` takes it."""
    from tallystick.catalog_commands import export_catalog
    from tallystick.processes import database

    with database(settings_with({}), progress=say) as dsn:
        sys.stdout.buffer.write(asyncio.run(export_catalog(dsn)))
