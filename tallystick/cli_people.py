"""The commands around people."""

import asyncio
from typing import Annotated, Final

import typer

from tallystick.cli_parts import say, settings_with

staff_commands: Final = typer.Typer(no_args_is_help=True, help="People of the business.")


@staff_commands.callback()
def people() -> None:
    """Make the people who sign in as staff."""


@staff_commands.command(
    "add", epilog="Example: tallystick staff add ann@example.com --name 'Ann Lee' --role admin"
)
def add(
    email: Annotated[str, typer.Argument(help="Their e-mail address, to sign in with.")],
    *,
    name: Annotated[str, typer.Option(help="Their name.")],
    role: Annotated[str, typer.Option(help="support, finance or admin.")] = "admin",
    again: Annotated[
        bool, typer.Option("--again", help="Give a known person a new password and this role.")
    ] = False,
) -> None:
    """Make a person of the business, and print a password for the first sign-in.

    An admin then makes accounts and API keys in the console and the API.
    """
    from tallystick.kernel.logs import configure_logs
    from tallystick.people_commands import add_staff
    from tallystick.processes import database

    settings = settings_with({})
    configure_logs(json=settings.log_json, level="ERROR")
    with database(settings, progress=say) as dsn:
        asyncio.run(add_staff(dsn, email=email, name=name, role=role, again=again))
