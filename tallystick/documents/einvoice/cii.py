"""An e-invoice as UN/CEFACT Cross Industry Invoice D22B: the XML of Factur-X and ZUGFeRD."""

from datetime import date
from decimal import Decimal
from typing import Final

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

GUIDELINE: Final = "urn:cen.eu:en16931:2017"
UNIT: Final = "C62"  # "one" of UN/ECE recommendation 20: what we count has no unit of that list
SEPA: Final = "58"  # UNTDID 4461: a transfer within SEPA is in euros, any other is a 30
TRANSFER: Final = "30"
_URN: Final = "urn:un:unece:uncefact:data:standard:"
NAMESPACES: Final = {
    "rsm": f"{_URN}CrossIndustryInvoice:100",
    "qdt": f"{_URN}QualifiedDataType:100",
    "ram": f"{_URN}ReusableAggregateBusinessInformationEntity:100",
    "udt": f"{_URN}UnqualifiedDataType:100",
}


def cii(invoice: EInvoice) -> bytes:
    """Return the invoice as XML in UTF-8, the same bytes for the same invoice."""
    guideline = element(
        "ram:GuidelineSpecifiedDocumentContextParameter", element("ram:ID", GUIDELINE)
    )
    document = element(
        "rsm:ExchangedDocument",
        element("ram:ID", invoice.number),
        element("ram:TypeCode", invoice.type_code),
        element("ram:IssueDateTime", _day(invoice.issued_on)),
        element("ram:IncludedNote", element("ram:Content", invoice.note)),
    )
    trade = element(
        "rsm:SupplyChainTradeTransaction",
        *(_line(line, invoice) for line in invoice.lines),
        _agreement(invoice),
        _delivery(invoice),
        _settlement(invoice),
    )
    context = element("rsm:ExchangedDocumentContext", guideline)
    return root("rsm:CrossIndustryInvoice", NAMESPACES, context, document, trade)


def _line(line: TradeLine, invoice: EInvoice) -> Xml:
    price = element(
        "ram:NetPriceProductTradePrice",
        element("ram:ChargeAmount", plain(line.price)),
        _quantity("ram:BasisQuantity", line.price_quantity),
    )
    total = element("ram:LineTotalAmount", invoice.amount(line.amount_minor))
    return element(
        "ram:IncludedSupplyChainTradeLineItem",
        element("ram:AssociatedDocumentLineDocument", element("ram:LineID", str(line.number))),
        element(
            "ram:SpecifiedTradeProduct",
            element("ram:Name", line.name),
            element("ram:Description", line.note),
        ),
        element("ram:SpecifiedLineTradeAgreement", price),
        element("ram:SpecifiedLineTradeDelivery", _quantity("ram:BilledQuantity", line.quantity)),
        element(
            "ram:SpecifiedLineTradeSettlement",
            element("ram:ApplicableTradeTax", *_vat(line.vat)),
            _period(line.starts_on, line.ends_on),
            element("ram:SpecifiedTradeSettlementLineMonetarySummation", total),
        ),
    )


def _agreement(invoice: EInvoice) -> Xml:
    order = element("ram:IssuerAssignedID", invoice.purchase_order)
    return element(
        "ram:ApplicableHeaderTradeAgreement",
        element("ram:BuyerReference", invoice.buyer_reference),
        _party("ram:SellerTradeParty", invoice.seller),
        _party("ram:BuyerTradeParty", invoice.buyer),
        element("ram:BuyerOrderReferencedDocument", order),
    )


def _party(name: str, party: TradeParty) -> Xml:
    lines = zip(("ram:LineOne", "ram:LineTwo", "ram:LineThree"), party.lines, strict=False)
    return element(
        name,
        element("ram:ID", party.identifier),
        element("ram:Name", party.name),
        element("ram:SpecifiedLegalOrganization", element("ram:ID", party.registration)),
        element(
            "ram:PostalTradeAddress",
            element("ram:PostcodeCode", party.postal_code),
            *(element(place, line) for place, line in lines),
            element("ram:CityName", party.city),
            element("ram:CountryID", party.country),
            element("ram:CountrySubDivisionName", party.region),
        ),
        _endpoint(party),
        element("ram:SpecifiedTaxRegistration", element("ram:ID", party.vat_id, schemeID="VA")),
        element(
            "ram:SpecifiedTaxRegistration",
            element("ram:ID", party.tax_registration, schemeID="FC"),
        )
        if name == "ram:SellerTradeParty"
        else NOTHING,
    )


def _endpoint(party: TradeParty) -> Xml:
    if party.endpoint is None:
        return NOTHING
    scheme, address = party.endpoint
    return element("ram:URIUniversalCommunication", element("ram:URIID", address, schemeID=scheme))


