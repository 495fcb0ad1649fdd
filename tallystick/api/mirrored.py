"""The account's invoices that live at a gateway and were billed there."""

from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

import msgspec
from litestar import get

from tallystick.accounts.model import Account
from tallystick.api.answers import Pagination, major, pagination
from tallystick.api.invoices import READ, TAGS
from tallystick.api.services import Services
from tallystick.kernel.db import account_scope
from tallystick.kernel.paging import PageRequest
from tallystick.mirror import reads
from tallystick.payments.mirrored import MirroredInvoice

InvoiceStatus = Literal["draft", "open", "paid", "void", "uncollectible"]


class MirroredInvoiceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice as the gateway has it, in the words of ours; its number is the gateway's."""

    id: str
    number: str | None
    status: str
    currency: str
    total: Decimal
    total_cents: int
    amount_due: Decimal
    amount_due_cents: int
    amount_paid: Decimal
    amount_paid_cents: int
    paid: bool
    created: datetime
    due_date: datetime | None
    paid_at: datetime | None


class MirroredInvoiceList(msgspec.Struct, frozen=True):
    """One part of the account's invoices at gateways, newest first."""

    invoices: list[MirroredInvoiceAnswer]
    pagination: Pagination
    total: int


@get("/gateway-invoices", opt=READ, tags=TAGS, summary="Invoices that live at a gateway")
async def list_invoices(
    services: Services, account: Account, paging: PageRequest, status: InvoiceStatus | None = None
) -> MirroredInvoiceList:
    """List what a gateway billed by itself, as it was read there (`tallystick import stripe`)."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await reads.list_invoices(conn, account.account_id, status, paging)
    shown = [invoice_answer(invoice) for invoice in found.items]
    return MirroredInvoiceList(shown, pagination(found), found.total)


def invoice_answer(invoice: MirroredInvoice) -> MirroredInvoiceAnswer:
    """Show an invoice."""
    return MirroredInvoiceAnswer(
        id=invoice.reference,
        number=invoice.number,
        status=invoice.status,
        currency=invoice.currency.lower(),
        total=major(invoice.total_minor, invoice.currency),
        total_cents=invoice.total_minor,
        amount_due=major(invoice.due_minor, invoice.currency),
        amount_due_cents=invoice.due_minor,
        amount_paid=major(invoice.paid_minor, invoice.currency),
        amount_paid_cents=invoice.paid_minor,
        paid=invoice.status == "paid",
        created=invoice.created_at,
        due_date=invoice.due_at,
        paid_at=invoice.paid_at,
    )


ACCOUNT_ROUTES: Final = (list_invoices,)
