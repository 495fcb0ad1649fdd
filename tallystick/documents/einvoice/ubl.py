"""An e-invoice as UBL 2.1: an Invoice or a CreditNote, for EN 16931 or Peppol BIS Billing 3."""

from datetime import date
from decimal import Decimal
from typing import Final

from tallystick.documents.einvoice.gaps import Profile
from tallystick.documents.einvoice.model import (
    Adjustment,
    EInvoice,
    Sums,
    TradeLine,
    TradeParty,
    Vat,
    VatGroup,
    plain,
)
from tallystick.documents.einvoice.xml import NOTHING, Xml, element, root

UNIT: Final = "C62"  # "one" of UN/ECE recommendation 20
SEPA: Final = "58"  # UNTDID 4461: a transfer within SEPA is in euros, any other is a 30
TRANSFER: Final = "30"
CUSTOMIZATIONS: Final[dict[Profile, str]] = {
    "en16931": "urn:cen.eu:en16931:2017",
    "peppol": "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0",
}
PROCESS: Final = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
_URN: Final = "urn:oasis:names:specification:ubl:schema:xsd:"


def ubl(invoice: EInvoice, profile: Profile = "en16931") -> bytes:
    """Return the invoice as XML in UTF-8, the same bytes for the same invoice."""
    name = "CreditNote" if invoice.type_code == "381" else "Invoice"
    namespaces = {
        "": f"{_URN}{name}-2",
        "cac": f"{_URN}CommonAggregateComponents-2",
        "cbc": f"{_URN}CommonBasicComponents-2",
    }
    return root(
        name,
        namespaces,
        *_head(invoice, name, profile),
        *_references(invoice),
        element("cac:AccountingSupplierParty", _party(invoice.seller, is_seller=True)),
        element("cac:AccountingCustomerParty", _party(invoice.buyer, is_seller=False)),
        _delivery(invoice),
        _payment_means(invoice),
        element("cac:PaymentTerms", element("cbc:Note", invoice.terms)),
        *(_adjustment(one, invoice) for one in invoice.adjustments),
        element(
            "cac:TaxTotal",
            _amount("TaxAmount", invoice.sums.tax_minor, invoice),
            *(_group(group, invoice) for group in invoice.groups),
        ),
        _sums(invoice.sums, invoice),
        *(_line(line, invoice, name) for line in invoice.lines),
    )


def _head(invoice: EInvoice, name: str, profile: Profile) -> tuple[Xml, ...]:
    due_on = invoice.due_on if name == "Invoice" else None
    return (
        element("cbc:CustomizationID", CUSTOMIZATIONS[profile]),
        element("cbc:ProfileID", PROCESS),
        element("cbc:ID", invoice.number),
        element("cbc:IssueDate", _day(invoice.issued_on)),
        element("cbc:DueDate", _day(due_on)),
        element(f"cbc:{name}TypeCode", invoice.type_code),
        element("cbc:Note", invoice.note),
        element("cbc:DocumentCurrencyCode", invoice.currency),
        element("cbc:BuyerReference", invoice.buyer_reference),
    )


def _references(invoice: EInvoice) -> tuple[Xml, ...]:
    reference = invoice.refers_to
    preceding = element(
        "cac:InvoiceDocumentReference",
        element("cbc:ID", reference.number if reference else None),
        element("cbc:IssueDate", _day(reference.issued_on if reference else None)),
    )
    return (
        _period(invoice.starts_on, invoice.ends_on),
        element("cac:OrderReference", element("cbc:ID", invoice.purchase_order)),
        element("cac:BillingReference", preceding),
    )


def _party(party: TradeParty, *, is_seller: bool) -> Xml:
    registration = party.tax_registration if is_seller else None
    return element(
        "cac:Party",
        _endpoint(party),
        element("cac:PartyIdentification", element("cbc:ID", party.identifier)),
        element("cac:PartyName", element("cbc:Name", party.name)),
        _address(party),
        _tax_scheme(party.vat_id, "VAT"),
        _tax_scheme(registration, "TAX"),
        element(
            "cac:PartyLegalEntity",
            element("cbc:RegistrationName", party.name),
            element("cbc:CompanyID", party.registration),
        ),
    )


def _endpoint(party: TradeParty) -> Xml:
    if party.endpoint is None:
        return NOTHING
    scheme, address = party.endpoint
    return element("cbc:EndpointID", address, schemeID=scheme)


def _address(party: TradeParty) -> Xml:
    first, second, third, *_ = (*party.lines, None, None, None)
    return element(
        "cac:PostalAddress",
        element("cbc:StreetName", first),
        element("cbc:AdditionalStreetName", second),
        element("cbc:CityName", party.city),
        element("cbc:PostalZone", party.postal_code),
        element("cbc:CountrySubentity", party.region),
        element("cac:AddressLine", element("cbc:Line", third)),
        element("cac:Country", element("cbc:IdentificationCode", party.country)),
    )


