"""From a frozen document to the terms of EN 16931. Pure."""

from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from tallystick.documents.document import DocumentLine, InvoiceDocument
from tallystick.documents.einvoice.gaps import Profile, refuse_gaps
from tallystick.documents.einvoice.model import Adjustment, EInvoice, Sums, TradeLine
from tallystick.documents.einvoice.parties import party_of
from tallystick.documents.einvoice.vat import NOT_SUBJECT, adjustments_of, groups_of, vat_of_line
from tallystick.documents.einvoice.xml import readable
from tallystick.documents.labels import words
from tallystick.money.currency import currency
from tallystick.money.exact import exact_context

ONE = Decimal(1)


def einvoice_of(document: InvoiceDocument, profile: Profile = "en16931") -> EInvoice:
    """Return the document as an e-invoice; its sums are the document's, to the cent.

    Raises Conflict `einvoice_data_missing`.
    """
    refuse_gaps(document, profile)
    spoken = words(document.locale)
    groups = groups_of(document, spoken)
    adjustments = adjustments_of(document, groups)
    zone = ZoneInfo(document.timezone)
    sold = [line for line in document.lines if line.role == "line"]
    lines = [_line(line, number, document, zone) for number, line in enumerate(sold, 1)]
    is_subject = any(group.vat != NOT_SUBJECT for group in groups)
    is_credit = document.kind == "credit_note"
    return EInvoice(
        type_code="381" if is_credit else "380",
        number=document.number,
        issued_on=document.issued_on,
        due_on=document.due_on,
        terms=spoken["credit_applied"] if is_credit else document.payment_instructions,
        currency=document.currency,
        decimals=currency(document.currency).exponent,
        note=document.memo,
        buyer_reference=document.buyer_reference or document.purchase_order,
        purchase_order=document.purchase_order,
        refers_to=document.refers_to,
        seller=party_of(document.seller, is_subject=is_subject),
        buyer=party_of(document.customer, is_subject=is_subject),
        bank=None if is_credit else document.bank,
        starts_on=min((line.starts_on for line in lines if line.starts_on), default=None),
        ends_on=max((line.ends_on for line in lines if line.ends_on), default=None),
        groups=groups,
        adjustments=adjustments,
        lines=lines,
        sums=_sums(document, adjustments),
    )


def _line(line: DocumentLine, number: int, document: InvoiceDocument, zone: ZoneInfo) -> TradeLine:
    quantity, price, price_quantity = _price(line, document.currency)
    starts_on, ends_on = _days(line, zone)
    heading = f"{line.heading}: " if line.heading else ""
    return TradeLine(
        number=number,
        name=readable(f"{heading}{line.description}") or str(number),
        note=line.unit,
        quantity=quantity,
        price=price,
        price_quantity=price_quantity,
        amount_minor=line.net_minor,
        vat=vat_of_line(line, document) or NOT_SUBJECT,
        starts_on=starts_on,
        ends_on=ends_on,
    )


def _price(line: DocumentLine, code: str) -> tuple[Decimal, Decimal, Decimal | None]:
    """Return quantity, price, and for how many units that price is.

    Quantity times price has to be the amount. Where it is not, as for tiers, the price is the
    amount itself for the whole quantity: 215.00 for 12,500 calls. No price may be below zero
    (BR-27), so what is given back has a quantity below zero.
    """
    unit, sign = currency(code), -1 if line.net_minor < 0 else 1
    with exact_context():
        amount = Decimal(abs(line.net_minor)).scaleb(-unit.exponent)
        quantity = abs(line.quantity) if line.quantity else None
        if quantity is None:
            return ONE * sign, amount, None
        price = line.unit_price
        if price is not None and price >= 0 and price * quantity == amount:
            return quantity * sign, price, None
        return quantity * sign, amount, quantity


def _days(line: DocumentLine, zone: ZoneInfo) -> tuple[date | None, date | None]:
    """Return the first and the last day of a half-open period."""
    if line.period_start is None or line.period_end is None:
        return None, None
    last = max(line.period_start, line.period_end - timedelta(microseconds=1))
    return line.period_start.astimezone(zone).date(), last.astimezone(zone).date()


def _sums(document: InvoiceDocument, adjustments: tuple[Adjustment, ...]) -> Sums:
    charges = sum(one.amount_minor for one in adjustments if one.is_charge)
    allowances = sum(one.amount_minor for one in adjustments if not one.is_charge)
    payable = document.total_minor - document.prepaid_minor + document.rounding_minor
    return Sums(
        lines_minor=sum(line.net_minor for line in document.lines if line.role == "line"),
        allowances_minor=allowances,
        charges_minor=charges,
        without_tax_minor=document.subtotal_minor,
        tax_minor=document.total_minor - document.subtotal_minor,
        with_tax_minor=document.total_minor,
        prepaid_minor=document.prepaid_minor,
        rounding_minor=document.rounding_minor,
        payable_minor=payable,
    )
