"""The account's credit notes."""

from typing import Annotated, Final

from litestar import Response, get
from litestar.params import QueryParameter

from tallystick.console.context import Billed, Console
from tallystick.console.formats import formats_of
from tallystick.console.note_views import note_list
from tallystick.console.rendering import WebRequest, page
from tallystick.console.viewer import INVOICES
from tallystick.credit_notes import service
from tallystick.kernel.db import account_scope
from tallystick.kernel.paging import LIMIT_DEFAULT, PAGE_MAX, page_request

_READ: Final = {"permission": "billing:read", "page": True}


@get("/billing/credit-notes", opt=_READ, include_in_schema=False)
async def show_credit_notes(
    console: Console,
    request: WebRequest,
    account: Billed,
    number: Annotated[int, QueryParameter(name="page", ge=1, le=PAGE_MAX)] = 1,
) -> Response[str]:
    """List credit notes, newest first."""
    async with console.db.transaction(account_scope(account.account_id)) as conn:
        part = page_request(number, LIMIT_DEFAULT, None)
        found = await service.list_notes(conn, account.account_id, part)
    facts = {"list": note_list(found, formats_of(account))}
    return page(console, request, "credit_notes.html", facts, here=INVOICES)


ROUTES: Final = (show_credit_notes,)
