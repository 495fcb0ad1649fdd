import io
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import pypdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallystick.documents.document import (
    BankAccount,
    DocumentLine,
    InvoiceDocument,
    LineRole,
    Party,
    PaymentState,
    Reference,
    TaxCategory,
    TaxLine,
)
from tallystick.documents.einvoice.cii import cii
from tallystick.documents.einvoice.compose import einvoice_of
from tallystick.documents.einvoice.facturx import marked
from tallystick.documents.einvoice.ubl import ubl
from tallystick.documents.pdf import render, render_facturx
from tallystick.kernel.errors import Conflict
from tallystick.money.amount import Money
from tallystick.money.currency import currency
from tallystick.money.rounding import allocate, round_ratio

OPEN = PaymentState("open")
replace = msgspec.structs.replace
SELLER = Party(
    "Nordwind GmbH", ("Hafenstrasse 14",), "bills@nordwind.example", "DE123456789",
    country="DE", city="Hamburg", postal_code="20457", registration_number="HRB 1",
)  # fmt: skip
BUYER = Party(
    "Globex SARL", ("12 rue de la Paix",), "ap@globex.example", "FR40303265045",
    country="FR", city="Paris", postal_code="75002",
)  # fmt: skip
CHARGED: list[tuple[TaxCategory, Decimal]] = [
    ("S", Decimal(20)), ("S", Decimal("5.5")), ("S", Decimal("8.10")), ("Z", Decimal(0)),
]  # fmt: skip
FREE: list[TaxCategory] = ["E", "AE", "K", "G"]


Rules = Any  # the class stands in conftest.py, which tests can not import


def gaps(document: InvoiceDocument, **options: Any) -> list[tuple[str, str]]:
    with pytest.raises(Conflict) as caught:
        einvoice_of(document, **options)
    assert caught.value.code == "einvoice_data_missing"
    return [(error.field, error.code) for error in caught.value.errors]


def text_of(xml: bytes, name: str) -> list[str]:
    return re.findall(rf"<(?:\w+:)?{name}\b[^>]*>([^<]*)<", xml.decode())


def taxed(document: InvoiceDocument, category: TaxCategory | None) -> InvoiceDocument:
    tax = TaxLine("VAT", Decimal(0), document.subtotal_minor, 0, category)
    return replace(document, taxes=(tax,), total_minor=document.subtotal_minor)


def test_an_invoice_is_valid_in_both_syntaxes(document: InvoiceDocument, rules: Rules) -> None:
    assert rules.faults(document) == []
    xml = cii(einvoice_of(document))
    assert text_of(xml, "TypeCode")[0] == "380"
    assert text_of(xml, "DuePayableAmount") == ["108.00"]
    assert text_of(xml, "AllowanceTotalAmount") == ["10.00"]
    assert text_of(xml, "IBANID") == ["DE89370400440532013000"]
    assert xml == cii(einvoice_of(document))


def test_the_rules_find_what_does_not_add_up(document: InvoiceDocument, rules: Rules) -> None:
    invoice = einvoice_of(document)
    wrong = cii(invoice).replace(b"<ram:GrandTotalAmount>108", b"<ram:GrandTotalAmount>109")
    assert any("BR-CO-15" in fault for fault in rules.of_cii(wrong))
    wrong = ubl(invoice).replace(b">108.00</cbc:TaxInclusive", b">109.00</cbc:TaxInclusive")
    assert any("BR-CO-15" in fault for fault in rules.of_ubl(wrong))
    assert rules.of_ubl(ubl(invoice).replace(b"cbc:ID", b"cbc:Nothing"))


def test_a_credit_note_is_valid_and_refers_to_its_invoice(
    document: InvoiceDocument, rules: Rules
) -> None:
    note = replace(
        document, kind="credit_note", due_on=None, number="CN-1",
        refers_to=Reference("INV-2026-000042", date(2026, 11, 1)),
    )  # fmt: skip
    assert rules.faults(note) == []
    xml = ubl(einvoice_of(note))
    assert b"<CreditNote " in xml
    assert text_of(xml, "CreditNoteTypeCode") == ["381"]
    assert text_of(xml, "IssueDate") == ["2026-12-01", "2026-11-01"]
    assert "INV-2026-000042" in text_of(xml, "ID")


@pytest.mark.parametrize("category", ["Z", "E", "AE", "K", "G", "O"])
def test_each_category_of_no_tax_is_valid(
    document: InvoiceDocument, category: TaxCategory, rules: Rules
) -> None:
    free = taxed(document, category)
    assert rules.faults(free) == []
    xml = cii(einvoice_of(free))
    assert set(text_of(xml, "CategoryCode")) == {category}
    assert bool(text_of(xml, "ExemptionReason")) is (category != "Z")


