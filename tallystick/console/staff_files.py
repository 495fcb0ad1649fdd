"""For staff: the documents of an account, which its own people read through the API."""

import re
from typing import Final, Literal

from litestar import Response, get
from litestar.params import FromPath

from tallystick.console.context import Console
from tallystick.credit_notes.files import note_file
from tallystick.documents.files import PDF, XML, DocumentFile, Form
from tallystick.invoices import service as invoices
from tallystick.invoices.files import invoice_file
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF
from tallystick.payments.receipts import receipt_file, receipt_of

_READ: Final = {"permission": "staff:read", "page": True}
_OF: Final = "/staff/accounts/{account_id:str}"
_HEADERS: Final = {"Cache-Control": "private, no-store"}
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


@get(f"{_OF}/invoices/{{invoice_id:str}}/pdf", opt=_READ, include_in_schema=False)
async def read_pdf(
    console: Console,
    account_id: FromPath[str],
    invoice_id: FromPath[str],
    format: Literal["pdf", "facturx"] = "pdf",  # noqa: A002 - the name of the parameter
) -> Response[bytes]:
    """Return the invoice as PDF."""
    return await _invoice(console, account_id, invoice_id, format)


@get(f"{_OF}/invoices/{{invoice_id:str}}/xml", opt=_READ, include_in_schema=False)
async def read_xml(
    console: Console,
    account_id: FromPath[str],
    invoice_id: FromPath[str],
    format: Literal["cii", "ubl"] = "cii",  # noqa: A002 - the name of the parameter
) -> Response[bytes]:
    """Return the invoice by EN 16931."""
    return await _invoice(console, account_id, invoice_id, format)


@get(f"{_OF}/payments/{{payment_id:str}}/receipt", opt=_READ, include_in_schema=False)
async def read_receipt(
    console: Console,
    account_id: FromPath[str],
    payment_id: FromPath[str],
    invoice: str | None = None,
) -> Response[bytes]:
    """Return the receipt of a payment, about the named invoice or the only one."""
    whose, wanted = ids.parse("account", account_id), ids.parse("payment", payment_id)
    paid = None if invoice is None else ids.parse("invoice", invoice)
    told = await receipt_of(console.db, whose, wanted, paid)
    return _answer(await receipt_file(told), PDF, f"{told.receipt.number}.pdf")


@get(f"{_OF}/credit-notes/{{credit_note_id:str}}/pdf", opt=_READ, include_in_schema=False)
async def read_note(
    console: Console, account_id: FromPath[str], credit_note_id: FromPath[str]
) -> Response[bytes]:
    """Return a credit note as PDF."""
    whose, wanted = ids.parse("account", account_id), ids.parse("credit_note", credit_note_id)
    note = await note_file(console.db, whose, wanted)
    return _answer(note.file, PDF, f"{note.number}.pdf")


async def _invoice(
    console: Console, account_id: str, invoice_id: str, form: Form
) -> Response[bytes]:
    whose, wanted = ids.parse("account", account_id), ids.parse("invoice", invoice_id)
    file = await invoice_file(console.db, whose, wanted, form)
    async with console.db.transaction(STAFF) as conn:
        number = (await invoices.get_invoice(conn, whose, wanted)).number
    is_page = form in ("pdf", "facturx")
    ending = "pdf" if is_page else "xml"
    return _answer(file, PDF if is_page else XML, f"{number}.{ending}")


def _answer(file: DocumentFile, media_type: str, name: str) -> Response[bytes]:
    told = f'inline; filename="{_UNSAFE.sub("_", name)}"'
    headers = {**_HEADERS, "Content-Disposition": told}
    return Response(file.content, media_type=media_type, headers=headers)


ROUTES: Final = (read_pdf, read_xml, read_receipt, read_note)
