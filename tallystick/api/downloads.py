"""Documents as files: invoices and credit notes as PDF and e-invoice, a payment's receipt."""

import re
from typing import Annotated, Any, Final, Literal

from litestar import Request, Response, get
from litestar.params import Parameter

from tallystick.accounts.model import Account
from tallystick.api.conditional import etag_matches
from tallystick.api.services import Services
from tallystick.credit_notes.files import note_file
from tallystick.documents.files import PDF, XML, DocumentFile, Form
from tallystick.invoices import service as invoices
from tallystick.invoices.files import invoice_file, invoice_file_etag
from tallystick.kernel import ids
from tallystick.kernel.db import account_scope
from tallystick.payments.receipts import receipt_file, receipt_of

READ: Final = {"permission": "billing:read"}
BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
PDF_ANSWERS: Final = {"200": {"description": "The document.", "content": {PDF: BINARY}}}
XML_ANSWERS: Final = {
    "200": {"description": "The document.", "content": {XML: {"schema": {"type": "string"}}}}
}
_HEADERS: Final = {"Cache-Control": "private, no-cache"}
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_Request = Request[Any, Any, Any]
InvoiceOf = Annotated[
    str | None,
    Parameter(
        pattern="^inv_[0-7][0-9a-hjkmnp-tv-z]{25}$",
        min_length=30,
        description="About this invoice; needed where the payment is for several.",
    ),
]


@get(
    ["/invoices/{invoice_id:str}/pdf", "/invoices/{invoice_id:str}/download_pdf"],
    opt={**READ, "responses": PDF_ANSWERS},
    tags=["Invoices"],
    summary="An invoice as PDF",
)
async def read_pdf(
    invoice_id: str,
    request: _Request,
    services: Services,
    account: Account,
    format: Literal["pdf", "facturx"] = "pdf",  # noqa: A002 - the name of the parameter
) -> Response[bytes]:
    """Return the PDF; with `If-None-Match` and nothing changed, 304 without reading it.

    `facturx` is the same page with its XML by EN 16931 in it (Factur-X / ZUGFeRD).
    """
    return await _invoice(invoice_id, request, services, account, format)


@get(
    "/invoices/{invoice_id:str}/xml",
    opt={**READ, "responses": XML_ANSWERS},
    tags=["Invoices"],
    summary="An invoice as e-invoice",
)
async def read_xml(
    invoice_id: str,
    request: _Request,
    services: Services,
    account: Account,
    *,
    format: Literal["cii", "ubl", "peppol"] = "cii",  # noqa: A002 - the name of the parameter
) -> Response[bytes]:
    """Return the invoice by EN 16931, as Cross Industry Invoice or as UBL 2.1.

    What the invoice lacks for it is 409 `einvoice_data_missing`, which names each field.
    `peppol` is UBL with the ids of Peppol BIS Billing 3.
    """
    return await _invoice(invoice_id, request, services, account, format)


@get(
    "/payments/{payment_id:str}/receipt",
    opt={**READ, "responses": PDF_ANSWERS},
    tags=["Payments"],
    summary="The receipt of a payment",
)
async def read_receipt(
    payment_id: str,
    request: _Request,
    services: Services,
    account: Account,
    invoice: InvoiceOf = None,
) -> Response[bytes]:
    """Return the receipt of a payment that came in, as PDF.

    It is about one invoice; `invoice` names it where the payment is for several.
    """
    wanted = ids.parse("payment", payment_id)
    paid = None if invoice is None else ids.parse("invoice", invoice)
    told = await receipt_of(services.db, account.account_id, wanted, paid)
    if _is_known(request, told.etag):
        return _not_modified(told.etag)
    file = await receipt_file(told)
    return _answer(file.content, told.etag, PDF, f"{told.receipt.number}.pdf")


@get(
    "/credit-notes/{credit_note_id:str}/pdf",
    opt={**READ, "responses": PDF_ANSWERS},
    tags=["Credit notes"],
    summary="A credit note as PDF",
)
async def read_note_pdf(
    credit_note_id: str,
    request: _Request,
    services: Services,
    account: Account,
    format: Literal["pdf", "facturx"] = "pdf",  # noqa: A002 - the name of the parameter
) -> Response[bytes]:
    """Return the PDF; with `If-None-Match` and nothing changed, 304.

    A void note is marked so. `facturx` has its XML by EN 16931 (type 381) in it.
    """
    return await _note(credit_note_id, request, services, account, format)


@get(
    "/credit-notes/{credit_note_id:str}/xml",
    opt={**READ, "responses": XML_ANSWERS},
    tags=["Credit notes"],
    summary="A credit note as e-invoice",
)
async def read_note_xml(
    credit_note_id: str,
    request: _Request,
    services: Services,
    account: Account,
    *,
    format: Literal["cii", "ubl", "peppol"] = "cii",  # noqa: A002 - the name of the parameter
) -> Response[bytes]:
    """Return the credit note by EN 16931 (type 381), as invoices are; it names its invoice."""
    return await _note(credit_note_id, request, services, account, format)


async def _invoice(
    invoice_id: str, request: _Request, services: Services, account: Account, form: Form
) -> Response[bytes]:
    wanted = ids.parse("invoice", invoice_id)
    if "if-none-match" in request.headers:
        etag = await invoice_file_etag(services.db, account.account_id, wanted, form)
        if _is_known(request, etag):
            return _not_modified(etag)
    file = await invoice_file(services.db, account.account_id, wanted, form)
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        invoice = await invoices.get_invoice(conn, account.account_id, wanted)
    return _in_form(file, form, invoice.number or invoice_id)


async def _note(
    credit_note_id: str, request: _Request, services: Services, account: Account, form: Form
) -> Response[bytes]:
    wanted = ids.parse("credit_note", credit_note_id)
    found = await note_file(services.db, account.account_id, wanted, form)
    if _is_known(request, found.file.etag):
        return _not_modified(found.file.etag)
    return _in_form(found.file, form, found.number)


def _in_form(file: DocumentFile, form: Form, number: str) -> Response[bytes]:
    is_page = form in ("pdf", "facturx")
    name = f"{number}.{'pdf' if is_page else 'xml'}"
    return _answer(file.content, file.etag, PDF if is_page else XML, name)


def _is_known(request: _Request, etag: str) -> bool:
    known = request.headers.get("if-none-match", "").encode()
    return bool(known) and etag_matches(known, etag.encode())


def _not_modified(etag: str) -> Response[bytes]:
    return Response(b"", status_code=304, headers={**_HEADERS, "ETag": etag})


def _answer(content: bytes, etag: str, media_type: str, name: str) -> Response[bytes]:
    """Return the file under a name that every system takes."""
    told = f'inline; filename="{_UNSAFE.sub("_", name)}"'
    headers = {**_HEADERS, "ETag": etag, "Content-Disposition": told}
    return Response(content, media_type=media_type, headers=headers)


ACCOUNT_ROUTES: Final = (read_pdf, read_xml, read_note_pdf, read_note_xml, read_receipt)