def test_a_seller_who_charges_no_tax_is_not_subject_to_it(
    document: InvoiceDocument, rules: Rules
) -> None:
    seller = replace(SELLER, tax_id=None)
    small = replace(document, taxes=(), total_minor=document.subtotal_minor, seller=seller)
    assert rules.faults(small) == []


def test_a_coupon_over_two_rates_is_an_allowance_for_each(
    document: InvoiceDocument, rules: Rules
) -> None:
    lines = (
        DocumentLine("Books", 2000, taxes=(0,)),
        DocumentLine("Service", 1000, taxes=(1,)),
        DocumentLine("Coupon", -300, role="allowance"),
    )
    taxes = (
        TaxLine("VAT", Decimal("5.5"), 1800, 99, "S"),
        TaxLine("VAT", Decimal(20), 900, 180, "S"),
    )
    two = replace(document, lines=lines, taxes=taxes, subtotal_minor=2700, total_minor=2979)
    assert rules.faults(two) == []
    assert text_of(ubl(einvoice_of(two)), "Amount") == ["2.00", "1.00"]


def test_quantity_times_price_is_the_amount_also_of_tiers(document: InvoiceDocument) -> None:
    tiers = DocumentLine("Calls", 21500, quantity=Decimal(12500), unit="calls")
    credit = DocumentLine("Unused days", -12500, quantity=Decimal(3))
    fee = DocumentLine("Fee", 0)
    lines = (tiers, credit, fee, document.lines[0])
    tax = TaxLine("VAT", Decimal(20), 19000, 3800, "S")
    told = replace(document, lines=lines, subtotal_minor=19000, taxes=(tax,), total_minor=22800)
    assert [
        (line.quantity, line.price, line.price_quantity) for line in einvoice_of(told).lines
    ] == [
        (Decimal(12500), Decimal(215), Decimal(12500)),
        (Decimal(-3), Decimal(125), Decimal(3)),
        (Decimal(1), Decimal(0), None),
        (Decimal(4), Decimal(25), None),
    ]


def test_a_price_that_contains_its_tax_is_told_without_it(
    document: InvoiceDocument, rules: Rules
) -> None:
    line = DocumentLine("Ticket", 12000, quantity=Decimal(2), included_minor=2000)
    tax = TaxLine("VAT", Decimal(20), 10000, 2000, "S")
    told = replace(document, lines=(line,), taxes=(tax,), subtotal_minor=10000, total_minor=12000)
    assert rules.faults(told) == []
    (shown,) = einvoice_of(told).lines
    assert (shown.amount_minor, shown.price) == (10000, Decimal(100))
    assert einvoice_of(told).adjustments == ()


def test_lines_that_do_not_come_to_the_subtotal_are_no_e_invoice(
    document: InvoiceDocument,
) -> None:
    assert gaps(replace(document, lines=document.lines[:1])) == [("lines", "ambiguous")]


def test_periods_are_whole_days_of_the_documents_time_zone(document: InvoiceDocument) -> None:
    paris = replace(
        document.lines[0],
        period_start=datetime(2026, 10, 31, 23, tzinfo=UTC),
        period_end=datetime(2026, 11, 30, 23, tzinfo=UTC),
    )
    (line,) = einvoice_of(replace(document, lines=(paris, document.lines[1]))).lines
    assert (line.starts_on, line.ends_on) == (date(2026, 11, 1), date(2026, 11, 30))


def test_every_missing_field_is_named_at_once(document: InvoiceDocument) -> None:
    bare = replace(
        taxed(document, "AE"),
        seller=Party("Nordwind"),
        customer=Party("Globex", tax_id="12"),
        due_on=None,
    )
    assert gaps(bare) == [
        ("seller.country", "missing"),
        ("seller.address", "missing"),
        ("customer.country", "missing"),
        ("customer.address", "missing"),
        ("seller.tax_id", "missing"),
        ("customer.tax_id", "missing"),
        ("due_on", "missing"),
    ]
    assert render(bare, OPEN).startswith(b"%PDF")  # the plain page needs none of it


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"lines": ()}, ("lines", "missing")),
        ({"seller": replace(SELLER, tax_id=None)}, ("seller.tax_id", "missing")),
        ({"customer": replace(BUYER, name=" \x00")}, ("customer.name", "missing")),
        (
            {"taxes": (TaxLine("VAT", Decimal(0), 9000, 0),)},
            ("taxes[0].category", "missing"),
        ),
        (
            {
                "taxes": (
                    TaxLine("GST", Decimal(5), 9000, 450, "S"),
                    TaxLine("QST", Decimal("9.975"), 9000, 898, "S"),
                )
            },
            ("lines[0].taxes", "ambiguous"),
        ),
        ({"currency": "KWD", "subtotal_minor": 9001}, ("currency", "too_many_decimals")),
    ],
)
def test_what_can_not_be_an_e_invoice_says_why(
    document: InvoiceDocument, change: dict[str, Any], field: tuple[str, str]
) -> None:
    assert gaps(replace(document, **change)) == [field]


