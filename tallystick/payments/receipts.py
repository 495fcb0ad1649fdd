"""The receipt of a payment: what its invoice says, and what came when and how."""

import hashlib
from typing import Final
from uuid import UUID

import msgspec

from tallystick.documents.document import InvoiceDocument, Receipt, encode
from tallystick.documents.files import DocumentFile, beside_the_loop
from tallystick.documents.pdf import look_version, render_receipt
from tallystick.invoices.files import issued_document, logo_of
from tallystick.kernel.db import Connection, Database, account_scope
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import show
from tallystick.payments import method_store, store
from tallystick.payments.model import Payment, PaymentMethod, PaymentStatus
from tallystick.payments.service import get_payment
from tallystick.subscriptions.periods import local_day

PAYMENTS_SHOWN_MAX: Final = 100
_CAME: Final = frozenset(
    {
        PaymentStatus.SUCCEEDED,
        PaymentStatus.REFUNDED,
        PaymentStatus.PARTIALLY_REFUNDED,
        PaymentStatus.DISPUTED,
    }
)


class Told(msgspec.Struct, frozen=True):
    """All that a receipt is made of. None of it changes later, so neither does the receipt."""

    document: InvoiceDocument
    receipt: Receipt
    logo: bytes | None

    @property
    def etag(self) -> str:
        """Return the strong ETag: equal input and look make equal bytes, so none has to be made."""
        digest = hashlib.sha256(look_version())
        digest.update(encode(self.document))
        digest.update(msgspec.json.encode(self.receipt))
        return f'"{digest.hexdigest()}"'


async def receipt_of(db: Database, account_id: UUID, payment_id: UUID) -> Told:
    """Return what a receipt says.

    Raises NotFound, Conflict `payment_not_succeeded` and `payment_without_invoice`.
    """
    async with db.transaction(account_scope(account_id)) as conn:
        payment = (await get_payment(conn, account_id, payment_id)).payment
        if payment.status not in _CAME or payment.settled_at is None:
            raise Conflict("payment_not_succeeded", "Only a payment that came in has a receipt.")
        if payment.invoice_id is None:
            raise Conflict("payment_without_invoice", "This payment belongs to no invoice.")
        _, document = await issued_document(conn, account_id, payment.invoice_id)
        receipt = Receipt(
            number=show("payment", payment.payment_id),
            paid_on=local_day(payment.settled_at, document.timezone),
            amount_minor=payment.amount_minor,
            method=await _method(conn, payment),
        )
        return Told(document, receipt, await logo_of(conn, document))


async def payments_with_receipt(
    conn: Connection, account_id: UUID, invoice_id: UUID
) -> list[Payment]:
    """Return an invoice's payments that have a receipt, oldest first, 100 at most."""
    return await store.came(conn, account_id, invoice_id, sorted(_CAME), PAYMENTS_SHOWN_MAX)


async def receipt_file(told: Told) -> DocumentFile:
    """Return the receipt as PDF; raises Unavailable `rendering_failed`."""
    content = await beside_the_loop(lambda: render_receipt(told.document, told.receipt, told.logo))
    return DocumentFile(content, told.etag)


async def _method(conn: Connection, payment: Payment) -> str | None:
    if payment.payment_method_id is None:
        return None
    method = await method_store.find(conn, payment.account_id, payment.payment_method_id)
    return None if method is None else method_words(method)


def method_words(method: PaymentMethod) -> str | None:
    """Return a method in words of no language: "Visa •••• 4242"."""
    if method.card:
        return f"{method.card.brand.capitalize()} •••• {method.card.last4}"
    if method.bank:
        return f"{method.bank.name or ''} •••• {method.bank.last4}".strip()
    return None
