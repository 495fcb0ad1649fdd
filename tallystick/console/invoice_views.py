"""Invoices as they stand on a page: every word, number and date ready to print. Pure."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final

import msgspec
from msgspec.structs import replace

from tallystick.console.formats import NONE, Formats
from tallystick.invoices.explain import LineExplanation
from tallystick.invoices.model import Invoice, InvoiceLine, Status
from tallystick.kernel import ids
from tallystick.kernel.paging import Page
from tallystick.money.amount import Money
from tallystick.money.rounding import round_decimal
from tallystick.payments.receipts import Came

DRAFT: Final = "Draft"
_CHOICES: Final = (Status.OPEN, Status.PAID, Status.VOID, Status.UNCOLLECTIBLE)


class Fact(msgspec.Struct, frozen=True):
    """A name and what it stands for."""

    name: str
    value: str


class Choice(msgspec.Struct, frozen=True):
    """One way to narrow a list; the empty value is all of it."""

    value: str
    text: str


class InvoiceRow(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice in a list."""

    id: str
    number: str
    issued_on: str
    due_on: str
    status: str
    total: str
    has_pdf: bool


class ListView(msgspec.Struct, frozen=True, kw_only=True):
    """One page of invoices."""

    rows: tuple[InvoiceRow, ...]
    page: int
    total_pages: int


class LineView(msgspec.Struct, frozen=True, kw_only=True):
    """A line, and how its amount came about: a sentence for each step, and one for the check.

    `is_same` tells whether the amount, computed once more, is the one that was billed. `heading` is
    the plan whose lines begin here, on an invoice over several.
    """

    description: str
    period: str
    quantity: str
    amount: str
    steps: tuple[str, ...]
    check: str
    is_same: bool
    heading: str | None = None


class TotalRow(msgspec.Struct, frozen=True):
    """A sum below the lines; `kind` is `plain`, `grand` or `due`, `note` says why it is so."""

    name: str
    amount: str
    kind: str = "plain"
    note: str = ""


class ReceiptView(msgspec.Struct, frozen=True):
    """A payment that came in."""

    id: str
    paid_on: str
    amount: str


