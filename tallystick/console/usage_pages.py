"""The account's usage in the running period, against its plan."""

from typing import Any, Final

from litestar import Response, get
from litestar.response import Redirect

from tallystick.console.context import Billed, Caller, Console
from tallystick.console.formats import formats_of
from tallystick.console.rendering import WebRequest, page
from tallystick.console.usage_views import usage_view
from tallystick.console.viewer import USAGE
from tallystick.kernel.db import account_scope
from tallystick.subscriptions.current_usage import current_usage

_READ: Final = {"permission": "billing:read", "page": True}


@get("/billing", opt=_READ, include_in_schema=False)
async def show_billing() -> Response[Any]:
    """Go on to the first page of billing."""
    return Redirect(USAGE, status_code=303)


@get(USAGE, opt=_READ, include_in_schema=False)
async def show_usage(
    console: Console, request: WebRequest, principal: Caller, account: Billed
) -> Response[str]:
    """Show every meter of the plan: what was used, what is included, what the rest costs."""
    now = principal.now(console.clock())
    async with console.db.transaction(account_scope(account.account_id)) as conn:
        found = await current_usage(conn, account.account_id, now)
    report = usage_view(found.report, found.plan, formats_of(account)) if found else None
    return page(console, request, "usage.html", {"report": report}, here=USAGE)


ROUTES: Final = (show_billing, show_usage)
