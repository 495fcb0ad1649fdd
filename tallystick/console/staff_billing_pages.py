"""For staff: where billing stands, and lists over all accounts or one of them."""

from typing import Annotated, Final
from uuid import UUID

from litestar import Response, get
from litestar.params import QueryParameter

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.console import billing_views as views
from tallystick.console.context import Console
from tallystick.console.rendering import WebRequest, page
from tallystick.console.viewer import BILLING, CREDIT_NOTES, MAILS
from tallystick.credit_notes import refunds
from tallystick.credit_notes import service as notes
from tallystick.invoices import drafts
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF, Connection
from tallystick.kernel.paging import LIMIT_DEFAULT, PAGE_MAX, page_request
from tallystick.mail import service as mails
from tallystick.subscriptions import service as subscriptions

_READ: Final = {"permission": "staff:read", "page": True}
_FINANCE: Final = {"permission": "staff:finance", "page": True}
Number = Annotated[int, QueryParameter(name="page", ge=1, le=PAGE_MAX)]
Of = Annotated[str, QueryParameter(name="account_id", max_length=40)]


@get(BILLING, opt=_READ, include_in_schema=False)
async def show_billing(console: Console, request: WebRequest) -> Response[str]:
    """Show how many drafts and bills wait, and which subscriptions could not be billed."""
    async with console.db.transaction(STAFF) as conn:
        draft_count = await drafts.draft_count(conn)
        due = await subscriptions.due_count(conn, console.clock())
        parked = await subscriptions.parked(conn)
        waiting = await refunds.waiting_refunds(conn)
        of = await accounts_of(conn, {one.account_id for one in parked})
    facts = {
        "facts": views.billing_facts(draft_count, due, waiting),
        "parked": views.parked_rows(parked, of),
        "links": views.LINKS,
        "mail_is_on": console.settings.mail_configured,
    }
    return page(console, request, "staff_billing.html", facts, here=BILLING)


@get(CREDIT_NOTES, opt=_READ, include_in_schema=False)
async def show_credit_notes(
    console: Console, request: WebRequest, of: Of = "", number: Number = 1
) -> Response[str]:
    """List credit notes, newest first."""
    part = page_request(number, LIMIT_DEFAULT, None)
    async with console.db.transaction(STAFF) as conn:
        found = await notes.list_notes(conn, whose(of), part)
        known = await accounts_of(conn, {one.account_id for one in found.items})
    facts = {"list": views.note_list(found, known), **views.frame(of, CREDIT_NOTES)}
    return page(console, request, "staff_credit_notes.html", facts, here=BILLING)


@get(MAILS, opt=_READ, include_in_schema=False)
async def show_mails(
    console: Console, request: WebRequest, of: Of = "", number: Number = 1
) -> Response[str]:
    """List mails, newest first."""
    part = page_request(number, LIMIT_DEFAULT, None)
    async with console.db.transaction(STAFF) as conn:
        found = await mails.list_mails(conn, whose(of), None, part)
        known = await accounts_of(conn, {one.account_id for one in found.items})
    facts = {
        "list": views.mail_list(found, known),
        "mail_is_on": console.settings.mail_configured,
        **views.frame(of, MAILS),
    }
    return page(console, request, "staff_mails.html", facts, here=BILLING)


def whose(account: str) -> UUID | None:
    """Return the account that a list is narrowed to; raises NotFound."""
    return ids.parse("account", account) if account else None


async def accounts_of(conn: Connection, wanted: set[UUID]) -> dict[UUID, Account]:
    """Return the accounts of one page; a page has a hundred rows at most."""
    return {one: await accounts.get_account(conn, one) for one in sorted(wanted)}


ROUTES: Final = (
    show_billing,
    show_credit_notes,
    show_mails,
)
