"""The commands that write what is stored into a file."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer

from tallystick.cli_parts import say, settings_with

export_commands: Final = typer.Typer(no_args_is_help=True, help="Write what is stored into a file.")
Start = Annotated[
    str | None, typer.Option("--from", help="The first day, as 2026-01-31; else all before.")
]
End = Annotated[str | None, typer.Option("--to", help="The day after the last one; else now.")]
Of = Annotated[str | None, typer.Option(help="acct_… or your own id; else all accounts.")]


@export_commands.command("ledger", epilog="Example: tallystick export ledger books.ndjson")
def export_ledger(file: Path) -> None:
    """Write the whole of the books, one JSON object a line; `verify --export` reads it."""
    from tallystick.processes import database
    from tallystick.verify_commands import export_books

    with database(settings_with({}), progress=say) as dsn:
        count = asyncio.run(export_books(dsn, file))
    say(f"{count} records written to {file}")


@export_commands.command(
    "csv",
    epilog="Example: tallystick export csv journal 2026-01.csv --from 2026-01-01 --to 2026-02-01",
)
def export_csv(  # noqa: PLR0917 -- the options of a command
    sheet: Annotated[
        str,
        typer.Argument(
            help="invoices, invoice-lines, credit-notes, payments, ledger, usage, journal (sums by"
            " day and ledger account), or revenue (recognised by month)."
        ),
    ],
    file: Path,
    start: Start = None,
    end: End = None,
    account: Of = None,
    timezone: Annotated[
        str | None, typer.Option(help="Whose days; else the account's, for all accounts UTC.")
    ] = None,
) -> None:
    """Write a table as CSV, oldest first, from one snapshot; how far it is stands on the terminal.

    The file takes its name when it is whole.
    """
    from tallystick.export_commands import Asked, write_csv
    from tallystick.processes import database

    asked = Asked(sheet=sheet, file=file, start=start, end=end, account=account, timezone=timezone)
    with database(settings_with({}), progress=say) as dsn:
        count = asyncio.run(write_csv(dsn, asked))
    say(f"{count} rows written to {file}")
