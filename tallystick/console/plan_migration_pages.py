"""For staff: migrations of plans, how far they are, and each subscription."""

from typing import Annotated, Final

from litestar import Response, get
from litestar.params import FromPath, QueryParameter

from tallystick.console.context import Console
from tallystick.console.plan_migration_views import (
    migration_list,
    migration_view,
    subscription_list,
)
from tallystick.console.rendering import WebRequest, page
from tallystick.console.viewer import PLAN_MIGRATIONS
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF
from tallystick.kernel.paging import LIMIT_DEFAULT, PAGE_MAX, page_request
from tallystick.plan_migrations import service

_READ: Final = {"permission": "staff:read", "page": True}
Number = Annotated[int, QueryParameter(name="page", ge=1, le=PAGE_MAX)]


@get(PLAN_MIGRATIONS, opt=_READ, include_in_schema=False)
async def show_plan_migrations(
    console: Console, request: WebRequest, number: Number = 1
) -> Response[str]:
    """List migrations, newest first."""
    part = page_request(number, LIMIT_DEFAULT, None)
    async with console.db.transaction(STAFF) as conn:
        found = await service.list_migrations(conn, part)
    facts = {"list": migration_list(found)}
    return page(console, request, "plan_migrations.html", facts, here=PLAN_MIGRATIONS)


@get(f"{PLAN_MIGRATIONS}/{{plan_migration_id:str}}", opt=_READ, include_in_schema=False)
async def show_plan_migration(
    console: Console, request: WebRequest, plan_migration_id: FromPath[str], number: Number = 1
) -> Response[str]:
    """Show one: counts by state, what is invoiced, and its subscriptions."""
    wanted = ids.parse("plan_migration", plan_migration_id)
    part = page_request(number, LIMIT_DEFAULT, None)
    async with console.db.transaction(STAFF) as conn:
        one = await service.get_migration(conn, wanted)
        found = await service.list_rows(conn, wanted, part, None, None)
    facts = {"migration": migration_view(one), "list": subscription_list(found)}
    return page(console, request, "plan_migration.html", facts, here=PLAN_MIGRATIONS)


ROUTES: Final = (show_plan_migrations, show_plan_migration)
