"""For staff: where billing stands, and lists over all accounts or one of them."""

from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath, QueryParameter
from litestar.response import Redirect

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.console import billing_views as views
from tallystick.console.context import Console, ConsoleContext
from tallystick.console.formats import formats_of
from tallystick.console.forms import text_field
from tallystick.console.refusals import REFUSED, status_of
from tallystick.console.rendering import WebRequest, page
from tallystick.console.viewer import BILLING, CREDIT_NOTES, MAILS, REFUNDS
from tallystick.credit_notes import refunds
from tallystick.credit_notes import service as notes
from tallystick.credit_notes.model import Refund
from tallystick.invoices import drafts
from tallystick.kernel import ids
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import STAFF, WRITER, Connection
from tallystick.kernel.errors import TallystickError
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
        of = await _accounts(conn, {one.account_id for one in parked})
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
        found = await notes.list_notes(conn, _whose(of), part)
        known = await _accounts(conn, {one.account_id for one in found.items})
    facts = {"list": views.note_list(found, known), **views.frame(of, CREDIT_NOTES)}
    return page(console, request, "staff_credit_notes.html", facts, here=BILLING)


@get(MAILS, opt=_READ, include_in_schema=False)
async def show_mails(
    console: Console, request: WebRequest, of: Of = "", number: Number = 1
) -> Response[str]:
    """List mails, newest first."""
    part = page_request(number, LIMIT_DEFAULT, None)
    async with console.db.transaction(STAFF) as conn:
        found = await mails.list_mails(conn, _whose(of), None, part)
        known = await _accounts(conn, {one.account_id for one in found.items})
    facts = {
        "list": views.mail_list(found, known),
        "mail_is_on": console.settings.mail_configured,
        **views.frame(of, MAILS),
    }
    return page(console, request, "staff_mails.html", facts, here=BILLING)


@get(REFUNDS, opt=_READ, include_in_schema=False)
async def show_refunds(
    console: Console, request: WebRequest, *, of: Of = "", done: bool = False
) -> Response[str]:
    """List what is to be paid back, oldest first."""
    async with console.db.transaction(STAFF) as conn:
        found = await refunds.waiting_refunds(conn, _whose(of))
        known = await _accounts(conn, {one.account_id for one in found})
    facts = {
        "rows": views.refund_rows(found, known),
        "notice": "The refund is booked." if done else "",
        **views.frame(of, REFUNDS),
    }
    return page(console, request, "staff_refunds.html", facts, here=BILLING)


@get(f"{REFUNDS}/{{refund_id:str}}", opt=_FINANCE, include_in_schema=False)
async def ask_for_refund(
    console: Console, request: WebRequest, refund_id: FromPath[str]
) -> Response[str]:
    """Ask for the bank's reference of money that was paid back."""
    return await _asking(console, request, ids.parse("refund", refund_id), "")


@post(f"{REFUNDS}/{{refund_id:str}}", opt=_FINANCE, include_in_schema=False)
async def make_refund(
    console: Console, request: WebRequest, refund_id: FromPath[str]
) -> Response[Any]:
    """Book that the money was paid back by hand."""
    wanted, form = ids.parse("refund", refund_id), await request.form()
    reference = text_field(form, "reference")
    try:
        async with console.db.transaction(WRITER) as conn:
            account_id = await refunds.account_of_refund(conn, wanted)
            now = await account_now(conn, account_id, console.clock())
            await refunds.make_refund(conn, account_id, wanted, reference, now)
    except REFUSED as error:
        return await _asking(console, request, wanted, reference, error)
    return Redirect(f"{REFUNDS}?done=true", status_code=303)


async def _asking(
    console: ConsoleContext,
    request: WebRequest,
    refund_id: UUID,
    reference: str,
    error: TallystickError | None = None,
) -> Response[str]:
    async with console.db.transaction(STAFF) as conn:
        account_id = await refunds.account_of_refund(conn, refund_id)
        refund: Refund = await refunds.get_refund(conn, account_id, refund_id)
        account = await accounts.get_account(conn, account_id)
    facts = {
        "step": views.REFUND_STEP,
        "told": {"reference": reference},
        "what": f"{formats_of(account).money(refund.amount)} to {account.name}",
        "back": REFUNDS,
        "action": f"{REFUNDS}/{ids.show('refund', refund_id)}",
        "error": error.detail if error else "",
    }
    status = status_of(error) if error else 200
    return page(console, request, "staff_step.html", facts, here=BILLING, status=status)


def _whose(account: str) -> UUID | None:
    return ids.parse("account", account) if account else None


async def _accounts(conn: Connection, wanted: set[UUID]) -> dict[UUID, Account]:
    """Return the accounts of one page; a page has a hundred rows at most."""
    return {one: await accounts.get_account(conn, one) for one in sorted(wanted)}


ROUTES: Final = (
    show_billing,
    show_credit_notes,
    show_mails,
    show_refunds,
    ask_for_refund,
    make_refund,
)
