"""What a document lacks for an e-invoice, named field by field. Pure."""

from collections.abc import Iterator
from typing import Literal, TypeAlias

from tallystick.documents.document import InvoiceDocument, Party
from tallystick.documents.einvoice.model import DECIMALS_MAX
from tallystick.documents.einvoice.parties import endpoint_of, vat_id_of
from tallystick.documents.einvoice.vat import vat_of, vat_of_line
from tallystick.documents.einvoice.xml import readable
from tallystick.kernel.errors import Conflict, FieldError
from tallystick.money.currency import currency

Profile: TypeAlias = Literal["en16931", "peppol"]


def refuse_gaps(document: InvoiceDocument, profile: Profile = "en16931") -> None:
    """Raise Conflict `einvoice_data_missing`, which names every field that is missing."""
    found = gaps(document, profile)
    if found:
        names = ", ".join(gap.field for gap in found)
        raise Conflict(
            "einvoice_data_missing",
            f"The document lacks what an e-invoice needs: {names}. The plain PDF is there; what is"
            " set on the account and the issuer now holds for later documents.",
            errors=found,
        )


def gaps(document: InvoiceDocument, profile: Profile = "en16931") -> list[FieldError]:
    """Return every field that is missing for an e-invoice."""
    found = list(_gaps(document))
    if profile == "peppol":
        found += _peppol_gaps(document)
    return found


def _gaps(document: InvoiceDocument) -> Iterator[FieldError]:
    yield from _party_gaps("seller", document.seller)
    yield from _party_gaps("customer", document.customer)
    yield from _tax_gaps(document)
    yield from _line_gaps(document)
    if not (document.due_on or document.payment_instructions or document.kind == "credit_note"):
        yield _missing("due_on")
    decimals = currency(document.currency).exponent
    if decimals > DECIMALS_MAX and _has_third_decimal(document, 10 ** (decimals - DECIMALS_MAX)):
        yield FieldError(
            "currency",
            "too_many_decimals",
            "has amounts of three decimals; EN 16931 takes two, so this document can only be a PDF",
        )


def _party_gaps(who: str, party: Party) -> Iterator[FieldError]:
    if not readable(party.name):
        yield _missing(f"{who}.name")
    if not party.country:
        yield _missing(f"{who}.country")
    if not any(map(readable, (*party.address, party.city or ""))):
        yield _missing(f"{who}.address")


def _tax_gaps(document: InvoiceDocument) -> Iterator[FieldError]:
    """Yield the tax numbers that the categories demand (BR-S-02 to BR-O-02 and their like)."""
    seller, customer = document.seller, document.customer
    categories = {vat.category for tax in document.taxes if (vat := vat_of(tax))}
    for place, tax in enumerate(document.taxes):
        if vat_of(tax) is None:
            yield _missing(f"taxes[{place}].category")
    if categories & {"S", "Z", "E"} and not seller.tax_id:
        yield _missing("seller.tax_id")
    if categories & {"AE", "K", "G"} and not vat_id_of(seller):
        yield _missing("seller.tax_id")
    if categories & {"AE", "K"} and not vat_id_of(customer):
        yield _missing("customer.tax_id")
    if not categories - {"O"} and not (seller.registration_number or seller.tax_id):
        yield _missing("seller.registration_number")
    if "O" in categories and len(categories) > 1:
        yield FieldError("taxes", "mixed", "are partly not subject to VAT: that is two invoices")


def _line_gaps(document: InvoiceDocument) -> Iterator[FieldError]:
    lines = [(at, line) for at, line in enumerate(document.lines) if line.role == "line"]
    if not lines:
        yield _missing("lines")
    are_known = all(vat_of(tax) for tax in document.taxes)
    for place, line in lines:
        if are_known and vat_of_line(line, document) is None:
            yield FieldError(
                f"lines[{place}].taxes", "ambiguous", "has several taxes; EN 16931 knows one a line"
            )
    is_whole = all(line.role == "line" for line in document.lines)
    net_minor = sum(line.net_minor for line in document.lines)
    if lines and is_whole and net_minor != document.subtotal_minor:
        yield FieldError("lines", "ambiguous", "do not come to the subtotal")


def _peppol_gaps(document: InvoiceDocument) -> Iterator[FieldError]:
    """Yield what Peppol BIS Billing 3 wants besides (PEPPOL-EN16931-R003, R010, R020)."""
    if not (document.buyer_reference or document.purchase_order):
        yield _missing("buyer_reference")
    for who, party in (("seller", document.seller), ("customer", document.customer)):
        if endpoint_of(party) is None:
            yield _missing(f"{who}.endpoint")


def _has_third_decimal(document: InvoiceDocument, step: int) -> bool:
    amounts = [
        *(line.amount_minor for line in document.lines),
        *(tax.base_minor for tax in document.taxes),
        *(tax.amount_minor for tax in document.taxes),
        document.subtotal_minor,
        document.prepaid_minor,
        document.rounding_minor,
    ]
    return any(amount % step for amount in amounts)


def _missing(field: str) -> FieldError:
    return FieldError(field, "missing", "is needed for an e-invoice")