class InvoiceView(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice with its lines."""

    id: str
    number: str
    status: str
    has_pdf: bool
    is_einvoice: bool
    receipts: tuple[ReceiptView, ...]
    facts: tuple[Fact, ...]
    lines: tuple[LineView, ...]
    totals: tuple[TotalRow, ...]


def status_choices() -> tuple[Choice, ...]:
    """Return the statuses a list can be narrowed to."""
    return (Choice("", "All"), *(Choice(one.value, one.value.capitalize()) for one in _CHOICES))


def invoice_list(found: Page[Invoice], formats: Formats) -> ListView:
    """Return a page of invoices."""
    return ListView(
        rows=tuple(invoice_row(invoice, formats) for invoice in found.items),
        page=found.request.page,
        total_pages=found.total_pages,
    )


def invoice_row(invoice: Invoice, formats: Formats) -> InvoiceRow:
    """Return an invoice as it stands in a list."""
    return InvoiceRow(
        id=ids.show("invoice", invoice.invoice_id),
        number=invoice.number or DRAFT,
        issued_on=formats.day(invoice.issued_at),
        due_on=formats.day(invoice.due_at),
        status=invoice.status.value,
        total=formats.money(invoice.total),
        has_pdf=invoice.status is not Status.DRAFT,
    )


def invoice_view(
    invoice: Invoice,
    explanations: Sequence[LineExplanation],
    formats: Formats,
    *,
    payments: Sequence[Came] = (),
    is_einvoice: bool = False,
) -> InvoiceView:
    """Return an invoice with its lines explained; without explanations the lines stand alone."""
    return InvoiceView(
        id=ids.show("invoice", invoice.invoice_id),
        number=invoice.number or DRAFT,
        status=invoice.status.value,
        has_pdf=invoice.status is not Status.DRAFT,
        is_einvoice=is_einvoice,
        receipts=tuple(_receipt(payment, formats) for payment in payments),
        facts=tuple(_facts(invoice, formats)),
        lines=tuple(_lines(invoice, explanations, formats)),
        totals=tuple(_totals(invoice, explanations, formats)),
    )


def _receipt(payment: Came, formats: Formats) -> ReceiptView:
    shown = ids.show("payment", payment.payment_id)
    return ReceiptView(shown, formats.day(payment.settled_at), formats.money(payment.amount))


def _facts(invoice: Invoice, formats: Formats) -> Iterator[Fact]:
    yield Fact("Issued", formats.day(invoice.issued_at))
    yield Fact("Due", formats.day(invoice.due_at))
    if invoice.status is Status.PAID:
        yield Fact("Paid", formats.day(invoice.paid_at))
    if invoice.period_start and invoice.period_end:
        yield Fact("Period", formats.days(invoice.period_start, invoice.period_end))
    yield Fact("Amount due", formats.money(invoice.due))


def _lines(
    invoice: Invoice, explanations: Sequence[LineExplanation], formats: Formats
) -> Iterator[LineView]:
    explained = {one.line.invoice_line_id: one for one in explanations}
    above: str | None = None
    for line in invoice.lines:
        explanation = explained.get(line.invoice_line_id)
        heading = explanation.heading if explanation else None
        view = _line(line, explanation, formats)
        yield view if heading == above else replace(view, heading=heading)
        above = heading


def _line(line: InvoiceLine, explanation: LineExplanation | None, formats: Formats) -> LineView:
    period = NONE
    if line.period_start and line.period_end:
        period = formats.days(line.period_start, line.period_end)
    return LineView(
        description=line.description,
        period=period,
        quantity=" ".join(filter(None, (formats.number(line.quantity), line.unit))),
        amount=formats.money(line.amount),
        steps=tuple(_steps(explanation, formats)) if explanation else (),
        check=_check(explanation, formats) if explanation else "",
        is_same=explanation is None or explanation.is_same,
    )


def _steps(explanation: LineExplanation, formats: Formats) -> Iterator[str]:
    """Yield the way from what was used to what is billed."""
    derivation, line = explanation.derivation, explanation.line
    if line.meter_code:
        used = formats.number(derivation.quantity)
        days = formats.days(derivation.period_start, derivation.period_end)
        yield f"{used} {line.unit or 'units'} counted by meter {line.meter_code}, {days}"
    if derivation.counted_minor is not None:
        counted = formats.money(Money(derivation.counted_minor, derivation.currency))
        is_plans = derivation.kind == "commitment"
        of = (
            "the plan's fees and usage of the period"
            if is_plans
            else "the other lines of the price"
        )
        yield f"{counted} billed by {of}"
    # Behind the steps of the price come those of a share, a coupon or a change.
    for step, sentence in zip_longest(derivation.steps, explanation.steps):
        yield f"Flat price: {sentence}" if step and step.kind == "flat" else sentence
    exact = formats.price(derivation.exact, derivation.currency)
    if round_decimal(derivation.exact, derivation.currency).to_decimal() != derivation.exact:
        yield f"Sum {exact}, rounded once, half away from zero, to {formats.money(line.amount)}"


def _check(explanation: LineExplanation, formats: Formats) -> str:
    again = formats.money(explanation.recomputed)
    verdict = "the same" if explanation.is_same else "which differs: please tell us"
    return f"Computed again from what is stored: {again}, {verdict}"


def _totals(
    invoice: Invoice, explanations: Sequence[LineExplanation], formats: Formats
) -> Iterator[TotalRow]:
    yield TotalRow("Subtotal", formats.money(invoice.subtotal))
    taxes = explanations[0].taxes if explanations else ()
    for tax in taxes:
        amount = Money(tax.amount_minor, invoice.currency)
        name = f"{tax.name} {formats.percent(tax.percent)}"
        yield TotalRow(name, formats.money(amount), note=tax.reason or "")
    if not taxes and not invoice.tax.is_zero():
        yield TotalRow("Tax", formats.money(invoice.tax))
    yield TotalRow("Total", formats.money(invoice.total), "grand")
    if not invoice.paid.is_zero():
        yield TotalRow("Paid", formats.money(-invoice.paid))
    if not invoice.offset.is_zero():
        yield TotalRow("Credit notes", formats.money(-invoice.offset))
    yield TotalRow("Amount due", formats.money(invoice.due), "due")
