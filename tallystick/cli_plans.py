"""The commands of plans that are sold."""

import asyncio
from typing import Annotated, Final

import typer

from tallystick.cli_parts import say, settings_with

plan_commands: Final = typer.Typer(no_args_is_help=True, help="Plans that are sold.")


@plan_commands.command(
    "migrate",
    epilog="Example: tallystick plans migrate --plan pro --when period_end --notice-days 30 "
    '--reason "new prices" --dry-run',
)
def migrate(
    *,
    plan: Annotated[str | None, typer.Option(help="Those on versions of this plan.")] = None,
    tier: Annotated[str | None, typer.Option(help="Or those on plans of this tier.")] = None,
    version: Annotated[
        list[int] | None, typer.Option(help="Only these versions of the plan; once for each.")
    ] = None,
    account: Annotated[
        list[str] | None, typer.Option(help="acct_… or your own id; once for each. Else all.")
    ] = None,
    to_plan: Annotated[str | None, typer.Option(help="Else the same plan.")] = None,
    to_version: Annotated[int | None, typer.Option(help="Else the one that is sold.")] = None,
    when: Annotated[str, typer.Option(help="now, period_end, or a date (UTC).")] = "period_end",
    notice_days: Annotated[int, typer.Option(help="Nobody is moved sooner.")] = 0,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
    force: Annotated[str | None, typer.Option(help="Why it may be sooner than the notice.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Only show what would change.")] = False,
) -> None:
    """Move subscriptions to another version of a plan, after it has shown what changes.

    Exit code 1 when nothing was scheduled.
    """
    from tallystick.plan_migration_commands import Asked, run_migration
    from tallystick.processes import database

    def agree() -> bool:
        return yes or typer.confirm("Schedule it?", err=True)

    settings = settings_with({})
    asked = Asked(
        plan=plan, tier=tier, versions=version or (), accounts=account or (), to_plan=to_plan,
        to_version=to_version, when=when, notice_days=notice_days, reason=reason,
        force_reason=force,
    )  # fmt: skip
    with database(settings, progress=say) as dsn:
        done = asyncio.run(run_migration(settings, dsn, asked, None if dry_run else agree))
    if not done and not dry_run:
        raise typer.Exit(1)