def test_what_is_partly_not_subject_is_two_invoices(document: InvoiceDocument) -> None:
    taxes = (
        TaxLine("VAT", Decimal(20), 5000, 1000, "S"),
        TaxLine("none", Decimal(0), 4000, 0, "O"),
    )
    lines = (DocumentLine("A", 5000, taxes=(0,)), DocumentLine("B", 4000, taxes=(1,)))
    mixed = replace(document, taxes=taxes, lines=lines, total_minor=10000)
    assert gaps(mixed) == [("taxes", "mixed")]


def test_peppol_wants_addresses_in_the_network_and_a_reference(
    document: InvoiceDocument, rules: Rules
) -> None:
    bare = replace(document, purchase_order=None, customer=replace(BUYER, email=None))
    assert gaps(bare, profile="peppol") == [
        ("buyer_reference", "missing"),
        ("customer.endpoint", "missing"),
    ]
    told = replace(
        bare, buyer_reference="4711", customer=replace(BUYER, endpoint="0009:30326504500017")
    )
    xml = ubl(einvoice_of(told, "peppol"), "peppol")
    assert rules.of_ubl(xml) == []
    assert b"poacc:billing:3.0</cbc:CustomizationID>" in xml
    assert b'<cbc:EndpointID schemeID="0009">30326504500017<' in xml


@pytest.mark.parametrize(
    ("tax_id", "country", "vat_id"),
    [
        ("DE 123.456.789", "DE", "DE123456789"),
        ("123456789", "DE", "DE123456789"),
        ("094259216", "GR", "EL094259216"),
        ("12-3456789", "US", None),
        ("GB123456789", "GB", "GB123456789"),
    ],
)
def test_a_vat_number_begins_with_its_country(
    document: InvoiceDocument, tax_id: str, country: str, vat_id: str | None, rules: Rules
) -> None:
    seller = replace(SELLER, tax_id=tax_id, country=country)
    told = replace(document, seller=seller)
    assert einvoice_of(told).seller.vat_id == vat_id
    assert rules.faults(told) == []


def test_a_factur_x_file_is_the_page_with_the_xml_in_it(document: InvoiceDocument) -> None:
    pdf = render_facturx(document, OPEN)
    reader = pypdf.PdfReader(io.BytesIO(pdf), strict=True)
    (xml,) = reader.attachments["factur-x.xml"]
    assert xml == cii(einvoice_of(document))
    assert (
        reader.pages[0].extract_text()
        == pypdf.PdfReader(io.BytesIO(render(document, OPEN))).pages[0].extract_text()
    )
    catalog: Any = reader.root_object
    (attached,) = catalog["/AF"].get_object()
    assert attached.get_object()["/AFRelationship"] == "/Alternative"
    xmp = catalog["/Metadata"].get_object().get_data().decode()
    for part in (
        "<pdfaid:part>3</pdfaid:part>",
        ">EN 16931</fx:ConformanceLevel>",
        ">INVOICE</fx:DocumentType>",
        ">factur-x.xml</fx:DocumentFileName>",
        "<pdfaSchema:prefix>fx</pdfaSchema:prefix>",
    ):
        assert part in xmp
    assert pdf == render_facturx(document, OPEN)


def test_only_a_pdf_for_archives_can_be_marked() -> None:
    with pytest.raises(ValueError, match="no metadata"):
        marked(b"%PDF-1.7\n%%EOF")


def test_a_document_that_is_no_e_invoice_raises_before_it_is_drawn(
    document: InvoiceDocument,
) -> None:
    with pytest.raises(Conflict):
        render_facturx(replace(document, seller=Party("Nordwind")), OPEN)


# ---- any document of ours is valid

WORDS = st.text(max_size=30)
START = datetime(2026, 1, 1, tzinfo=UTC)


