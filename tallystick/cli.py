"""The commands. Each imports what it needs when it runs, so that `--help` answers at once."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from tallystick.cli_catalog import catalog_commands
from tallystick.cli_checks import invoice_commands, usage_commands
from tallystick.cli_exports import export_commands
from tallystick.cli_imports import imports
from tallystick.cli_parts import say, settings_with
from tallystick.cli_payments import payment_commands
from tallystick.cli_people import staff_commands
from tallystick.cli_plans import plan_commands
from tallystick.cli_stripe_meters import stripe_meter_commands
from tallystick.cli_taxes import tax_commands
from tallystick.cli_webhooks import webhook_commands

cli = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Tallystick: meter, price, invoice, collect, and prove that every cent matches.",
    epilog="Settings are environment variables; `tallystick check` lists what is wrong with them.",
)
simulators = typer.Typer(no_args_is_help=True, help="Stand-ins for gateways, for demo and tests.")
cli.add_typer(simulators, name="simulators")
cli.add_typer(export_commands, name="export")

lago_commands = typer.Typer(no_args_is_help=True, help="Usage that is sent to a Lago server.")
cli.add_typer(lago_commands, name="lago")
cli.add_typer(stripe_meter_commands, name="stripe-meters")

cli.add_typer(imports, name="import")
archives = typer.Typer(no_args_is_help=True, help="Move what is old into files.")
cli.add_typer(archives, name="archive")

cli.add_typer(catalog_commands, name="catalog")
cli.add_typer(tax_commands, name="taxes")
cli.add_typer(webhook_commands, name="webhooks")
cli.add_typer(plan_commands, name="plans")
cli.add_typer(usage_commands, name="usage")
cli.add_typer(invoice_commands, name="invoices")
cli.add_typer(payment_commands, name="payments")
cli.add_typer(staff_commands, name="staff")

Host = Annotated[str | None, typer.Option(help="Address to listen on [TALLYSTICK_HOST].")]
Port = Annotated[int | None, typer.Option(help="Port to listen on [TALLYSTICK_PORT, else 8000].")]
_SIMULATED: Final = "whsec_simulator"
_OPENAPI_FILE: Final = Path(__file__).parent / "api" / "openapi.json"


@cli.callback()
def begin(
    *,
    with_parent: Annotated[
        bool, typer.Option(hidden=True, envvar="TALLYSTICK_WITH_PARENT")
    ] = False,
) -> None:
    """Meter, price, invoice, collect, and prove that every cent matches."""
    if with_parent:
        from tallystick.kernel.parent import end_with_parent

        end_with_parent()


@cli.command(epilog="Example: DATABASE_URL=postgresql://… tallystick serve --port 8080")
def serve(host: Host = None, port: Port = None) -> None:
    """Answer HTTP. Without DATABASE_URL it starts, or joins, the embedded PostgreSQL."""
    from tallystick.processes import run_server

    settings = settings_with({"TALLYSTICK_HOST": host, "TALLYSTICK_PORT": port})
    run_server(settings)


@cli.command(epilog="Example: tallystick worker   (as many as you like; they share the work)")
def worker() -> None:
    """Do what is due: bill periods, collect payments, handle webhooks, tell events."""
    from tallystick.processes import run_worker

    run_worker(settings_with({}))


@cli.command(
    epilog="Examples: tallystick bill --dry-run   (what it would bill)   ·   tallystick bill   "
    "(as many at once as you like, beside workers; killed, it goes on where it was)"
)
def bill(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be billed; write nothing.")
    ] = False,
    batch: Annotated[
        int, typer.Option(min=1, max=1000, help="Subscriptions in one transaction.")
    ] = 200,
) -> None:
    """Bill what is due by now, with progress; exit code 1 if something could not be billed."""
    from tallystick.billing_commands import foresee_billing, run_billing
    from tallystick.kernel.logs import configure_logs
    from tallystick.processes import database

    settings = settings_with({})
    configure_logs(json=settings.log_json, level="ERROR")
    with database(settings, progress=say) as dsn:
        work = foresee_billing if dry_run else run_billing
        failed_count = asyncio.run(work(settings, dsn, batch))
    if failed_count:
        raise typer.Exit(1)


@cli.command(epilog="Example: tallystick demo --port 8080   (its data lives apart from yours)")
def demo(port: Port = None) -> None:
    """Run the whole product here with sample data: database, Stripe simulator, server, worker."""
    from tallystick.demo import run_demo

    run_demo(dict(os.environ), port or 8000)


@cli.command(epilog="Example: DATABASE_URL=postgresql://… tallystick migrate")
def migrate() -> None:
    """Bring the database up to date; safe to run by several at once."""
    from tallystick.kernel.migrate import migrate as apply
    from tallystick.processes import database, make_usage_tables

    settings = settings_with({})
    with database(settings, progress=say) as dsn:
        count = asyncio.run(apply(dsn, progress=say))
    if settings.usage_store_url:
        asyncio.run(make_usage_tables(settings.usage_store_url))
    say(f"{count} migrations applied" if count else "the database is up to date")


@cli.command(epilog="Example: tallystick check && tallystick serve")
def check() -> None:
    """Say in one line each what is wrong with settings and database; exit code 1 if anything."""
    from tallystick.processes import find_hints, find_problems

    settings = settings_with({})
    found = asyncio.run(find_problems(settings))
    for problem in found:
        typer.echo(problem)
    if found:
        raise typer.Exit(1)
    for hint in asyncio.run(find_hints(settings)):
        typer.echo(hint)
    typer.echo("All settings fit together, and the database answers.")


@cli.command(
    epilog="Example: tallystick anchor /backup/anchor-2026-03-01.ndjson   (keep it elsewhere)"
)
def anchor(file: Path) -> None:
    """Write the signed heads of all chains of the books, to hold them against these later."""
    from tallystick.processes import database
    from tallystick.verify_commands import anchor_books

    settings = settings_with({})
    with database(settings, progress=say) as dsn:
        count = asyncio.run(anchor_books(settings, dsn, file))
    say(f"{count} chains anchored in {file}")


@cli.command(epilog="Example: tallystick verify --anchor /backup/anchor-2026-03-01.ndjson")
def verify(
    anchor: Annotated[
        Path | None, typer.Option(help="Signed heads that must still be there.")
    ] = None,
    export: Annotated[Path | None, typer.Option(help="Check this export, not a database.")] = None,
) -> None:
    """Recompute the books: sums, balances, chains, credits, invoices; exit code 1 if not clean."""
    from tallystick.processes import database
    from tallystick.verify_commands import verify_books, verify_file

    settings = settings_with({})
    if export is not None:
        is_clean = verify_file(settings, export, anchor)
    else:
        with database(settings, progress=say) as dsn:
            is_clean = asyncio.run(verify_books(settings, dsn, anchor))
    if not is_clean:
        raise typer.Exit(1)


@cli.command(
    epilog='Example: echo \'{"id": 1, "price": {"model": "per_unit", "currency": "USD", '
    '"unit": "0.02"}, "usage": {"quantity": "12.5"}}\' | tallystick rate --explain'
)
def rate(
    *,
    explain: Annotated[bool, typer.Option(help="Also say in sentences how it came.")] = False,
    locale: Annotated[str, typer.Option(help="How the sentences write numbers.")] = "en",
) -> None:
    """Rate cases from the standard input: JSON lines of {id, price, usage}, exact amounts out.

    Usage is {"quantity": "12.5"}, {"events": ["10", "20"]} or {"events": [{"amount": "0.25"}]}. A
    bad line answers {"id", "error"} and the rest go on; exit code 1 if there was one.
    """
    from tallystick.rate_command import rate_cases

    if not rate_cases(sys.stdin.buffer, sys.stdout.buffer, locale if explain else None):
        raise typer.Exit(1)


@cli.command()
def openapi(
    *,
    write: Annotated[bool, typer.Option(help="Write it to the file in the package.")] = False,
) -> None:
    """Print the API's description (OpenAPI 3.1)."""
    from tallystick.app import api_description

    description = api_description()
    if write:
        _OPENAPI_FILE.write_bytes(description)
    else:
        sys.stdout.buffer.write(description)


