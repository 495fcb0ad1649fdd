"""What `tallystick plans migrate` does: the preview with progress, a question, and the changes.

The worker's own batches, one after the other; killed, a worker goes on where it ended, for all is
in the database.
"""

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from tallystick.accounts import service as accounts
from tallystick.api.admin_plan_migrations import target
from tallystick.app import open_usage, seller_of
from tallystick.kernel.clock import system_clock
from tallystick.kernel.db import STAFF, WRITER, Actor, Connection, Database, acting, open_database
from tallystick.kernel.errors import NotFound, SetupError
from tallystick.kernel.ids import show
from tallystick.kernel.paging import PageRequest
from tallystick.money.amount import Money
from tallystick.money.text import show_money
from tallystick.payments.approvals import check_reason
from tallystick.plan_migrations import service, store
from tallystick.plan_migrations.jobs import PlanMigrations
from tallystick.plan_migrations.model import (
    WORKING,
    Migration,
    Row,
    RowState,
    Summary,
    Wanted,
    When,
)
from tallystick.settings import Settings

ACTOR: Final = Actor("job", "plans migrate")
LOCALE: Final = "en-US"
WIDTH: Final = 120
"""Columns of the tables where there is no terminal."""
REFUSED_SHOWN_MAX: Final = 20


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The command line. `when` is a word or a date, the beginning of that day in UTC."""

    plan: str | None
    tier: str | None
    versions: Sequence[int]
    accounts: Sequence[str]
    to_plan: str | None
    to_version: int | None
    when: str
    notice_days: int
    reason: str
    force_reason: str | None


async def run_migration(
    settings: Settings, dsn: str, asked: Asked, agree: Callable[[], bool] | None
) -> bool:
    """Show what would change, and schedule it once `agree` says so (None: only show).

    Returns whether it was scheduled. Raises SetupError `option_invalid`; NotFound, BadInput,
    Conflict as the API does.
    """
    usage = await open_usage(settings.usage_store_url)
    db = await open_database(dsn, connections_max=2, beside=usage)
    try:
        with acting(ACTOR):
            return await _migrate(db, PlanMigrations(db, seller_of(settings)), asked, agree)
    finally:
        await db.close()
        if usage:
            await usage.server.close()


async def _migrate(
    db: Database, work: PlanMigrations, asked: Asked, agree: Callable[[], bool] | None
) -> bool:
    async with db.transaction(WRITER) as conn:
        begun = await service.start(conn, await _wanted(conn, asked), system_clock())
    seen = await _go_through(db, work, begun.plan_migration_id, "preview")
    await _show(db, seen)
    is_wanted = agree is not None and seen.counts.get(RowState.FORESEEN, 0) and agree()
    async with db.transaction(WRITER) as conn:
        named, now = seen.plan_migration_id, system_clock()
        if not is_wanted:
            await service.cancel(conn, named, now)
            return False
        await service.confirm(conn, named, seen.confirmation or "", now)
    done = await _go_through(db, work, named, "schedule")
    counts = ", ".join(f"{count} {state}" for state, count in sorted(done.counts.items()))
    typer.echo(f"{show('plan_migration', named)}: {counts}")
    return True


async def _go_through(db: Database, work: PlanMigrations, named: UUID, label: str) -> Migration:
    """Take the migration's batches until its pass is done, beside a worker that takes some too."""
    async with db.transaction(STAFF) as conn:
        found = await service.get_migration(conn, named)
    with typer.progressbar(length=found.account_count, label=label, file=sys.stderr) as bar:
        while found.status in WORKING:
            async with db.transaction(WRITER) as conn:
                locked = await store.lock(conn, named)
                if locked is not None and locked.status in WORKING:
                    await work.advance(conn, locked, system_clock())
            async with db.transaction(STAFF) as conn:
                after = await service.get_migration(conn, named)
            bar.update(max(after.done_count - found.done_count, 0))
            found = after
    return found


async def _wanted(conn: Connection, asked: Asked) -> Wanted:
    code = asked.to_plan or asked.plan
    if code is None:
        raise SetupError("option_invalid", "Name --plan, or --tier with --to-plan.")
    to = await target(conn, code, asked.to_version)
    when, at = _when(asked.when)
    return Wanted(
        plan_code=asked.plan,
        tier=asked.tier,
        versions=tuple(asked.versions) or None,
        account_ids=await _accounts(conn, asked.accounts) if asked.accounts else None,
        to_plan_version_id=to.plan_version_id,
        when=when,
        at=at,
        notice_days=asked.notice_days,
        reason=check_reason(asked.reason),
        force_reason=check_reason(asked.force_reason) if asked.force_reason else None,
    )


def _when(text: str) -> tuple[When, datetime | None]:
    if text == "now":
        return "now", None
    if text == "period_end":
        return "period_end", None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise SetupError(
            "option_invalid", "--when takes now, period_end or a date such as 2027-01-01."
        ) from error
    return "from", datetime(day.year, day.month, day.day, tzinfo=UTC)


async def _accounts(conn: Connection, names: Sequence[str]) -> tuple[UUID, ...]:
    found = await accounts.find_by_subjects(conn, names)
    for name in names:
        if name not in found:
            raise NotFound("account_not_found", f"There is no account {name}.")
    return tuple(dict.fromkeys(found[name].account_id for name in names))


async def _show(db: Database, seen: Migration) -> None:
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    for summary in seen.summaries:
        console.print(_whole(summary))
    if not seen.summaries:
        console.print("No subscription can be moved.")
    async with db.transaction(STAFF) as conn:
        request = PageRequest(limit=REFUSED_SHOWN_MAX)
        refused = await service.list_rows(
            conn, seen.plan_migration_id, request, RowState.REFUSED, None
        )
    if refused.items:
        console.print(_refused(refused.items, refused.total))


def _whole(one: Summary) -> Table:
    table = Table(title=f"To the end of the first period: {one.currency}", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for label, value in (
        ("subscriptions", f"{one.subscription_count:,}"),
        ("as it is", _money(one.now)),
        ("migrated", _money(one.then)),
        ("difference", _money(one.difference)),
        ("more, less, the same", f"{one.more_count}, {one.less_count}, {one.same_count}"),
        *((show("account", each.account_id), _money(each.difference)) for each in one.largest),
    ):
        table.add_row(label, value)
    return table


def _refused(rows: Sequence[Row], total: int) -> Table:
    table = Table("Subscription", "Why", title=f"Not moved: {len(rows)} of {total}")
    for row in rows:
        table.add_row(show("subscription", row.subscription_id), row.detail or row.reason)
    return table


def _money(amount: Money) -> str:
    return show_money(amount, LOCALE)