def _delivery(invoice: EInvoice) -> Xml:
    """Return where and when: the element has to be there even where it has nothing to say."""
    country = element("ram:CountryID", invoice.buyer.country if invoice.is_shipped else None)
    on = invoice.ends_on or invoice.issued_on
    delivered = element(
        "ram:ActualDeliverySupplyChainEvent", element("ram:OccurrenceDateTime", _day(on))
    )
    return element(
        "ram:ApplicableHeaderTradeDelivery",
        element("ram:ShipToTradeParty", element("ram:PostalTradeAddress", country)),
        delivered,
    )


def _settlement(invoice: EInvoice) -> Xml:
    reference = invoice.refers_to
    terms = element(
        "ram:SpecifiedTradePaymentTerms",
        element("ram:Description", invoice.terms),
        element("ram:DueDateDateTime", _day(invoice.due_on)),
    )
    preceding = element(
        "ram:InvoiceReferencedDocument",
        element("ram:IssuerAssignedID", reference.number if reference else None),
        element("ram:FormattedIssueDateTime", _day(reference.issued_on, "qdt"))
        if reference
        else NOTHING,
    )
    return element(
        "ram:ApplicableHeaderTradeSettlement",
        element("ram:PaymentReference", invoice.number),
        element("ram:InvoiceCurrencyCode", invoice.currency),
        _payment_means(invoice),
        *(_group(group, invoice) for group in invoice.groups),
        _period(invoice.starts_on, invoice.ends_on),
        *(_adjustment(one, invoice) for one in invoice.adjustments),
        terms,
        _sums(invoice.sums, invoice),
        preceding,
    )


def _payment_means(invoice: EInvoice) -> Xml:
    bank = invoice.bank
    if bank is None:
        return NOTHING
    account = element(
        "ram:PayeePartyCreditorFinancialAccount",
        element("ram:IBANID", "".join(bank.iban.split())),
        element("ram:AccountName", bank.holder or invoice.seller.name),
    )
    return element(
        "ram:SpecifiedTradeSettlementPaymentMeans",
        element("ram:TypeCode", SEPA if invoice.currency == "EUR" else TRANSFER),
        account,
        element("ram:PayeeSpecifiedCreditorFinancialInstitution", element("ram:BICID", bank.bic)),
    )


def _group(group: VatGroup, invoice: EInvoice) -> Xml:
    kind, category, *percent = _vat(group.vat)
    return element(
        "ram:ApplicableTradeTax",
        element("ram:CalculatedAmount", invoice.amount(group.tax_minor)),
        kind,
        element("ram:ExemptionReason", group.reason),
        element("ram:BasisAmount", invoice.amount(group.base_minor)),
        category,
        element("ram:ExemptionReasonCode", group.reason_code),
        *percent,
    )


def _adjustment(one: Adjustment, invoice: EInvoice) -> Xml:
    is_charge = element("udt:Indicator", "true" if one.is_charge else "false")
    return element(
        "ram:SpecifiedTradeAllowanceCharge",
        element("ram:ChargeIndicator", is_charge),
        element("ram:ActualAmount", invoice.amount(one.amount_minor)),
        element("ram:Reason", one.reason),
        element("ram:CategoryTradeTax", *_vat(one.vat)),
    )


def _sums(sums: Sums, invoice: EInvoice) -> Xml:
    def total(name: str, minor: int, **attributes: str) -> Xml:
        return element(f"ram:{name}", invoice.amount(minor), **attributes)

    return element(
        "ram:SpecifiedTradeSettlementHeaderMonetarySummation",
        total("LineTotalAmount", sums.lines_minor),
        total("ChargeTotalAmount", sums.charges_minor) if sums.charges_minor else NOTHING,
        total("AllowanceTotalAmount", sums.allowances_minor),
        total("TaxBasisTotalAmount", sums.without_tax_minor),
        total("TaxTotalAmount", sums.tax_minor, currencyID=invoice.currency),
        total("RoundingAmount", sums.rounding_minor) if sums.rounding_minor else NOTHING,
        total("GrandTotalAmount", sums.with_tax_minor),
        total("TotalPrepaidAmount", sums.prepaid_minor),
        total("DuePayableAmount", sums.payable_minor),
    )


def _vat(vat: Vat) -> tuple[Xml, ...]:
    percent = None if vat.percent is None else plain(vat.percent)
    return (
        element("ram:TypeCode", "VAT"),
        element("ram:CategoryCode", vat.category),
        element("ram:RateApplicablePercent", percent),
    )


def _quantity(name: str, quantity: Decimal | None) -> Xml:
    return element(name, None if quantity is None else plain(quantity), unitCode=UNIT)


def _period(starts_on: date | None, ends_on: date | None) -> Xml:
    return element(
        "ram:BillingSpecifiedPeriod",
        element("ram:StartDateTime", _day(starts_on)),
        element("ram:EndDateTime", _day(ends_on)),
    )


def _day(day: date | None, prefix: str = "udt") -> Xml:
    text = None if day is None else f"{day:%Y%m%d}"
    return element(f"{prefix}:DateTimeString", text, format="102")
