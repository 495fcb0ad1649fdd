"""The account's invoices, their PDF, and how each amount came about."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from litestar import get

from tallystick.accounts.model import Account
from tallystick.api.answers import Pagination, major, pagination, plain
from tallystick.api.services import Services
from tallystick.documents.document import CustomField
from tallystick.invoices import service
from tallystick.invoices.explain import LineExplanation, line_explanation
from tallystick.invoices.model import Invoice, InvoiceLine, Status
from tallystick.kernel import ids
from tallystick.kernel.db import account_scope
from tallystick.kernel.paging import PageRequest

TAGS: Final = ["Invoices"]
READ: Final = {"permission": "billing:read"}
InvoiceStatus = Literal["draft", "open", "paid", "void", "uncollectible", "pending"]


class LineAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One amount of an invoice; the period is half-open, UTC."""

    id: str
    kind: str
    description: str
    price: str | None
    meter: str | None
    quantity: str
    unit: str | None
    period_start: datetime | None
    period_end: datetime | None
    amount: Decimal
    amount_cents: int
    subscription: str | None


class InvoiceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice. `paid` says whether it is settled in whole.

    `amount_due` is what it asks for: its total less what credit notes took off; nothing on a draft
    or a void one. `amount_remaining` is what is left of that after `amount_paid`.
    It bills all `subscriptions` of the account that were due together; `subscription` is the one,
    null where it bills several, or none. Each line says which one it belongs to. A draft becomes
    final at `finalize_at`, null: when staff say so; until then it is shown as it would be then.
    """

    id: str
    number: str | None
    status: str
    currency: str
    subscription: str | None
    subscriptions: list[str]
    period_start: datetime | None
    period_end: datetime | None
    subtotal: Decimal
    subtotal_cents: int
    tax: Decimal
    tax_cents: int
    total: Decimal
    total_cents: int
    amount_due: Decimal
    amount_due_cents: int
    amount_paid: Decimal
    amount_paid_cents: int
    amount_remaining: Decimal
    amount_remaining_cents: int
    amount_credited: Decimal
    amount_credited_cents: int
    paid: bool
    created: datetime
    issued_at: datetime | None
    due_date: datetime | None
    paid_at: datetime | None
    invoice_pdf: str | None
    hosted_invoice_url: str | None
    purchase_order: str | None
    memo: str | None
    custom_fields: list[CustomField]
    locale: str | None
    finalize_at: datetime | None
    lines: list[LineAnswer]


class InvoiceList(msgspec.Struct, frozen=True):
    """One part of the account's invoices, newest first."""

    invoices: list[InvoiceAnswer]
    pagination: Pagination
    total: int


class ExplanationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How a line came to its amount.

    `derivation` holds the stored inputs and steps; `recomputed` was computed from them just now.
    """

    line: LineAnswer
    steps: list[str]
    derivation: dict[str, Any]
    recomputed: Decimal
    recomputed_cents: int
    matches: bool


@get("/invoices", opt=READ, tags=TAGS, summary="Invoices")
async def list_invoices(
    services: Services,
    account: Account,
    paging: PageRequest,
    status: InvoiceStatus | None = None,
) -> InvoiceList:
    """List invoices, newest first; `status` `pending` reads as `open`."""
    wanted = Status.OPEN if status == "pending" else Status(status) if status else None
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await service.list_invoices(conn, account.account_id, wanted, paging)
    base = services.settings.public_url
    answers = [invoice_answer(invoice, base) for invoice in found.items]
    return InvoiceList(answers, pagination(found), found.total)


@get("/invoices/{invoice_id:str}", opt=READ, tags=TAGS, summary="An invoice")
async def read_invoice(invoice_id: str, services: Services, account: Account) -> InvoiceAnswer:
    """Return one invoice with its lines."""
    wanted = ids.parse("invoice", invoice_id)
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        invoice = await service.get_invoice(conn, account.account_id, wanted)
    return invoice_answer(invoice, services.settings.public_url)


@get(
    "/invoices/{invoice_id:str}/lines/{line_id:str}/explanation",
    opt=READ,
    tags=TAGS,
    summary="How a line came to its amount",
)
async def explain_line(
    invoice_id: str, line_id: str, services: Services, account: Account
) -> ExplanationAnswer:
    """Return the derivation of one line, computed again from what was stored."""
    invoice, line = ids.parse("invoice", invoice_id), ids.parse("invoice_line", line_id)
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        explained = await line_explanation(conn, account.account_id, invoice, line)
    return explanation_answer(explained)


def invoice_answer(invoice: Invoice, public_url: str) -> InvoiceAnswer:
    """Show an invoice: the union of the seeds' fields."""
    shown = ids.show("invoice", invoice.invoice_id)
    final = invoice.status is not Status.DRAFT
    return InvoiceAnswer(
        id=shown,
        number=invoice.number,
        status=invoice.status.value,
        currency=invoice.currency.lower(),
        subscription=_subscription(invoice.subscription_id),
        subscriptions=[ids.show("subscription", one) for one in invoice.subscription_ids],
        period_start=invoice.period_start,
        period_end=invoice.period_end,
        subtotal=invoice.subtotal.to_decimal(),
        subtotal_cents=invoice.subtotal.minor,
        tax=invoice.tax.to_decimal(),
        tax_cents=invoice.tax.minor,
        total=invoice.total.to_decimal(),
        total_cents=invoice.total.minor,
        amount_due=invoice.asked.to_decimal(),
        amount_due_cents=invoice.asked.minor,
        amount_paid=invoice.paid.to_decimal(),
        amount_paid_cents=invoice.paid.minor,
        amount_remaining=invoice.due.to_decimal(),
        amount_remaining_cents=invoice.due.minor,
        amount_credited=invoice.credited.to_decimal(),
        amount_credited_cents=invoice.credited.minor,
        paid=invoice.status is Status.PAID,
        created=invoice.created_at,
        issued_at=invoice.issued_at,
        due_date=invoice.due_at,
        paid_at=invoice.paid_at,
        invoice_pdf=f"{public_url}/api/v1/billing/invoices/{shown}/pdf" if final else None,
        hosted_invoice_url=f"{public_url}/billing/invoices/{shown}" if final else None,
        purchase_order=invoice.terms.purchase_order,
        memo=invoice.terms.memo,
        custom_fields=list(invoice.terms.custom_fields or ()),
        locale=invoice.terms.locale,
        finalize_at=invoice.finalize_at,
        lines=[line_answer(line) for line in invoice.lines],
    )


def line_answer(line: InvoiceLine) -> LineAnswer:
    """Show a line."""
    return LineAnswer(
        id=ids.show("invoice_line", line.invoice_line_id),
        kind=line.kind,
        description=line.description,
        price=line.price_code,
        meter=line.meter_code,
        quantity=plain(line.quantity),
        unit=line.unit,
        period_start=line.period_start,
        period_end=line.period_end,
        amount=line.amount.to_decimal(),
        amount_cents=line.amount.minor,
        subscription=_subscription(line.subscription_id),
    )


def _subscription(subscription_id: UUID | None) -> str | None:
    return ids.show("subscription", subscription_id) if subscription_id else None


def explanation_answer(explained: LineExplanation) -> ExplanationAnswer:
    """Show an explanation."""
    recomputed = explained.recomputed
    return ExplanationAnswer(
        line=line_answer(explained.line),
        steps=list(explained.steps),
        derivation=msgspec.json.decode(msgspec.json.encode(explained.derivation)),
        recomputed=major(recomputed.minor, recomputed.currency),
        recomputed_cents=recomputed.minor,
        matches=explained.is_same,
    )


ACCOUNT_ROUTES: Final = (list_invoices, read_invoice, explain_line)
