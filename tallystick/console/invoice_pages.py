"""The account's invoices: a list, and one with its lines explained."""

from typing import Annotated, Any, Final, Literal

from litestar import Response, get, post
from litestar.params import FromPath, Parameter, QueryParameter
from litestar.response import Redirect

from tallystick.console.by_hand_views import by_hand_view
from tallystick.console.context import Billed, Console
from tallystick.console.formats import formats_of
from tallystick.console.forms import read_key
from tallystick.console.invoice_views import invoice_list, invoice_view, status_choices
from tallystick.console.note_views import note_rows
from tallystick.console.rendering import WebRequest, page
from tallystick.console.viewer import INVOICES
from tallystick.credit_notes.service import notes_of_invoice
from tallystick.invoices import service
from tallystick.invoices.explain import invoice_explanations
from tallystick.invoices.files import is_einvoice
from tallystick.invoices.model import Status
from tallystick.kernel import ids
from tallystick.kernel.db import WRITER, account_scope
from tallystick.kernel.errors import Unavailable
from tallystick.kernel.paging import LIMIT_DEFAULT, PAGE_MAX, page_request
from tallystick.mail import service as mail
from tallystick.payments.instructions import instructions_of
from tallystick.payments.receipts import payments_with_receipt
from tallystick.payments.service import awaiting_of_invoice

_WRITE: Final = {"permission": "billing:write", "page": True}
_READ: Final = {"permission": "billing:read", "page": True}
StatusChoice = Literal["", "open", "paid", "void", "uncollectible"]


@get(INVOICES, opt=_READ, include_in_schema=False)
async def show_invoices(
    console: Console,
    request: WebRequest,
    account: Billed,
    status: Annotated[StatusChoice, Parameter(description="empty: all")] = "",
    number: Annotated[int, QueryParameter(name="page", ge=1, le=PAGE_MAX)] = 1,
) -> Response[str]:
    """List invoices, newest first."""
    wanted = Status(status) if status else None
    async with console.db.transaction(account_scope(account.account_id)) as conn:
        part = page_request(number, LIMIT_DEFAULT, None)
        found = await service.list_invoices(conn, account.account_id, wanted, part)
    facts = {
        "status": status,
        "choices": status_choices(),
        "list": invoice_list(found, formats_of(account)),
    }
    return page(console, request, "invoices.html", facts, here=INVOICES)


@get("/billing/invoices/{invoice_id:str}", opt=_READ, include_in_schema=False)
async def show_invoice(
    console: Console,
    request: WebRequest,
    account: Billed,
    invoice_id: FromPath[str],
    done: Annotated[Literal["", "sent"], Parameter(description="what was just done")] = "",
) -> Response[str]:
    """Show one invoice, and how each amount came about."""
    wanted = ids.parse("invoice", invoice_id)
    async with console.db.transaction(account_scope(account.account_id)) as conn:
        invoice = await service.get_invoice(conn, account.account_id, wanted)
        explained = await invoice_explanations(conn, invoice)
        payments = await payments_with_receipt(conn, account.account_id, wanted)
        has_xml = await is_einvoice(conn, account.account_id, wanted)
        notes = await notes_of_invoice(conn, account.account_id, wanted)
        told = await instructions_of(conn, account, invoice)
        awaiting = await awaiting_of_invoice(conn, account.account_id, wanted)
    view = invoice_view(
        invoice, explained, formats_of(account), payments=payments, is_einvoice=has_xml
    )
    facts = {
        "invoice": view,
        "notes": note_rows(notes, formats_of(account)),
        "by_hand": by_hand_view(told, formats_of(account)) if told else None,
        # Sent twice, a form mails once.
        "mail_key": str(ids.new_id()) if console.settings.mail_configured else "",
        "mail_to": account.email,
        "confirm": ids.show("payment", awaiting) if awaiting else "",
        "notice": f"The invoice is on its way to {account.email}." if done else "",
    }
    return page(console, request, "invoice.html", facts, here=INVOICES)


@post("/billing/invoices/{invoice_id:str}/send", opt=_WRITE, include_in_schema=False)
async def send(
    console: Console, request: WebRequest, account: Billed, invoice_id: FromPath[str]
) -> Response[Any]:
    """Send the invoice to the account's address."""
    wanted, key = ids.parse("invoice", invoice_id), read_key(await request.form())
    if not console.settings.mail_configured:
        raise Unavailable("mail_not_configured", "Mail is switched off here.")
    async with console.db.transaction(WRITER) as conn:
        await mail.send_invoice(
            conn, account.account_id, wanted, addresses=(account.email,),
            request_key=f"console:{key}", now=console.clock(),
        )  # fmt: skip
    return Redirect(f"{INVOICES}/{invoice_id}?done=sent", status_code=303)


ROUTES: Final = (show_invoices, show_invoice, send)
