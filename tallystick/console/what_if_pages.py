"""For staff: what-ifs, how far they are, and what came of them."""

from typing import Annotated, Final

from litestar import Response, get
from litestar.params import FromPath, QueryParameter

from tallystick.console.context import Console
from tallystick.console.rendering import WebRequest, page
from tallystick.console.viewer import WHAT_IFS
from tallystick.console.what_if_views import outcome_list, what_if_list, what_if_view
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF
from tallystick.kernel.paging import LIMIT_DEFAULT, PAGE_MAX, page_request
from tallystick.whatif import service

_READ: Final = {"permission": "staff:read", "page": True}
Number = Annotated[int, QueryParameter(name="page", ge=1, le=PAGE_MAX)]


@get(WHAT_IFS, opt=_READ, include_in_schema=False)
async def show_what_ifs(console: Console, request: WebRequest, number: Number = 1) -> Response[str]:
    """List what-ifs, newest first."""
    part = page_request(number, LIMIT_DEFAULT, None)
    async with console.db.transaction(STAFF) as conn:
        found = await service.list_what_ifs(conn, part)
    return page(console, request, "what_ifs.html", {"list": what_if_list(found)}, here=WHAT_IFS)


@get(f"{WHAT_IFS}/{{what_if_id:str}}", opt=_READ, include_in_schema=False)
async def show_what_if(
    console: Console, request: WebRequest, what_if_id: FromPath[str], number: Number = 1
) -> Response[str]:
    """Show one: totals, distribution, prices, and the periods of accounts."""
    wanted = ids.parse("what_if", what_if_id)
    part = page_request(number, LIMIT_DEFAULT, None)
    async with console.db.transaction(STAFF) as conn:
        one = await service.get_what_if(conn, wanted)
        found = await service.list_outcomes(conn, wanted, part, None, None)
    facts = {"what_if": what_if_view(one), "list": outcome_list(found)}
    return page(console, request, "what_if.html", facts, here=WHAT_IFS)


ROUTES: Final = (show_what_ifs, show_what_if)