@cli.command(
    epilog="Examples: tallystick simulate docs/scenarios/upgrade.json · "
    "tallystick simulate - < story.json > outcome.json"
)
def simulate(
    scenario: Annotated[Path, typer.Argument(help="JSON file; - reads the input.")],
) -> None:
    """Tell a story on a throw-away database with a test clock; print what came of it as JSON.

    The same scenario gives the same bytes. Exit code 1 when a step can not be done; it is named.
    """
    from tallystick.simulation.command import run_simulation

    run_simulation(settings_with({}).home, None if str(scenario) == "-" else scenario)


@cli.command(
    "what-if",
    epilog="Example: tallystick what-if --draft pro.json --plan pro --from 2026-01-01 "
    "--to 2026-04-01 --rows rows.ndjson",
)
def what_if(
    *,
    start: Annotated[str, typer.Option("--from", help="First day (UTC).")],
    end: Annotated[str, typer.Option("--to", help="The day behind the last (UTC).")],
    draft: Annotated[
        Path | None, typer.Option(help="A version as JSON, as POST /api/v1/admin/plans takes it.")
    ] = None,
    plan_version: Annotated[str | None, typer.Option(help="A stored version: pv_…")] = None,
    account: Annotated[
        list[str] | None, typer.Option(help="acct_… or your own id; once for each. Else all.")
    ] = None,
    plan: Annotated[str | None, typer.Option(help="Only those on a version of this plan.")] = None,
    rows: Annotated[
        Path | None, typer.Option(help="Write what each account's periods cost, a line each.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not tables.")] = False,
) -> None:
    """Tell what a version of a plan would have billed for stored usage; changes nothing."""
    from tallystick.processes import database
    from tallystick.whatif_commands import Asked, run_what_if

    settings = settings_with({})
    asked = Asked(
        plan_version=plan_version, draft=draft, accounts=account or (), plan=plan, start=start,
        end=end, rows=rows, as_json=as_json,
    )  # fmt: skip
    with database(settings, progress=say) as dsn:
        asyncio.run(run_what_if(settings, dsn, asked))


