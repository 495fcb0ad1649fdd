"""Invoices as PDF: rendered when first read, and again when what is printed has changed."""

import asyncio
import hashlib
from typing import cast
from uuid import UUID

import msgspec

from tallystick.documents.document import (
    InvoiceDocument,
    PaymentState,
    PaymentStatus,
    decode,
    encode,
)
from tallystick.documents.pdf import look_version, pdf_etag, render
from tallystick.invoices import pdf_store, store
from tallystick.invoices.model import Invoice
from tallystick.invoices.pdf_store import InvoicePdf
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import unknown
from tallystick.subscriptions.periods import local_day


class _Printable(msgspec.Struct, frozen=True):
    document: InvoiceDocument
    payment: PaymentState
    source: bytes


async def invoice_pdf(conn: Connection, account_id: UUID, invoice_id: UUID) -> InvoicePdf:
    """Return the invoice as PDF, under the account's or the writer's scope: it may be written.

    Rendered in a thread on the first read and kept until a payment or a new look changes what is
    printed. Raises NotFound, and Conflict `invoice_not_final` for a draft.
    """
    wanted = await _printable(conn, account_id, invoice_id)
    kept = await pdf_store.find(conn, account_id, invoice_id, wanted.source)
    return kept or await _rendered(conn, account_id, invoice_id, wanted)


async def invoice_pdf_etag(conn: Connection, account_id: UUID, invoice_id: UUID) -> str:
    """Return the ETag that `invoice_pdf` has, without reading the content if it is kept.

    Raises as `invoice_pdf` does.
    """
    wanted = await _printable(conn, account_id, invoice_id)
    etag = await pdf_store.find_etag(conn, account_id, invoice_id, wanted.source)
    return etag or (await _rendered(conn, account_id, invoice_id, wanted)).etag


async def _rendered(
    conn: Connection, account_id: UUID, invoice_id: UUID, wanted: _Printable
) -> InvoicePdf:
    content = await asyncio.to_thread(render, wanted.document, wanted.payment)
    pdf = InvoicePdf(content, pdf_etag(content))
    await pdf_store.save(conn, account_id, invoice_id, wanted.source, pdf)
    return pdf


async def _printable(conn: Connection, account_id: UUID, invoice_id: UUID) -> _Printable:
    invoice = await store.find(conn, account_id, invoice_id)
    if invoice is None:
        raise unknown("invoice")
    stored = await store.document(conn, account_id, invoice_id)
    if stored is None:
        raise Conflict("invoice_not_final", "A draft has no PDF; finalize the invoice first.")
    document = decode(stored)
    payment = payment_state(invoice, document.timezone)
    digest = hashlib.sha256(look_version())
    digest.update(encode(document))
    digest.update(msgspec.json.encode(payment))
    return _Printable(document, payment, digest.digest())


def payment_state(invoice: Invoice, timezone: str) -> PaymentState:
    """Return what is printed of the payment; the day is one of that time zone."""
    return PaymentState(
        status=cast("PaymentStatus", invoice.status.value),
        paid_minor=invoice.paid.minor,
        credited_minor=invoice.offset.minor,
        paid_on=local_day(invoice.paid_at, timezone) if invoice.paid_at else None,
    )
