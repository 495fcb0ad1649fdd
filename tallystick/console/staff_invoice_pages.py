"""For staff: one invoice of an account, and what finance does about it, each asked for twice."""

from collections.abc import Mapping
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, Parameter
from litestar.response import Redirect
from msgspec.structs import replace

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.console.context import Console, ConsoleContext
from tallystick.console.formats import formats_of
from tallystick.console.forms import read_choice, read_key, text_field
from tallystick.console.invoice_views import invoice_view
from tallystick.console.note_views import note_rows
from tallystick.console.refund_views import dispute_row, payment_rows, refund_row
from tallystick.console.refusals import REFUSED, status_of
from tallystick.console.rendering import WebRequest, page
from tallystick.console.step_views import STEPS, Step, closing_rows, done_text, steps_of
from tallystick.console.viewer import ACCOUNTS
from tallystick.credit_notes.disputes import disputes_of_invoice
from tallystick.credit_notes.model import CreditNote, Dispute, Refund
from tallystick.credit_notes.refunds import refunds_of_invoice
from tallystick.credit_notes.service import notes_of_invoice
from tallystick.invoices import closing as closings
from tallystick.invoices import drafts, service
from tallystick.invoices.closing_store import Closing
from tallystick.invoices.explain import LineExplanation, invoice_explanations
from tallystick.invoices.files import is_einvoice
from tallystick.invoices.model import Invoice
from tallystick.kernel import ids
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import STAFF, WRITER, Connection, acting, actor
from tallystick.kernel.errors import NotFound, TallystickError, Unavailable
from tallystick.mail import service as mail
from tallystick.payments import closing
from tallystick.payments.approvals import check_reason
from tallystick.payments.receipts import Came, payments_with_receipt
from tallystick.payments.refund_model import Giver
from tallystick.payments.refund_payment import payments_of_invoice

