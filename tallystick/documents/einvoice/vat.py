"""Which VAT of EN 16931 the taxes of a document are, and what each is charged on. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from tallystick.documents.document import (
    DocumentLine,
    InvoiceDocument,
    TaxCategory,
    TaxLine,
)
from tallystick.documents.einvoice.model import Adjustment, Vat, VatGroup
from tallystick.documents.einvoice.xml import readable
from tallystick.documents.labels import Words

NOT_SUBJECT: Final = Vat("O", None)
# VATEX, the code list of BT-121: only where the category itself says the reason.
REASON_CODES: Final[Mapping[TaxCategory, str]] = {
    "AE": "VATEX-EU-AE",
    "K": "VATEX-EU-IC",
    "G": "VATEX-EU-G",
    "O": "VATEX-EU-O",
}


def vat_of(tax: TaxLine) -> Vat | None:
    """Return the VAT that a tax line is; None where nobody said why it is 0%.

    A rate above zero is the standard category whatever its height (UNCL5305: S), and a standard
    rate of zero is the category Z.
    """
    if tax.category == "O":
        return NOT_SUBJECT
    if tax.percent and tax.category in (None, "S"):
        return Vat("S", tax.percent.normalize())
    if tax.category is None:
        return None
    return Vat("Z" if tax.category == "S" else tax.category, Decimal(0))


def vat_of_line(line: DocumentLine, document: InvoiceDocument) -> Vat | None:
    """Return the one VAT of a line; None where there are several, or nobody said which."""
    if not document.taxes:
        return NOT_SUBJECT
    places = line.taxes or range(len(document.taxes))
    found = {vat_of(document.taxes[place]) for place in places}
    return found.pop() if len(found) == 1 else None


def groups_of(document: InvoiceDocument, words: Words) -> tuple[VatGroup, ...]:
    """Return the breakdown: taxes of one category and rate are one row (BR-S-08 and its like)."""
    if not document.taxes:
        untaxed = TaxLine("", Decimal(0), document.subtotal_minor, 0, "O")
        return (_group(NOT_SUBJECT, (untaxed,), words),)
    taxes: dict[Vat, list[TaxLine]] = {}
    for tax in document.taxes:
        vat = vat_of(tax)
        if vat is not None:
            taxes.setdefault(vat, []).append(tax)
    return tuple(_group(vat, found, words) for vat, found in taxes.items())


def _group(vat: Vat, taxes: Sequence[TaxLine], words: Words) -> VatGroup:
    is_charged = vat.category in ("S", "Z")
    told = dict.fromkeys(tax.reason for tax in taxes if tax.reason)
    reason = "; ".join(told) or words[f"reason_{vat.category.lower()}"] if not is_charged else None
    return VatGroup(
        vat=vat,
        base_minor=sum(tax.base_minor for tax in taxes),
        tax_minor=sum(tax.amount_minor for tax in taxes),
        reason=reason,
        reason_code=REASON_CODES.get(vat.category),
    )


def adjustments_of(document: InvoiceDocument, groups: Sequence[VatGroup]) -> tuple[Adjustment, ...]:
    """Return each group's share of what comes off, or on top of, the whole document.

    A coupon over lines of two rates is one line on paper and one allowance for each rate here.
    The share is what lies between the group's lines and its base, so that they sum to it:
    lines of 20.00 and a base of 18.00 are an allowance of 2.00.
    """
    sums: dict[Vat | None, int] = {}
    for line in document.lines:
        if line.role == "line":
            vat = vat_of_line(line, document)
            sums[vat] = sums.get(vat, 0) + line.net_minor
    names = dict.fromkeys(line.description for line in document.lines if line.role != "line")
    shares = ((group, group.base_minor - sums.get(group.vat, 0)) for group in groups)
    return tuple(
        Adjustment(
            is_charge=share > 0,
            amount_minor=abs(share),
            reason=readable("; ".join(names)) or document.number,
            vat=group.vat,
        )
        for group, share in shares
        if share
    )
