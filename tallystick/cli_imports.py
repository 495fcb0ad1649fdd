"""The commands that read what lies elsewhere. Each imports what it needs when it runs."""

from pathlib import Path
from typing import Annotated, Final

import typer

from tallystick.cli_parts import say, settings_with

imports: Final = typer.Typer(no_args_is_help=True, help="Read what lies in a file, or at Stripe.")


@imports.command(
    "usage",
    epilog="Examples: tallystick import usage march.ndjson.gz --errors refused.ndjson · "
    "tallystick import usage calls.csv --column subject=customer --set type=api.call · "
    "zcat old.gz | tallystick import usage - --dry-run",
)
def import_usage(
    file: Annotated[Path, typer.Argument(help="NDJSON or CSV, also gzipped; - reads the input.")],
    *,
    form: Annotated[
        str | None, typer.Option("--format", help="ndjson or csv; else by name or content.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="CSV: FIELD=HEADER, where the header differs.")
    ] = None,
    constant: Annotated[
        list[str] | None, typer.Option("--set", help="CSV: FIELD=VALUE for all rows.")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="CSV: the character between cells, or tab.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Source of events that name none.")] = None,
    errors: Annotated[
        Path | None, typer.Option(help="Write the lines that were not counted, and why.")
    ] = None,
    restart: Annotated[bool, typer.Option(help="Begin anew; nothing is counted twice.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Check every line, store nothing.")] = False,
) -> None:
    """Record the usage events of a file, each once; run again, it goes on where it ended.

    Exit code 3 when some lines were not counted, 130 when interrupted.
    """
    from tallystick.import_commands import Job, ages_of, read_options, run_import
    from tallystick.processes import database

    options = read_options(form, delimiter, column or (), constant or (), source)
    settings = settings_with({})
    chosen = None if str(file) == "-" else file
    job = Job(
        chosen, options, ages_of(settings), errors, restart, dry_run, settings.usage_store_url
    )
    with database(settings, progress=say) as dsn:
        code = run_import(dsn, job)
    if code:
        raise typer.Exit(code)


@imports.command("stripe", epilog="Example: tallystick import stripe   (again: what changed)")
def import_stripe(
    *, restart: Annotated[bool, typer.Option(help="Read from the newest again.")] = False
) -> None:
    """Read customers, methods, subscriptions, invoices and charges that live at Stripe.

    It may be stopped; run again, it goes on where it ended. Exit code 130 when interrupted.
    """
    from tallystick.mirror_commands import import_from_stripe
    from tallystick.processes import database

    settings = settings_with({})
    with database(settings, progress=say) as dsn:
        code = import_from_stripe(settings, dsn, restart=restart)
    if code:
        raise typer.Exit(code)
