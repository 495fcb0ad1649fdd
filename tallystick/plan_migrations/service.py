"""Migrations: previewed, confirmed, gone through in batches, canceled, read."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from tallystick.catalog import service as catalog
from tallystick.catalog.model import PlanVersion
from tallystick.kernel.db import Connection, actor
from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.kernel.ids import new_id, unknown
from tallystick.kernel.paging import After, Page, PageRequest, make_page
from tallystick.plan_migrations import store
from tallystick.plan_migrations.model import Migration, Row, RowState, Status, Wanted
from tallystick.plan_migrations.moving import DAY, too_short
from tallystick.subscriptions import chosen
from tallystick.subscriptions.model import Choice

ACCOUNTS_NAMED_MAX: Final = 1_000
NOTICE_DAYS_MAX: Final = 3_650
PREVIEW_HOLDS: Final = timedelta(days=7)
"""How long a preview can be confirmed."""
_ALWAYS: Final = datetime(9999, 1, 1, tzinfo=UTC)


async def start(conn: Connection, wanted: Wanted, wall: datetime) -> Migration:
    """Begin the preview of a migration, which the worker goes through; the writer's scope.

    Raises BadInput naming the field, NotFound for a plan or a version, Conflict
    `plan_version_not_active`, `notice_too_short`.
    """
    check_wanted(wanted, wall)
    to = await catalog.get_plan_version(conn, wanted.to_plan_version_id)
    if to.status != "active":
        raise Conflict(
            "plan_version_not_active", f"The version of the plan is {to.status}; take another."
        )
    choice = await choice_of(conn, wanted, wall)
    who = actor()
    begun = Migration(
        plan_migration_id=new_id(),
        wanted=wanted,
        status=Status.PREVIEWING,
        account_count=await chosen.count_accounts(conn, choice),
        done_count=0,
        after_account_id=chosen.FIRST,
        actor_kind=who.kind,
        actor_id=who.id,
        created_at=wall,
    )
    await store.insert(conn, begun)
    return begun


def check_wanted(wanted: Wanted, now: datetime) -> None:
    """Raise BadInput naming the field that can not be, Conflict `notice_too_short`."""
    if (wanted.plan_code is None) == (wanted.tier is None):
        raise BadInput.field("plan", "one_of", "send either `plan` or `tier`")
    if wanted.versions is not None and wanted.plan_code is None:
        raise BadInput.field("versions", "one_of", "goes with `plan`")
    if (wanted.when == "from") != (wanted.at is not None):
        raise BadInput.field("at", "one_of", "goes with `when` from")
    if not 0 <= wanted.notice_days <= NOTICE_DAYS_MAX:
        raise BadInput.field("notice_days", "out_of_range", f"must be 0 to {NOTICE_DAYS_MAX}")
    if wanted.account_ids is not None and not 1 <= len(wanted.account_ids) <= ACCOUNTS_NAMED_MAX:
        message = f"must be 1 to {ACCOUNTS_NAMED_MAX} accounts, or left out for all"
        raise BadInput.field("accounts", "out_of_range", message)
    if wanted.at is not None and wanted.at < now:
        raise BadInput.field("at", "in_the_past", "must not lie in the past.")
    _need_notice(wanted, now)


async def choice_of(conn: Connection, wanted: Wanted, wall: datetime) -> Choice:
    """Return which subscriptions are looked at; raises NotFound `plan_version_not_found`."""
    sold = await _versions(conn, wanted)
    numbers = {one.version for one in sold}
    missing = set(wanted.versions or ()) - numbers
    if missing:
        raise NotFound(
            "plan_version_not_found", f"Plan {wanted.plan_code} has no version {min(missing)}."
        )
    return Choice(
        account_ids=wanted.account_ids,
        plan_version_ids=[
            one.plan_version_id
            for one in sold
            if one.plan_version_id != wanted.to_plan_version_id
            and (wanted.versions is None or one.version in wanted.versions)
        ],
        start=wall,
        end=_ALWAYS,
    )


async def confirm(
    conn: Connection, plan_migration_id: UUID, confirmation: str, wall: datetime
) -> Migration:
    """Begin to schedule what the preview showed. The same again changes nothing.

    Raises NotFound; Conflict `plan_migration_not_previewed`, `plan_migration_changed`,
    `plan_migration_outdated`, `notice_too_short`.
    """
    was = await _lock(conn, plan_migration_id)
    if was.confirmed_at is not None and was.confirmation == confirmation:
        return was
    if was.status is not Status.PREVIEWED or was.previewed_at is None:
        raise Conflict("plan_migration_not_previewed", f"The migration is {was.status}.")
    if was.confirmation != confirmation:
        raise Conflict(
            "plan_migration_changed", "The preview is another one; look at it and confirm that."
        )
    if was.previewed_at + PREVIEW_HOLDS < wall:
        raise Conflict("plan_migration_outdated", "The preview is a week old; make a new one.")
    _need_notice(was.wanted, wall)
    now = replace(
        was,
        status=Status.SCHEDULING,
        done_count=0,
        after_account_id=chosen.FIRST,
        confirmed_by=actor().id,
        confirmed_at=wall,
    )
    await store.save(conn, now)
    return now


async def cancel(conn: Connection, plan_migration_id: UUID, wall: datetime) -> Migration:
    """Take back what has not taken place; what was moved stays so. Again changes nothing.

    Raises NotFound; Conflict `plan_migration_ended`.
    """
    was = await _lock(conn, plan_migration_id)
    if was.status in {Status.CANCELING, Status.CANCELED}:
        return was
    if was.status in {Status.DONE, Status.FAILED}:
        raise Conflict("plan_migration_ended", f"The migration is {was.status}.")
    is_seen_only = was.status in {Status.PREVIEWING, Status.PREVIEWED}
    now = replace(
        was,
        status=Status.CANCELED if is_seen_only else Status.CANCELING,
        done_count=0,
        after_account_id=chosen.FIRST,
        finished_at=wall if is_seen_only else None,
    )
    await store.save(conn, now)
    return now


async def get_migration(conn: Connection, plan_migration_id: UUID) -> Migration:
    """Return a migration with its progress; raises NotFound."""
    found = await store.find(conn, plan_migration_id)
    if found is None:
        raise unknown("plan_migration")
    return found


async def list_migrations(conn: Connection, request: PageRequest) -> Page[Migration]:
    """Return migrations, newest first."""
    rows = await store.list_page(conn, request)
    total = await store.count(conn)
    return make_page(rows, total, request, lambda one: After(one.created_at, one.plan_migration_id))


async def list_rows(
    conn: Connection,
    plan_migration_id: UUID,
    request: PageRequest,
    state: RowState | None,
    account_id: UUID | None,
) -> Page[Row]:
    """Return its subscriptions, of one account or of all, in one state or in any."""
    found = await get_migration(conn, plan_migration_id)
    rows = await store.list_rows(conn, plan_migration_id, request, state, account_id)
    total = await store.count_rows(conn, plan_migration_id, state, account_id)
    return make_page(rows, total, request, lambda one: After(found.created_at, one.subscription_id))


async def note_moved(
    conn: Connection, account_id: UUID, subscription_id: UUID, plan_version_id: UUID
) -> None:
    """Note that a subscription has come to a version, whichever migration it waited for."""
    await store.set_moved(conn, account_id, subscription_id, plan_version_id)


async def _lock(conn: Connection, plan_migration_id: UUID) -> Migration:
    found = await store.lock(conn, plan_migration_id)
    if found is None:
        raise unknown("plan_migration")
    return found


async def _versions(conn: Connection, wanted: Wanted) -> tuple[PlanVersion, ...]:
    if wanted.tier is not None:
        return await catalog.versions_of_tier(conn, wanted.tier)
    assert wanted.plan_code is not None  # noqa: S101 -- `check_wanted` has seen it
    return await catalog.list_plan_versions(conn, wanted.plan_code)


def _need_notice(wanted: Wanted, now: datetime) -> None:
    """Raise Conflict `notice_too_short` for an instant that is nearer than the notice."""
    if wanted.when == "period_end" or wanted.force_reason is not None:
        return
    at = now if wanted.when == "now" else wanted.at
    if at is not None and at < now + DAY * wanted.notice_days:
        raise too_short(wanted)
