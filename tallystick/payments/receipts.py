"""The receipt of a payment: what its invoice says, and what came when and how."""

import hashlib
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.documents.document import InvoiceDocument, Receipt, encode
from tallystick.documents.files import DocumentFile, beside_the_loop
from tallystick.documents.pdf import look_version, render_receipt
from tallystick.invoices.files import issued_document, logo_of
from tallystick.kernel.db import Connection, Database, account_scope
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import show
from tallystick.money.amount import Money
from tallystick.payments import method_store, store
from tallystick.payments.model import Part, Payment, PaymentMethod, PaymentStatus
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


class Came(msgspec.Struct, frozen=True):
    """What an invoice got of a payment that came in."""

    payment_id: UUID
    settled_at: datetime | None
    amount: Money


async def receipt_of(
    db: Database, account_id: UUID, payment_id: UUID, invoice_id: UUID | None = None
) -> Told:
    """Return what a receipt says of an invoice, which must be named if the payment is for several.

    Raises NotFound, BadInput for none named, Conflict `payment_not_succeeded` and
    `payment_without_invoice`.
    """
    async with db.transaction(account_scope(account_id)) as conn:
        payment = (await get_payment(conn, account_id, payment_id)).payment
        if payment.status not in _CAME or payment.settled_at is None:
            raise Conflict("payment_not_succeeded", "Only a payment that came in has a receipt.")
        part = _part(payment, invoice_id)
        _, document = await issued_document(conn, account_id, part.invoice_id)
        receipt = Receipt(
            number=show("payment", payment.payment_id),
            paid_on=local_day(payment.settled_at, document.timezone),
            amount_minor=part.paid_minor,
            method=await _method(conn, payment),
        )
        return Told(document, receipt, await logo_of(conn, document))


async def payments_with_receipt(conn: Connection, account_id: UUID, invoice_id: UUID) -> list[Came]:
    """Return an invoice's payments that have a receipt, oldest first, 100 at most."""
    found = await store.came(conn, account_id, invoice_id, sorted(_CAME), PAYMENTS_SHOWN_MAX)
    return [_came(payment, _part(payment, invoice_id)) for payment in found]


async def receipt_file(told: Told) -> DocumentFile:
    """Return the receipt as PDF; raises Unavailable `rendering_failed`."""
    content = await beside_the_loop(lambda: render_receipt(told.document, told.receipt, told.logo))
    return DocumentFile(content, told.etag)


def _part(payment: Payment, invoice_id: UUID | None) -> Part:
    """Return what the invoice got, or the only one that got anything."""
    paid = [part for part in payment.parts if part.paid_minor > 0]
    if invoice_id is not None:
        paid = [part for part in paid if part.invoice_id == invoice_id]
    if not paid:
        raise Conflict("payment_without_invoice", "No invoice got anything of this payment.")
    if len(paid) > 1:
        raise BadInput.field("invoice", "missing", "must name one of the payment's invoices")
    return paid[0]


def _came(payment: Payment, part: Part) -> Came:
    amount = Money(part.paid_minor, payment.currency)
    return Came(payment.payment_id, payment.settled_at, amount)


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