@st.composite
def lines_of(draw: st.DrawFn, tax_count: int, step: int) -> tuple[DocumentLine, ...]:
    """Return a line or more for each tax, some below zero, with whatever people write."""
    lines = []
    for place in [*range(tax_count), *draw(st.lists(st.integers(0, tax_count - 1), max_size=4))]:
        days = draw(st.none() | st.tuples(st.integers(0, 300), st.integers(0, 90)))
        quantity = draw(st.none() | st.decimals("-1000", "1000000", places=3))
        price = draw(st.none() | st.decimals("0", "100", places=4))
        lines.append(
            DocumentLine(
                draw(WORDS),
                draw(st.integers(-(10**6), 10**9)) * step,
                START + timedelta(days[0]) if days else None,
                START + timedelta(days[0] + days[1]) if days else None,
                quantity,
                draw(st.none() | WORDS),
                price,
                taxes=(place,),
                heading=draw(st.none() | WORDS),
            )
        )
    return tuple(lines)


def tax_on(vat: tuple[TaxCategory, Decimal], base: int, step: int, reason: str | None) -> TaxLine:
    numerator, denominator = vat[1].as_integer_ratio()
    amount = round_ratio(base * numerator, 100 * denominator * step) * step
    return TaxLine("VAT", vat[1], base, amount, vat[0], reason)


@st.composite
def documents(draw: st.DrawFn) -> InvoiceDocument:
    code = draw(st.sampled_from(["EUR", "EUR", "JPY", "KWD"]))
    step = 10 if currency(code).exponent > 2 else 1
    vats = draw(
        st.lists(st.sampled_from(CHARGED), min_size=1, max_size=3, unique=True)
        | st.sampled_from(FREE).map(lambda category: [(category, Decimal(0))])
    )
    lines = draw(lines_of(len(vats), step))
    bases = [
        sum(one.amount_minor for one in lines if one.taxes == (at,)) for at in range(len(vats))
    ]
    for _ in range(draw(st.integers(0, 2))):
        off = draw(st.integers(-1000, 10**6)) * step
        shares = allocate(Money(-off // step, "EUR"), [1 + abs(base) for base in bases])
        bases = [base + share.minor * step for base, share in zip(bases, shares, strict=True)]
        taken = sum(share.minor for share in shares) * step
        role: LineRole = "allowance" if taken <= 0 else "charge"
        lines += (DocumentLine(draw(WORDS), taken, role=role),)
    reason = draw(st.none() | st.just("As article 132 says."))
    taxes = tuple(tax_on(vat, base, step, reason) for vat, base in zip(vats, bases, strict=True))
    subtotal = sum(bases)
    total = subtotal + sum(tax.amount_minor for tax in taxes)
    is_credit = draw(st.booleans())
    return InvoiceDocument(
        number="N-1",
        issued_on=date(2026, 12, 1),
        due_on=None if is_credit else date(2026, 12, 15),
        currency=code,
        locale=draw(st.sampled_from(["en", "de-DE", "ar-AE", "sv"])),
        timezone="Europe/Paris",
        account_id="acct_1",
        seller=replace(SELLER, address=tuple(draw(st.lists(WORDS, max_size=6)))),
        customer=replace(BUYER, region=draw(st.none() | st.just("IDF"))),
        lines=lines,
        subtotal_minor=subtotal,
        total_minor=total,
        taxes=taxes,
        memo=draw(st.none() | WORDS),
        purchase_order=draw(st.none() | WORDS),
        kind="credit_note" if is_credit else "invoice",
        refers_to=draw(st.none() | st.just(Reference("N-0", date(2026, 11, 1)))),
        bank=draw(st.none() | st.just(BankAccount("DE89 3704 0044 0532 0130 00", "COBADEFF"))),
        buyer_reference=draw(st.none() | WORDS),
        prepaid_minor=draw(st.integers(0, 10**4)) * step,
        rounding_minor=draw(st.integers(-9, 9)) * step,
    )


@given(any_=documents())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_document_of_ours_is_a_valid_e_invoice(rules: Rules, any_: InvoiceDocument) -> None:
    assert rules.faults(any_) == []
    invoice = einvoice_of(any_)
    sums = invoice.sums
    off = sums.allowances_minor - sums.charges_minor
    assert sums.lines_minor - off == sums.without_tax_minor == any_.subtotal_minor
    assert sum(group.base_minor for group in invoice.groups) == any_.subtotal_minor
    starts = [line.number for line in invoice.lines]
    assert all(after == before + 1 for before, after in pairwise(starts))