@simulators.command(epilog="Example: tallystick simulators stripe --port 12111")
def stripe(
    port: Annotated[int, typer.Option(help="Port; 0: any that is free.")] = 12111,
    webhook_url: Annotated[str | None, typer.Option(help="Where events are sent.")] = None,
    webhook_secret: Annotated[
        str | None, typer.Option(help="whsec_… they are signed with.")
    ] = None,
    state: Annotated[Path | None, typer.Option(help="File that keeps all objects.")] = None,
) -> None:
    """Run a stateful stand-in for Stripe on 127.0.0.1, test cards only."""
    from tallystick.simulators.stripe.app import Options
    from tallystick.simulators.stripe.server import serve as serve_stripe

    serve_stripe(
        Options(webhook_url=webhook_url, webhook_secret=webhook_secret, state_path=state), port
    )


@simulators.command("lago", epilog="Example: tallystick simulators lago --port 12112")
def simulate_lago(
    port: Annotated[int, typer.Option(help="Port; 0: any that is free.")] = 12112,
) -> None:
    """Run a stateful stand-in for Lago on 127.0.0.1; any key is taken."""
    from tallystick.simulators.lago.server import serve as serve_lago

    serve_lago(port)


@simulators.command("ccbill", epilog="Example: tallystick simulators ccbill --port 12113")
def simulate_ccbill(
    port: Annotated[int, typer.Option(help="Port; 0: any that is free.")] = 12113,
    webhook_url: Annotated[str | None, typer.Option(help="Where events are sent.")] = None,
    state: Annotated[Path | None, typer.Option(help="File that keeps all objects.")] = None,
) -> None:
    """Run a stateful stand-in for CCBill on 127.0.0.1, test cards only."""
    from tallystick.simulators.ccbill.app import Options
    from tallystick.simulators.ccbill.server import serve as serve_ccbill

    serve_ccbill(Options(webhook_url=webhook_url, state_path=state), port)


@lago_commands.command(epilog="Example: tallystick lago compare --account cust-1")
def compare(
    account: Annotated[
        str | None, typer.Option(help="One account: acct_… or your own id; else all.")
    ] = None,
) -> None:
    """Compare usage with a Lago server's, meter by meter; exit code 1 on any difference."""
    from tallystick.lago_commands import compare_usage
    from tallystick.processes import database

    settings = settings_with({})
    with database(settings, progress=say) as dsn:
        is_clean = asyncio.run(compare_usage(settings, dsn, account))
    if not is_clean:
        raise typer.Exit(1)


@archives.command(
    "usage", epilog="Example: tallystick archive usage --keep-days 800 --to /backup/usage"
)
def archive_usage(
    *,
    keep_days: Annotated[
        int | None, typer.Option(min=0, help="Younger events stay [TALLYSTICK_USAGE_KEEP_DAYS].")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="Folder for the files [TALLYSTICK_USAGE_ARCHIVE].")
    ] = None,
    force: Annotated[
        bool, typer.Option(help="Also what a correction of closed periods would need.")
    ] = False,
    ignore_lago: Annotated[
        bool, typer.Option("--ignore-lago", help="Also what was not sent to Lago yet.")
    ] = False,
) -> None:
    """Move whole months of old usage events into files; totals and known ids stay."""
    from tallystick.archive_commands import run_archive
    from tallystick.processes import database
    from tallystick.settings import need_roll_ups

    settings = settings_with({"TALLYSTICK_USAGE_ARCHIVE": to})
    need_roll_ups(settings)
    with database(settings, progress=say) as dsn:
        run_archive(settings, dsn, keep_days, force=force, ignore_lago=ignore_lago)
