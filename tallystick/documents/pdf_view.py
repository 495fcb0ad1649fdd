"""What the PDF of an invoice says: every label, number and date as it is printed.

The labels are English and stand in one place; numbers, money and days are written in the invoice's
locale. The template gets strings and lists of them, and decides nothing but their place.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TypeAlias
from zoneinfo import ZoneInfo

import msgspec
from babel import Locale
from babel.dates import format_date, format_interval
from babel.numbers import format_percent

from tallystick.documents.document import (
    DocumentLine,
    InvoiceDocument,
    LineDetail,
    Party,
    PaymentState,
)
from tallystick.money.amount import Money
from tallystick.money.exact import exact_context, shift
from tallystick.money.text import show_decimal, show_money, show_price

View: TypeAlias = "str | int | list[View] | dict[str, View] | None"

LANGUAGE = "en"  # of the labels below, for screen readers
LABELS = {
    "invoice": "Invoice",
    "title": "Invoice {number} from {seller}",
    "running": "Invoice {number}",
    "footer": "{number} \u00b7 {headline}",
    "page": "Page {page} of {count}",
    "number": "Invoice number",
    "issued_on": "Date of issue",
    "due_on": "Date due",
    "paid_on": "Date paid",
    "purchase_order": "Purchase order",
    "account": "Account",
    "from": "From",
    "bill_to": "Bill to",
    "tax_id": "Tax ID {id}",
    "headline_due": "{amount} due {date}",
    "headline_paid": "{amount} paid {date}",
    "headline_settled": "{amount} \u2013 nothing is due",
    "headline_void": "Void \u2013 nothing is due",
    "mark_paid": "PAID",
    "mark_void": "VOID",
    "description": "Description",
    "period": "Period",
    "quantity": "Quantity",
    "unit_price": "Unit price",
    "amount": "Amount",
    "below_zero": "Below zero, counted as none",
    "included": "Included",
    "included_of": "Included, up to {up_to}",
    "held": "On {size} of {up_to} days",
    "tier": "All units",
    "tier_first": "First {up_to}",
    "tier_middle": "Over {from} up to {up_to}",
    "tier_last": "Over {from}",
    "per_unit": "Per unit",
    "package": "Packages of {size}",
    "volume": "All units, tier: {range}",
    "capacity": "Peak, tier: {range}",
    "block": "Blocks of {size}",
    "block_tier": "Blocks of {size}, tier: {range}",
    "free_events": "Free, with {events} free events",
    "percentage": "{rate} of the amount",
    "with_fixed": "{label}, plus {fixed} for each of {events} events",
    "event_min": "{events} events at the minimum of {unit}",
    "event_max": "{events} events at the maximum of {unit}",
    "percentage_tier": "{rate}, tier: {range}",
    "dynamic": "{events} events with amounts of their own",
    "conversion": "In money",
    "minimum": "Up to the minimum of {flat}",
    "maximum": "Down to the maximum of {flat}",
    "flat": "Flat fee",
    "with_flat": "{label}, plus {flat} flat",
    "subtotal": "Subtotal",
    "tax": "{name} ({percent} on {base})",
    "total": "Total",
    "amount_paid": "Amount paid",
    "amount_credited": "Credit notes",
    "amount_due": "Amount due",
    "payment": "Payment",
    "pay_by": "Please pay {amount} by {date} and quote {number}.",
    "was_paid": "{amount} paid on {date}.",
    "was_paid_by": "{amount} paid on {date} with {method}.",
    "memo": "Note",
}


class Writer(msgspec.Struct, frozen=True):
    """How this invoice writes money, numbers and days."""

    currency: str
    locale: str
    zone: ZoneInfo

    @property
    def babel(self) -> Locale:
        """Return the locale as Babel knows it."""
        return Locale.parse(self.locale.replace("-", "_"))

    def money(self, minor: int) -> str:
        """Return whole minor units as money: "$1,234.50"."""
        return show_money(Money(minor, self.currency), self.locale)

    def price(self, amount: Decimal | None) -> str | None:
        """Return an exact amount in major units with all its decimals: "$0.0004"."""
        return None if amount is None else show_price(amount, self.currency, self.locale)

    def number(self, value: Decimal) -> str:
        """Return a quantity: "12,500"."""
        return show_decimal(value, self.locale)

    def percent(self, percent: Decimal) -> str:
        """Return a rate: 8.25 is "8.25%"."""
        with exact_context():
            return format_percent(shift(percent, -2), locale=self.babel, decimal_quantization=False)

    def day(self, day: date) -> str:
        """Return a date: "December 15, 2026"."""
        return format_date(day, "long", locale=self.babel)

    def period(self, start: datetime, end: datetime) -> str:
        """Return the days from the start to the last one that lies before the end."""
        last = max(start, end - timedelta(microseconds=1))
        return format_interval(
            start.astimezone(self.zone).date(),
            last.astimezone(self.zone).date(),
            "yMMMd",
            locale=self.babel,
        )

    def sample(self) -> str:
        """Return every kind of letter that this locale needs for its numbers and dates."""
        money = self.money(-123456789)
        months = [date(2026, month, 28) for month in range(1, 13)]
        spans = [self.period(start, start + timedelta(days=9)) for start in _noons(months)]
        return " ".join([money, self.percent(Decimal("8.5")), *map(self.day, months), *spans])


def _noons(days: Iterable[date]) -> Iterator[datetime]:
    return (datetime(day.year, day.month, day.day, 12, tzinfo=UTC) for day in days)


def printed(document: InvoiceDocument, payment: PaymentState, write: Writer) -> View:
    """Return all that the template prints, in words ready to print."""
    number, seller, issued = document.number, document.seller.name, document.issued_on
    headline = _headline(document, payment, write)
    lines = list(_lines(document, write))
    return {
        "language": LANGUAGE,
        "labels": dict(LABELS),
        "title": LABELS["title"].format(number=number, seller=seller),
        "author": seller,
        "date": {"year": issued.year, "month": issued.month, "day": issued.day},
        "running": LABELS["running"].format(number=number),
        "footer": LABELS["footer"].format(number=number, headline=headline),
        "seller": _party(document.seller),
        "customer": _party(document.customer),
        "facts": list(_facts(document, payment, write)),
        "mark": LABELS.get(f"mark_{payment.status}"),
        "headline": headline,
        "columns": _columns(document),
        "lines": [*lines],
        "totals": list(_totals(document, payment, write)),
        "notes": list(_notes(document, payment, write)),
    }


def _due_minor(document: InvoiceDocument, payment: PaymentState) -> int:
    if payment.status in ("paid", "void"):
        return 0
    return document.total_minor - payment.paid_minor - payment.credited_minor


def _pay_by(document: InvoiceDocument) -> date:
    return document.due_on or document.issued_on


def _headline(document: InvoiceDocument, payment: PaymentState, write: Writer) -> str:
    if payment.status == "void":
        return LABELS["headline_void"]
    total = write.money(document.total_minor)
    if payment.status == "paid" and payment.paid_on:
        return LABELS["headline_paid"].format(amount=total, date=write.day(payment.paid_on))
    due = _due_minor(document, payment)
    if due <= 0:
        return LABELS["headline_settled"].format(amount=total)
    return LABELS["headline_due"].format(amount=write.money(due), date=write.day(_pay_by(document)))


def _facts(document: InvoiceDocument, payment: PaymentState, write: Writer) -> Iterator[View]:
    paid_on = payment.paid_on if payment.status == "paid" else None
    facts = {
        "number": document.number,
        "issued_on": write.day(document.issued_on),
        "due_on": write.day(document.due_on) if document.due_on else None,
        "paid_on": write.day(paid_on) if paid_on else None,
        "purchase_order": document.purchase_order,
        "account": document.account_id,
    }
    for name, value in facts.items():
        if value:
            yield {"label": LABELS[name], "value": value}


def _party(party: Party) -> View:
    tax_id = LABELS["tax_id"].format(id=party.tax_id) if party.tax_id else None
    return {
        "name": party.name,
        "lines": [line for line in (*party.address, party.email, tax_id) if line],
    }


def _columns(document: InvoiceDocument) -> View:
    """Return the columns that hold something: a flat fee needs no quantity."""
    lines = document.lines
    steps = [step for line in lines for step in line.details]
    used = {
        "description": True,
        "period": any(line.period_start for line in lines),
        "quantity": any(of.quantity is not None for of in lines)
        or any(of.quantity is not None for of in steps),
        "unit_price": any(of.unit_price is not None for of in lines)
        or any(of.unit is not None for of in steps),
        "amount": True,
    }
    return [name for name, wanted in used.items() if wanted]


def _lines(document: InvoiceDocument, write: Writer) -> Iterator[View]:
    """Yield the lines, and above the first of each plan, where there are several, its name."""
    above: str | None = None
    for line in document.lines:
        heading = line.heading if line.heading != above else None
        yield {**_line(line, write), "heading": heading}
        above = line.heading


def _line(line: DocumentLine, write: Writer) -> dict[str, View]:
    period = None
    if line.period_start and line.period_end:
        period = write.period(line.period_start, line.period_end)
    return {
        "description": line.description,
        "period": period,
        "quantity": _quantity(line.quantity, line.unit, write),
        "unit_price": write.price(line.unit_price),
        "amount": write.money(line.amount_minor),
        "details": [_detail(step, write) for step in line.details],
    }


def _detail(step: LineDetail, write: Writer) -> View:
    return {
        "description": _step_label(step, write),
        "quantity": _quantity(step.quantity, None, write),
        "unit_price": _amount(step.unit, step, write),
        "amount": _amount(step.amount, step, write),
    }


def _step_label(step: LineDetail, write: Writer) -> str:
    if step.kind == "included" and step.up_to is not None:
        return LABELS["included_of"].format(up_to=write.number(step.up_to))
    figures = _figures(step, write)
    is_tiered = step.kind == "block" and (step.from_ or step.up_to is not None)
    label = LABELS["block_tier" if is_tiered else step.kind].format_map(figures)
    if step.kind == "tier":
        label = figures["range"]
    if step.fixed and step.event_count:
        label = LABELS["with_fixed"].format_map({**figures, "label": label})
    if step.flat and step.kind in ("tier", "volume", "percentage_tier"):
        return LABELS["with_flat"].format_map({**figures, "label": label})
    return label


def _figures(step: LineDetail, write: Writer) -> dict[str, str]:
    """Return the numbers of a step as they are printed within a label."""
    found = {"range": _range(step, write), "events": write.number(Decimal(step.event_count or 0))}
    for name in ("fixed", "flat", "unit"):
        found[name] = _amount(getattr(step, name), step, write) or ""
    if step.up_to is not None:
        found["up_to"] = write.number(step.up_to)
    if step.size is not None:
        found["size"] = write.number(step.size)
    if step.rate is not None:
        found["rate"] = write.percent(step.rate)
    return found


def _amount(amount: Decimal | None, step: LineDetail, write: Writer) -> str | None:
    """Return an amount of a step: money, or in the custom unit of its price."""
    if amount is not None and step.custom_unit is not None:
        return f"{write.number(amount)} {step.custom_unit}"
    return write.price(amount)


def _range(step: LineDetail, write: Writer) -> str:
    """Return which units a tier covers: "First 1,000", "Over 1,000 up to 5,000", "Over 5,000"."""
    bounds = {"from": step.from_ or None, "up_to": step.up_to}
    shown = {name: write.number(value) for name, value in bounds.items() if value is not None}
    known = ("from" in shown, "up_to" in shown)
    names = {(False, True): "tier_first", (True, True): "tier_middle", (True, False): "tier_last"}
    return LABELS[names.get(known, "tier")].format_map(shown)


def _quantity(quantity: Decimal | None, unit: str | None, write: Writer) -> View:
    return None if quantity is None else {"number": write.number(quantity), "unit": unit}


def _totals(document: InvoiceDocument, payment: PaymentState, write: Writer) -> Iterator[View]:
    def row(label: str, minor: int, kind: str = "plain") -> View:
        return {"label": label, "amount": write.money(minor), "kind": kind}

    yield row(LABELS["subtotal"], document.subtotal_minor)
    for tax in document.taxes:
        base, percent = write.money(tax.base_minor), write.percent(tax.percent)
        label = LABELS["tax"].format(name=tax.name, percent=percent, base=base)
        yield row(label, tax.amount_minor)
    yield row(LABELS["total"], document.total_minor, "total")
    if payment.paid_minor:
        yield row(LABELS["amount_paid"], -payment.paid_minor)
    if payment.credited_minor:
        yield row(LABELS["amount_credited"], -payment.credited_minor)
    yield row(LABELS["amount_due"], _due_minor(document, payment), "due")


def _notes(document: InvoiceDocument, payment: PaymentState, write: Writer) -> Iterator[View]:
    paying = _payment_lines(document, payment, write)
    if paying:
        yield {"label": LABELS["payment"], "lines": [*paying]}
    if document.memo:
        yield {"label": LABELS["memo"], "lines": [*document.memo.splitlines()]}


def _payment_lines(document: InvoiceDocument, payment: PaymentState, write: Writer) -> list[str]:
    """Return how it was paid, or how to pay what is still due."""
    lines = []
    if payment.paid_on:
        label = LABELS["was_paid_by" if payment.method else "was_paid"]
        paid, day = write.money(payment.paid_minor), write.day(payment.paid_on)
        lines.append(label.format(amount=paid, date=day, method=payment.method))
    due = _due_minor(document, payment)
    if due > 0:
        by = write.day(_pay_by(document))
        lines.append(
            LABELS["pay_by"].format(amount=write.money(due), date=by, number=document.number)
        )
        lines += (document.payment_instructions or "").splitlines()
    return lines
