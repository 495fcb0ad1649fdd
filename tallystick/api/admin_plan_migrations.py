"""For staff: subscriptions of a plan, many at once, come to another version."""

from datetime import datetime
from typing import Annotated, Final, Literal

from litestar import get, post
from litestar.params import QueryParameter
from msgspec import Meta

from tallystick.api import fields
from tallystick.api.answers import pagination
from tallystick.api.plan_migration_answers import (
    PlanMigrationAnswer,
    PlanMigrationList,
    PlanMigrationRows,
    migration_answer,
    migration_row,
)
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.catalog import service as catalog
from tallystick.catalog.model import PlanVersion
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF, WRITER, Connection
from tallystick.kernel.errors import BadInput
from tallystick.kernel.ids import unknown
from tallystick.kernel.paging import PageRequest
from tallystick.payments.approvals import check_reason
from tallystick.plan_migrations import service
from tallystick.plan_migrations.model import RowState, Wanted, When

BASE: Final = "/api/v1/admin/billing/plan-migrations"
ONE: Final = f"{BASE}/{{plan_migration_id:str}}"
TAGS: Final = ["Admin: plan migrations"]
READ: Final = {"permission": "staff:read"}
ADMIN: Final = {"permission": "staff:admin"}
Accounts = Annotated[
    list[fields.AccountId],
    Meta(extra_json_schema={"minItems": 1, "maxItems": service.ACCOUNTS_NAMED_MAX}),
]
Number = Annotated[int, Meta(extra_json_schema={"minimum": 1, "maximum": 1_000_000})]
NoticeDays = Annotated[
    int, Meta(extra_json_schema={"minimum": 0, "maximum": service.NOTICE_DAYS_MAX})
]
Confirmation = Annotated[str, Meta(extra_json_schema={"pattern": "^[0-9a-f]{64}$"})]
State = Annotated[
    Literal["foreseen", "refused", "scheduled", "moved", "canceled"] | None,
    QueryParameter(name="state"),
]


class MigratePlan(Body, frozen=True, kw_only=True):
    """Which subscriptions come to which version, when, and why.

    Those on `versions` of `plan` (left out: on any but the target), or of all plans of a `tier`; of
    these `accounts`, or of all. They come to `to_version` of `to_plan`: left out, the version that
    is sold, of the same plan. `when` now, at the `period_end` (the first that the notice allows),
    or `from` the instant `at`. A date nearer than `notice_days` is refused without `force_reason`.
    """

    plan: fields.Code | None = None
    tier: fields.Line | None = None
    versions: list[Number] | None = None
    accounts: Accounts | None = None
    to_plan: fields.Code | None = None
    to_version: Number | None = None
    when: When
    at: fields.Instant | None = None
    notice_days: NoticeDays = 0
    reason: fields.Reason
    force_reason: fields.Reason | None = None


class ConfirmMigration(Body, frozen=True, kw_only=True):
    """The `confirmation` of the preview."""

    confirmation: Confirmation


@post(BASE, opt=ADMIN, tags=TAGS, summary="Preview a plan migration")
async def preview_plan_migration(data: MigratePlan, services: Services) -> PlanMigrationAnswer:
    """Begin to reckon what would change, account by account; nobody is moved before `confirm`."""
    async with services.db.transaction(WRITER) as conn:
        wanted = await _wanted(conn, data)
        return migration_answer(await service.start(conn, wanted, services.clock()))


@get(BASE, opt=READ, tags=TAGS, summary="Plan migrations")
async def list_plan_migrations(services: Services, paging: PageRequest) -> PlanMigrationList:
    """List migrations with how far they are."""
    async with services.db.transaction(STAFF) as conn:
        found = await service.list_migrations(conn, paging)
    shown = [migration_answer(one) for one in found.items]
    return PlanMigrationList(shown, pagination(found), found.total)


@get(ONE, opt=READ, tags=TAGS, summary="Plan migration")
async def read_plan_migration(plan_migration_id: str, services: Services) -> PlanMigrationAnswer:
    """Show how far a migration is, and what its preview came to."""
    wanted = ids.parse("plan_migration", plan_migration_id)
    async with services.db.transaction(STAFF) as conn:
        return migration_answer(await service.get_migration(conn, wanted))


@get(f"{ONE}/subscriptions", opt=READ, tags=TAGS, summary="Subscriptions of a plan migration")
async def list_plan_migration_rows(
    plan_migration_id: str,
    services: Services,
    paging: PageRequest,
    in_state: State = None,
    account_id: str | None = None,
) -> PlanMigrationRows:
    """List each subscription: what it would be invoiced, when it is moved, or why it can not be."""
    wanted = ids.parse("plan_migration", plan_migration_id)
    account = ids.parse("account", account_id) if account_id else None
    async with services.db.transaction(STAFF) as conn:
        found = await service.list_rows(
            conn, wanted, paging, RowState(in_state) if in_state else None, account
        )
    return PlanMigrationRows(
        [migration_row(one) for one in found.items], pagination(found), found.total
    )


@post(f"{ONE}/confirm", opt=ADMIN, tags=TAGS, status_code=200, summary="Confirm a plan migration")
async def confirm_plan_migration(
    plan_migration_id: str, data: ConfirmMigration, services: Services
) -> PlanMigrationAnswer:
    """Note the change at each subscription of the preview, tell its account, and move it then."""
    wanted = ids.parse("plan_migration", plan_migration_id)
    async with services.db.transaction(WRITER) as conn:
        found = await service.confirm(conn, wanted, data.confirmation, services.clock())
    return migration_answer(found)


@post(f"{ONE}/cancel", opt=ADMIN, tags=TAGS, status_code=200, summary="Cancel a plan migration")
async def cancel_plan_migration(plan_migration_id: str, services: Services) -> PlanMigrationAnswer:
    """Take back what has not taken place; what was moved stays so."""
    wanted = ids.parse("plan_migration", plan_migration_id)
    async with services.db.transaction(WRITER) as conn:
        return migration_answer(await service.cancel(conn, wanted, services.clock()))


async def _wanted(conn: Connection, data: MigratePlan) -> Wanted:
    code = data.to_plan or data.plan
    if code is None:
        raise BadInput.field("to_plan", "missing", "is required with `tier`")
    to = await target(conn, code, data.to_version)
    named = None if data.accounts is None else [ids.parse("account", one) for one in data.accounts]
    return Wanted(
        plan_code=data.plan,
        tier=data.tier,
        versions=None if data.versions is None else tuple(data.versions),
        account_ids=None if named is None else tuple(dict.fromkeys(named)),
        to_plan_version_id=to.plan_version_id,
        when=data.when,
        at=_instant(data.at),
        notice_days=data.notice_days,
        reason=check_reason(data.reason),
        force_reason=_forced(data.force_reason),
    )


async def target(conn: Connection, plan_code: str, number: int | None) -> PlanVersion:
    """Return a version of a plan by its number, None: the one that is sold; raises NotFound."""
    if number is None:
        return await catalog.current_plan_version(conn, plan_code)
    for one in await catalog.list_plan_versions(conn, plan_code):
        if one.version == number:
            return one
    raise unknown("plan_version")


def _instant(at: datetime | None) -> datetime | None:
    return None if at is None else fields.check_instant("at", at)


def _forced(reason: str | None) -> str | None:
    return None if reason is None else check_reason(reason)


ROUTES: Final = (
    preview_plan_migration,
    list_plan_migrations,
    read_plan_migration,
    list_plan_migration_rows,
    confirm_plan_migration,
    cancel_plan_migration,
)