def _tax_scheme(number: str | None, scheme: str) -> Xml:
    if number is None:
        return NOTHING
    return element(
        "cac:PartyTaxScheme",
        element("cbc:CompanyID", number),
        element("cac:TaxScheme", element("cbc:ID", scheme)),
    )


def _delivery(invoice: EInvoice) -> Xml:
    country = element(
        "cbc:IdentificationCode", invoice.buyer.country if invoice.is_shipped else None
    )
    return element(
        "cac:Delivery",
        element("cbc:ActualDeliveryDate", _day(invoice.ends_on or invoice.issued_on)),
        element("cac:DeliveryLocation", element("cac:Address", element("cac:Country", country))),
    )


def _payment_means(invoice: EInvoice) -> Xml:
    bank = invoice.bank
    if bank is None:
        return NOTHING
    branch = element("cac:FinancialInstitutionBranch", element("cbc:ID", bank.bic))
    return element(
        "cac:PaymentMeans",
        element("cbc:PaymentMeansCode", SEPA if invoice.currency == "EUR" else TRANSFER),
        element("cbc:PaymentID", invoice.number),
        element(
            "cac:PayeeFinancialAccount",
            element("cbc:ID", "".join(bank.iban.split())),
            element("cbc:Name", bank.holder or invoice.seller.name),
            branch,
        ),
    )


def _adjustment(one: Adjustment, invoice: EInvoice) -> Xml:
    return element(
        "cac:AllowanceCharge",
        element("cbc:ChargeIndicator", "true" if one.is_charge else "false"),
        element("cbc:AllowanceChargeReason", one.reason),
        _amount("Amount", one.amount_minor, invoice),
        element("cac:TaxCategory", *_vat(one.vat), _scheme()),
    )


def _group(group: VatGroup, invoice: EInvoice) -> Xml:
    return element(
        "cac:TaxSubtotal",
        _amount("TaxableAmount", group.base_minor, invoice),
        _amount("TaxAmount", group.tax_minor, invoice),
        element(
            "cac:TaxCategory",
            *_vat(group.vat),
            element("cbc:TaxExemptionReasonCode", group.reason_code),
            element("cbc:TaxExemptionReason", group.reason),
            _scheme(),
        ),
    )


def _sums(sums: Sums, invoice: EInvoice) -> Xml:
    rounding = _amount("PayableRoundingAmount", sums.rounding_minor, invoice)
    return element(
        "cac:LegalMonetaryTotal",
        _amount("LineExtensionAmount", sums.lines_minor, invoice),
        _amount("TaxExclusiveAmount", sums.without_tax_minor, invoice),
        _amount("TaxInclusiveAmount", sums.with_tax_minor, invoice),
        _amount("AllowanceTotalAmount", sums.allowances_minor, invoice),
        _amount("ChargeTotalAmount", sums.charges_minor, invoice) if sums.charges_minor else None,
        _amount("PrepaidAmount", sums.prepaid_minor, invoice),
        rounding if sums.rounding_minor else None,
        _amount("PayableAmount", sums.payable_minor, invoice),
    )


def _line(line: TradeLine, invoice: EInvoice, name: str) -> Xml:
    quantity = "CreditedQuantity" if name == "CreditNote" else "InvoicedQuantity"
    price = element(
        "cac:Price",
        element("cbc:PriceAmount", plain(line.price), currencyID=invoice.currency),
        _quantity("BaseQuantity", line.price_quantity),
    )
    return element(
        f"cac:{name}Line",
        element("cbc:ID", str(line.number)),
        _quantity(quantity, line.quantity),
        _amount("LineExtensionAmount", line.amount_minor, invoice),
        _period(line.starts_on, line.ends_on),
        element(
            "cac:Item",
            element("cbc:Description", line.note),
            element("cbc:Name", line.name),
            element("cac:ClassifiedTaxCategory", *_vat(line.vat), _scheme()),
        ),
        price,
    )


def _vat(vat: Vat) -> tuple[Xml, ...]:
    percent = None if vat.percent is None else plain(vat.percent)
    return (element("cbc:ID", vat.category), element("cbc:Percent", percent))


def _scheme() -> Xml:
    return element("cac:TaxScheme", element("cbc:ID", "VAT"))


def _amount(name: str, minor: int, invoice: EInvoice) -> Xml:
    return element(f"cbc:{name}", invoice.amount(minor), currencyID=invoice.currency)


def _quantity(name: str, quantity: Decimal | None) -> Xml:
    return element(f"cbc:{name}", None if quantity is None else plain(quantity), unitCode=UNIT)


def _period(starts_on: date | None, ends_on: date | None) -> Xml:
    return element(
        "cac:InvoicePeriod",
        element("cbc:StartDate", _day(starts_on)),
        element("cbc:EndDate", _day(ends_on)),
    )


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
