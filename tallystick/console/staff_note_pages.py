"""For finance: a credit note, asked for, shown with its totals, and then issued."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.console import note_form
from tallystick.console.context import Console, ConsoleContext
from tallystick.console.formats import formats_of
from tallystick.console.forms import text_field
from tallystick.console.refusals import REFUSED, status_of
from tallystick.console.rendering import WebRequest, page
from tallystick.console.staff_invoice_pages import FINANCE, ONE, Form
from tallystick.console.viewer import ACCOUNTS
from tallystick.credit_notes import service as notes
from tallystick.credit_notes.model import CreditNote
from tallystick.invoices import service as invoices
from tallystick.invoices.model import Invoice
from tallystick.kernel import ids
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import STAFF, WRITER

PATH: Final = f"{ONE}/credit-note"


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Of which invoice a note is to be, and what was told of it so far."""

    account: Account
    invoice: Invoice
    form: Form
    chosen: Sequence[str]

    @property
    def back(self) -> str:
        """The invoice's page."""
        account = ids.show("account", self.account.account_id)
        return f"{ACCOUNTS}/{account}/invoices/{ids.show('invoice', self.invoice.invoice_id)}"


@get(PATH, opt=FINANCE, include_in_schema=False)
async def ask_for_note(
    console: Console, request: WebRequest, account_id: FromPath[str], invoice_id: FromPath[str]
) -> Response[str]:
    """Ask what the note is to give back."""
    first = {
        "key": str(ids.new_id()), "extent": "whole", "use": "rest_credit", "reason": "order_change",
        "text": "",
    }  # fmt: skip
    asked = await _asked(console, account_id, invoice_id, first, ())
    return _page(console, request, asked)


@post(PATH, opt=FINANCE, include_in_schema=False)
async def write_note(
    console: Console, request: WebRequest, account_id: FromPath[str], invoice_id: FromPath[str]
) -> Response[Any]:
    """Show the note with its totals, issue it, or ask again."""
    form = await request.form()
    chosen = [one for one in form.getall("line", []) if isinstance(one, str) and one]
    asked = await _asked(console, account_id, invoice_id, form, chosen)
    wanted = text_field(form, "do")
    if wanted == "edit":
        return _page(console, request, asked)
    try:
        note = await _note(console, asked, is_issued=wanted == "issue")
    except REFUSED as error:
        return _page(console, request, asked, error=error.detail, status=status_of(error))
    if wanted == "issue":
        return Redirect(f"{asked.back}?done=credit-note", status_code=303)
    return _page(console, request, asked, note)


async def _note(console: ConsoleContext, asked: _Asked, *, is_issued: bool) -> CreditNote:
    account_id = asked.account.account_id
    new = note_form.read_note(asked.form, asked.chosen, asked.invoice, asked.account.locale)
    async with console.db.transaction(WRITER if is_issued else STAFF) as conn:
        now = await account_now(conn, account_id, console.clock())
        if is_issued:
            return await notes.issue(conn, account_id, new, now)
        return await notes.preview(conn, account_id, new, now)


async def _asked(
    console: ConsoleContext, account_id: str, invoice_id: str, form: Form, chosen: Sequence[str]
) -> _Asked:
    whose, wanted = ids.parse("account", account_id), ids.parse("invoice", invoice_id)
    async with console.db.transaction(STAFF) as conn:
        account = await accounts.get_account(conn, whose)
        invoice = await invoices.get_invoice(conn, whose, wanted)
    return _Asked(account=account, invoice=invoice, form=form, chosen=chosen)


def _page(
    console: ConsoleContext,
    request: WebRequest,
    asked: _Asked,
    note: CreditNote | None = None,
    *,
    error: str = "",
    status: int = 200,
) -> Response[str]:
    formats = formats_of(asked.account)
    facts = {
        "number": asked.invoice.number or "the draft",
        "back": asked.back,
        "told": {name: text_field(asked.form, name) for name in note_form.NAMED},
        "lines": note_form.pick_lines(asked.invoice, asked.form, asked.chosen, formats),
        "uses": note_form.USES,
        "reasons": note_form.REASONS,
        "kept": list(note_form.kept_fields(asked.form, asked.chosen)),
        "preview": note_form.preview_view(note, formats) if note else None,
        "error": error,
    }
    return page(console, request, "credit_note_form.html", facts, here=ACCOUNTS, status=status)


ROUTES: Final = (ask_for_note, write_note)