READ: Final = {"permission": "staff:read", "page": True}
FINANCE: Final = {"permission": "staff:finance", "page": True}
ONE: Final = "/staff/accounts/{account_id:str}/invoices/{invoice_id:str}"
Form = Mapping[str, object]
Done = Annotated[str, Parameter(description="what was just done", max_length=20)]


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice with all that is shown of it."""

    account: Account
    invoice: Invoice
    explained: tuple[LineExplanation, ...]
    payments: list[Came]
    notes: tuple[CreditNote, ...]
    closings: tuple[Closing, ...]
    givers: tuple[Giver, ...]
    refunds: tuple[Refund, ...]
    disputes: tuple[Dispute, ...]
    has_xml: bool


@get(ONE, opt=READ, include_in_schema=False)
async def show_invoice(
    console: Console,
    request: WebRequest,
    account_id: FromPath[str],
    invoice_id: FromPath[str],
    done: Done = "",
) -> Response[str]:
    """Show an invoice as its customer sees it, with what can be done about it."""
    whose, wanted = ids.parse("account", account_id), ids.parse("invoice", invoice_id)
    async with console.db.transaction(STAFF) as conn:
        known = await _read(conn, whose, wanted)
    facts = {**_facts(console, known), **_paths(account_id, invoice_id), "notice": done_text(done)}
    return page(console, request, "staff_invoice.html", facts, here=ACCOUNTS)


@get(f"{ONE}/{{step:str}}", opt=FINANCE, include_in_schema=False)
async def ask(
    console: Console,
    request: WebRequest,
    account_id: FromPath[str],
    invoice_id: FromPath[str],
    step: FromPath[str],
) -> Response[str]:
    """Ask whether a step is meant, and for what it needs."""
    wanted = _step(console, step)
    account, invoice = await _both(console, account_id, invoice_id)
    told = {"to": account.email, "key": str(ids.new_id()), "rebill": "", "reason": ""}
    return _asking(console, request, wanted, told, of=(account_id, invoice))


@post(f"{ONE}/{{step:str}}", opt=FINANCE, include_in_schema=False)
async def take(
    console: Console,
    request: WebRequest,
    account_id: FromPath[str],
    invoice_id: FromPath[str],
    step: FromPath[str],
) -> Response[Any]:
    """Do it, and go back to the invoice; what is refused is asked again with the reason."""
    wanted, form = _step(console, step), await request.form()
    whose, which = ids.parse("account", account_id), ids.parse("invoice", invoice_id)
    try:
        await _do(console, wanted, form, whose, which)
    except REFUSED as error:
        _, invoice = await _both(console, account_id, invoice_id)
        told = {name: text_field(form, name) for name in ("to", "key", "rebill", "reason")}
        return _asking(console, request, wanted, told, of=(account_id, invoice), error=error)
    paths = _paths(account_id, invoice_id)
    gone = step == "discard"
    return Redirect(paths["base"] if gone else f"{paths['here_path']}?done={step}", status_code=303)


async def _do(
    console: ConsoleContext, step: Step, form: Form, account_id: UUID, invoice_id: UUID
) -> None:
    reason = check_reason(text_field(form, "reason")) if "reason" in step.fields else ""
    with acting(replace(actor(), reason=reason)):
        async with console.db.transaction(WRITER) as conn:
            if step.name in ("void", "write-off", "reopen"):
                await _close(conn, console, step, form, of=(account_id, invoice_id))
            elif step.name == "send":
                await _send(conn, console, form, account_id, invoice_id)
            elif step.name == "discard":
                await drafts.discard(conn, account_id, invoice_id)
            else:
                account = await accounts.get_account(conn, account_id)
                now = await account_now(conn, account_id, console.clock())
                await drafts.finalize(conn, account, invoice_id, seller=console.seller, at=now)


async def _close(
    conn: Connection, console: ConsoleContext, step: Step, form: Form, *, of: tuple[UUID, UUID]
) -> None:
    account_id, invoice_id = of
    reason, wall = actor().reason, console.clock()
    if step.name == "void":
        rebill = read_choice(form, "rebill")
        await closing.void_invoice(
            conn, account_id, invoice_id, rebill=rebill, seller=console.seller, reason=reason,
            wall=wall,
        )  # fmt: skip
    elif step.name == "write-off":
        await closing.write_off(conn, account_id, invoice_id, reason=reason, wall=wall)
    else:
        now = await account_now(conn, account_id, wall)
        await closings.reopen(conn, account_id, invoice_id, reason=reason, at=now)


async def _send(
    conn: Connection, console: ConsoleContext, form: Form, account_id: UUID, invoice_id: UUID
) -> None:
    if not console.settings.mail_configured:
        raise Unavailable("mail_not_configured", "Mail is switched off: set TALLYSTICK_MAIL_URL.")
    addresses = text_field(form, "to").split()
    account = await accounts.get_account(conn, account_id)
    await mail.send_invoice(
        conn, account_id, invoice_id, addresses=addresses or (account.email,),
        request_key=f"console:{read_key(form)}", now=console.clock(),
    )  # fmt: skip


async def _read(conn: Connection, account_id: UUID, invoice_id: UUID) -> _Known:
    invoice = await service.get_invoice(conn, account_id, invoice_id)
    return _Known(
        account=await accounts.get_account(conn, account_id),
        invoice=invoice,
        explained=await invoice_explanations(conn, invoice),
        payments=await payments_with_receipt(conn, account_id, invoice_id),
        notes=await notes_of_invoice(conn, account_id, invoice_id),
        closings=await closings.closings(conn, account_id, invoice_id),
        givers=await payments_of_invoice(conn, account_id, invoice_id),
        refunds=await refunds_of_invoice(conn, account_id, invoice_id),
        disputes=await disputes_of_invoice(conn, account_id, invoice_id),
        has_xml=await is_einvoice(conn, account_id, invoice_id),
    )


def _facts(console: ConsoleContext, known: _Known) -> dict[str, Any]:
    formats, invoice = formats_of(known.account), known.invoice
    return {
        "account_name": known.account.name,
        "invoice": invoice_view(
            invoice, known.explained, formats, payments=known.payments, is_einvoice=known.has_xml
        ),
        "notes": note_rows(known.notes, formats),
        "closings": closing_rows(known.closings, invoice.currency, formats),
        "payments": payment_rows(known.givers, formats),
        "refunds": [refund_row(one, known.account) for one in known.refunds],
        "disputes": [dispute_row(one, known.account) for one in known.disputes],
        "steps": list(steps_of(invoice, mail_is_on=console.settings.mail_configured)),
        "may_credit": not invoice.creditable.is_zero(),
    }


async def _both(
    console: ConsoleContext, account_id: str, invoice_id: str
) -> tuple[Account, Invoice]:
    whose, wanted = ids.parse("account", account_id), ids.parse("invoice", invoice_id)
    async with console.db.transaction(STAFF) as conn:
        account = await accounts.get_account(conn, whose)
        return account, await service.get_invoice(conn, whose, wanted)


def _asking(
    console: ConsoleContext,
    request: WebRequest,
    step: Step,
    told: Mapping[str, str],
    *,
    of: tuple[str, Invoice],
    error: TallystickError | None = None,
) -> Response[str]:
    account_id, invoice = of
    back = _paths(account_id, ids.show("invoice", invoice.invoice_id))["here_path"]
    facts = {
        "step": step,
        "told": told,
        "what": f"Invoice {invoice.number}" if invoice.number else "Draft",
        "back": back,
        "action": f"{back}/{step.name}",
        "error": error.detail if error else "",
    }
    status = status_of(error) if error else 200
    return page(console, request, "staff_step.html", facts, here=ACCOUNTS, status=status)


def _paths(account_id: str, invoice_id: str) -> dict[str, str]:
    base = f"{ACCOUNTS}/{account_id}"
    return {"base": base, "here_path": f"{base}/invoices/{invoice_id}"}


def _step(console: ConsoleContext, name: str) -> Step:
    step = STEPS.get(name)
    if step is None or (name == "send" and not console.settings.mail_configured):
        raise NotFound("route_not_found", "There is nothing at this address.")
    return step


ROUTES: Final = (show_invoice, ask, take)
