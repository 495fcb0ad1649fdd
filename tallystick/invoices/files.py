"""Invoices as files: drawn when first read, and again when what is printed has changed."""

from typing import cast
from uuid import UUID

from msgspec.structs import replace

from tallystick.documents.document import InvoiceDocument, PaymentState, PaymentStatus, decode
from tallystick.documents.einvoice.gaps import gaps
from tallystick.documents.files import DocumentFile, Form, Printable, drawn
from tallystick.invoices import file_store, store
from tallystick.invoices.model import Invoice
from tallystick.issuers import service as issuers
from tallystick.kernel.db import Connection, Database, account_scope
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import unknown
from tallystick.subscriptions.periods import local_day


async def invoice_file(
    db: Database, account_id: UUID, invoice_id: UUID, form: Form = "pdf"
) -> DocumentFile:
    """Return the invoice as a file, kept until a payment or a new look changes what is printed.

    It is drawn between two transactions, so that no connection waits for it; a drawing that fails
    leaves everything as it was. Raises NotFound, Conflict `invoice_not_final` for a draft and
    `einvoice_data_missing`, Unavailable `rendering_failed`.
    """
    async with db.transaction(account_scope(account_id)) as conn:
        wanted = await _printable(conn, account_id, invoice_id, form)
        kept = await file_store.find(conn, account_id, invoice_id, form, wanted.source)
    return kept or await _drawn(db, account_id, invoice_id, wanted)


async def invoice_file_etag(
    db: Database, account_id: UUID, invoice_id: UUID, form: Form = "pdf"
) -> str:
    """Return the ETag that `invoice_file` has, without reading the content if it is kept.

    Raises as `invoice_file` does.
    """
    async with db.transaction(account_scope(account_id)) as conn:
        wanted = await _printable(conn, account_id, invoice_id, form)
        etag = await file_store.find_etag(conn, account_id, invoice_id, form, wanted.source)
    return etag or (await _drawn(db, account_id, invoice_id, wanted)).etag


async def issued_document(
    conn: Connection, account_id: UUID, invoice_id: UUID
) -> tuple[Invoice, InvoiceDocument]:
    """Return an invoice and what it said when it was issued.

    Raises NotFound, Conflict `invoice_not_final` for a draft.
    """
    invoice = await store.find(conn, account_id, invoice_id)
    if invoice is None:
        raise unknown("invoice")
    stored = await store.document(conn, account_id, invoice_id)
    if stored is None:
        raise Conflict("invoice_not_final", "A draft has no PDF; finalize the invoice first.")
    return invoice, decode(stored)


async def is_einvoice(conn: Connection, account_id: UUID, invoice_id: UUID) -> bool:
    """Tell whether the invoice can be had as e-invoice, which a draft can not."""
    stored = await store.document(conn, account_id, invoice_id)
    return stored is not None and not gaps(decode(stored))


async def logo_of(conn: Connection, document: InvoiceDocument) -> bytes | None:
    """Return the picture that stands on the document; raises NotFound `logo_not_found`."""
    return (await issuers.get_logo(conn, document.logo)).content if document.logo else None


async def _drawn(
    db: Database, account_id: UUID, invoice_id: UUID, wanted: Printable
) -> DocumentFile:
    async with db.transaction(account_scope(account_id)) as conn:
        logo = await logo_of(conn, wanted.document)
    file = await drawn(wanted, logo)
    async with db.transaction(account_scope(account_id)) as conn:
        await file_store.save(
            conn, account_id, invoice_id, file, form=wanted.form, source=wanted.source
        )
    return file


async def _printable(conn: Connection, account_id: UUID, invoice_id: UUID, form: Form) -> Printable:
    invoice, document = await issued_document(conn, account_id, invoice_id)
    payment = payment_state(invoice, document.timezone)
    if payment.paid_minor and payment.paid_minor == document.prepaid_minor:
        payment = replace(payment, method="Prepaid credit")
    return Printable(document, payment, form)


def payment_state(invoice: Invoice, timezone: str) -> PaymentState:
    """Return what is printed of the payment; the day is one of that time zone."""
    return PaymentState(
        status=cast("PaymentStatus", invoice.status.value),
        paid_minor=invoice.paid.minor,
        credited_minor=invoice.offset.minor,
        paid_on=local_day(invoice.paid_at, timezone) if invoice.paid_at else None,
    )
