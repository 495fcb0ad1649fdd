import io
import re
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from multiprocessing import get_context

import msgspec
import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.documents.document import (
    DocumentLine,
    InvoiceDocument,
    LineDetail,
    Party,
    PaymentState,
    TaxLine,
    decode,
    encode,
)
from tallystick.documents.labels import words
from tallystick.documents.pdf import pdf_etag, render
from tallystick.money.errors import UnknownCurrency, UnknownLocale

OPEN = PaymentState("open")
PAID = PaymentState("paid", 28255, date(2026, 12, 3), "Visa ending 4242")
NOVEMBER = (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
CALLS = DocumentLine(
    description="API calls",
    amount_minor=21500,
    period_start=NOVEMBER[0],
    period_end=NOVEMBER[1],
    quantity=Decimal(12500),
    unit="calls",
    details=(
        LineDetail("included", Decimal(0), Decimal(1000), up_to=Decimal(1000)),
        LineDetail(
            "tier", Decimal(20), Decimal(1000), Decimal("0.02"), None, Decimal(0), Decimal(1000)
        ),
        LineDetail(
            "tier",
            Decimal("165.0004"),
            Decimal(8000),
            Decimal("0.02"),
            Decimal(5),
            Decimal(1000),
            Decimal(9000),
        ),
        LineDetail("tier", Decimal(30), Decimal(2500), Decimal("0.012"), None, Decimal(9000)),
    ),
)
DOCUMENT = InvoiceDocument(
    number="NW-2026-000123",
    issued_on=date(2026, 12, 1),
    due_on=date(2026, 12, 15),
    currency="USD",
    locale="en-US",
    timezone="UTC",
    account_id="acct_01jd8xk2v3e7wr9q5t6y8m4n0p",
    seller=Party("Northwind Analytics Ltd", ("14 Harbour Street", "Bristol"), tax_id="GB123456789"),
    customer=Party("Globex Corporation", ("742 Evergreen Terrace",), "ap@globex.example"),
    lines=(
        DocumentLine("Pro plan", 4602, quantity=Decimal(1), unit_price=Decimal("46.02")),
        CALLS,
    ),
    subtotal_minor=26102,
    taxes=(TaxLine("Sales tax", Decimal("8.25"), 26102, 2153),),
    total_minor=28255,
    memo="Thank you for your business.",
    purchase_order="PO-88213",
    payment_instructions="IBAN GB33 BUKB 2020 1555 5555 55",
)
replace = msgspec.structs.replace
D = Decimal


def pages_of(pdf: bytes) -> list[str]:
    reader = pypdf.PdfReader(io.BytesIO(pdf))
    texts = [re.sub("[\u00a0\u2009\u202f]", " ", page.extract_text()) for page in reader.pages]
    return [text.replace("\u2013", "-") for text in texts]


def text_of(document: InvoiceDocument, payment: PaymentState = OPEN) -> str:
    return "\n".join(pages_of(render(document, payment)))


def unwrapped(text: str) -> str:
    return re.sub(r"\s", "", text)


def one_line(description: str, minor: int, currency: str, locale: str) -> InvoiceDocument:
    return replace(
        DOCUMENT,
        lines=(DocumentLine(description, minor),),
        currency=currency,
        locale=locale,
        subtotal_minor=minor,
        taxes=(),
        total_minor=minor,
    )


def test_an_open_invoice_says_who_owes_what_and_until_when() -> None:
    text = text_of(DOCUMENT)
    for part in (
        "Invoice",
        "NW-2026-000123",
        "December 1, 2026",
        "$282.55 due December 15, 2026",
        "Northwind Analytics Ltd",
        "Tax ID GB123456789",
        "Globex Corporation",
        "ap@globex.example",
        "PO-88213",
        "acct_01jd8xk2v3e7wr9q5t6y8m4n0p",
        "Nov 1 - 30, 2026",
        "12,500 calls",
        "$261.02",
        "Sales tax (8.25% on $261.02)",
        "$21.53",
        "quote NW-2026-000123",
        "IBAN GB33 BUKB 2020 1555 5555 55",
        "Thank you for your business.",
        "Page 1 of 1",
    ):
        assert part in text
    assert "PAID" not in text


def test_a_line_shows_each_step_that_made_its_amount() -> None:
    text = text_of(DOCUMENT)
    assert "Included, up to 1,000" in text
    assert "First 1,000" in text
    assert "Over 1,000 up to 9,000, plus $5.00 flat" in text
    assert "Over 9,000" in text
    assert "$0.012" in text
    assert "$165.0004" in text  # a step is exact; only the line is rounded


def test_a_paid_invoice_is_marked_with_its_date_and_asks_for_nothing() -> None:
    text = text_of(DOCUMENT, PAID)
    assert "PAID" in text
    assert "$282.55 paid December 3, 2026" in text
    assert "withVisaending4242." in unwrapped(text)
    assert "Please pay" not in text
    assert "IBAN" not in text
    assert re.search(r"Amount due\s+\$0\.00", text)
    assert render(DOCUMENT, PAID) != render(DOCUMENT, OPEN)


def test_a_partly_paid_invoice_asks_for_the_rest() -> None:
    text = text_of(DOCUMENT, PaymentState("open", 10000, date(2026, 12, 2), "Prepaid credit"))
    assert "$182.55 due December 15, 2026" in text
    assert "-$100.00" in text
    assert "$100.00paidonDecember2,2026withPrepaidcredit." in unwrapped(text)
    assert "PARTLY PAID" in text


def test_a_void_invoice_asks_for_nothing() -> None:
    text = text_of(DOCUMENT, PaymentState("void"))
    assert "VOID" in text
    assert "Void - nothing is due" in text
    assert "Please pay" not in text


def test_an_uncollectible_invoice_is_still_due() -> None:
    assert "$282.55 due December 15, 2026" in text_of(DOCUMENT, PaymentState("uncollectible"))


def test_an_invoice_of_nothing_says_that_nothing_is_due() -> None:
    text = text_of(replace(DOCUMENT, lines=(), subtotal_minor=0, taxes=(), total_minor=0))
    assert "$0.00 - nothing is due" in text
    assert "Please pay" not in text


@pytest.mark.parametrize(
    ("minor", "currency", "locale", "shown"),
    [
        (123456789, "EUR", "de-DE", "1.234.567,89 €"),
        (1234567, "JPY", "en", "¥1,234,567"),
        (1234567, "KWD", "en", "KWD 1,234.567"),
        (5, "KWD", "en", "KWD 0.005"),
        (123456, "EUR", "fr-FR", "1 234,56 €"),
        (12345678, "INR", "en-IN", "₹1,23,456.78"),
        (100, "MGA", "en", "MGA 1.00"),
    ],
)
def test_amounts_have_the_decimals_of_iso_4217_and_the_marks_of_the_locale(
    minor: int, currency: str, locale: str, shown: str
) -> None:
    text = unwrapped(text_of(one_line("Consulting", minor, currency, locale)))
    assert f"{words(locale)['total']}{unwrapped(shown)}" in text


def test_a_locale_that_no_font_can_write_falls_back_to_english_numbers() -> None:
    text = text_of(one_line("Consulting", 1234567, "JPY", "bo-CN"))  # nobody has Tibetan
    assert "¥1,234,567 due December 15, 2026" in text


def test_a_period_covers_the_days_of_the_invoices_time_zone() -> None:
    paris = replace(
        CALLS,
        period_start=datetime(2026, 10, 31, 23, tzinfo=UTC),
        period_end=datetime(2026, 11, 30, 23, tzinfo=UTC),
    )
    document = replace(DOCUMENT, lines=(paris,), timezone="Europe/Paris", locale="en-GB")
    assert "1-30 Nov 2026" in text_of(document)


@pytest.mark.parametrize(
    "hostile",
    [
        '#set page(paper: "a6")',
        "#panic()",
        '#read("/etc/passwd")',
        "$x^2$",
        "*bold* _it_ `raw` = head",
        "@ref <label>",
        "\\ back\\slash \\u{41}",
        "<script>alert(1)</script>",
        "// comment /* and */ more",
        "]]] }}} )))",
        '", "evil": "',
        "{number} {0} %s",
    ],
)
def test_markup_in_what_people_wrote_is_only_text(hostile: str) -> None:
    document = replace(
        DOCUMENT,
        lines=(replace(CALLS, description=f"line {hostile}", unit=hostile[:9]),),
        customer=Party(f"name {hostile}", (f"address {hostile}",)),
        seller=Party(f"seller {hostile}"),
        memo=f"memo {hostile}",
    )
    pdf = render(document, OPEN)
    text = unwrapped("".join(pages_of(pdf)))
    for place in ("line", "name", "address", "seller", "memo"):
        assert unwrapped(f"{place} {hostile}") in text
    box = pypdf.PdfReader(io.BytesIO(pdf)).pages[0].mediabox
    assert (round(box.width), round(box.height)) == (595, 842)  # still A4


@given(st.text(max_size=60))
@settings(max_examples=20, deadline=None)
def test_no_text_whatever_prevents_an_invoice(anything: str) -> None:
    document = replace(
        DOCUMENT,
        customer=Party(anything, (anything,)),
        memo=anything,
        lines=(DocumentLine(anything, 100, quantity=Decimal(1), unit=anything),),
    )
    assert "$282.55 due" in text_of(document)


def test_control_characters_leave_an_archivable_file() -> None:
    pdf = render(replace(DOCUMENT, memo="a\x00b\x07c\r\nd"), OPEN)
    assert "a b c\nd" in "".join(pages_of(pdf))
    assert b"<pdfaid:part>3</pdfaid:part>" in pdf


def test_long_names_without_spaces_wrap_and_stay_whole_when_copied() -> None:
    name = "".join(f"segment{number:03}" for number in range(25))
    text = text_of(replace(DOCUMENT, lines=(replace(CALLS, description=name, unit=name),)))
    assert unwrapped(text).count(name) >= 1
    assert max(len(line) for line in text.splitlines()) < 120


def test_five_hundred_lines_flow_over_pages_that_each_say_what_they_are() -> None:
    lines = tuple(replace(CALLS, description=f"Item {number:03}.") for number in range(500))
    pages = pages_of(render(replace(DOCUMENT, lines=lines), OPEN))
    assert len(pages) > 20
    for number, page in enumerate(pages, start=1):
        assert f"Page {number} of {len(pages)}" in page
        assert "NW-2026-000123" in page
    for page in pages[:-1]:
        assert re.search(r"Description\s+Period\s+Quantity\s+Unit price\s+Amount", page)
    whole = "\n".join(pages)
    assert [whole.count(f"Item {number:03}.") for number in range(500)] == [1] * 500


def test_a_line_and_its_steps_stay_on_one_page() -> None:
    lines = tuple(replace(CALLS, description=f"Item {number:03}.") for number in range(60))
    for page in pages_of(render(replace(DOCUMENT, lines=lines), OPEN)):
        assert page.count("Item ") == page.count("Included, up to") == page.count("Over 9,000")


def test_columns_that_would_be_empty_are_left_out() -> None:
    text = text_of(one_line("Consulting", 100000, "USD", "en-US"))
    assert "Description" in text
    for column in ("Period", "Quantity", "Unit price"):
        assert column not in text


def test_the_same_input_gives_the_same_bytes_also_in_another_process() -> None:
    first = render(DOCUMENT, PAID)
    render(one_line("Something else", 1, "EUR", "de"), OPEN)
    assert render(DOCUMENT, PAID) == first
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        assert other.submit(render, DOCUMENT, PAID).result() == first


def test_threads_each_get_their_own_invoice() -> None:
    documents = [replace(DOCUMENT, number=f"T-{number}") for number in range(8)]
    with ThreadPoolExecutor(4) as threads:
        pdfs = list(threads.map(lambda document: render(document, OPEN), documents))
    for document, pdf in zip(documents, pdfs, strict=True):
        assert f"quote {document.number}." in "".join(pages_of(pdf))


def test_the_etag_is_strong_and_follows_the_bytes() -> None:
    opened, paid = render(DOCUMENT, OPEN), render(DOCUMENT, PAID)
    assert pdf_etag(opened) == f'"{sha256(opened).hexdigest()}"'
    assert pdf_etag(opened) != pdf_etag(paid)


def test_the_file_is_tagged_archivable_and_named() -> None:
    pdf = render(DOCUMENT, OPEN)
    reader = pypdf.PdfReader(io.BytesIO(pdf))
    assert reader.metadata is not None
    assert reader.metadata.title == "Invoice NW-2026-000123 from Northwind Analytics Ltd"
    assert reader.metadata.author == "Northwind Analytics Ltd"
    assert reader.metadata.creation_date == datetime(2026, 12, 1, tzinfo=UTC)
    catalog = reader.root_object
    assert str(catalog["/Lang"]) == "en"
    assert "/StructTreeRoot" in catalog
    for mark in (b"<pdfaid:part>3</", b"<pdfaid:conformance>A</", b"<pdfuaid:part>1</"):
        assert mark in pdf


def test_only_fonts_that_came_with_a_package_are_used() -> None:
    names = re.findall(rb"/BaseFont/([^ /\n]+)", render(DOCUMENT, OPEN))
    assert names
    assert all(b"+Inter" in name for name in names)


def test_an_unknown_locale_or_currency_is_named() -> None:
    with pytest.raises(UnknownLocale):
        render(replace(DOCUMENT, locale="xx-Nowhere"), OPEN)
    with pytest.raises(UnknownCurrency):
        render(replace(DOCUMENT, currency="XXX"), OPEN)


def test_a_document_comes_back_from_its_json_unchanged() -> None:
    stored = encode(DOCUMENT)
    assert decode(stored) == DOCUMENT
    assert encode(decode(stored)) == stored
    assert b'"percent":"8.25"' in stored
    assert b'"issued_on":"2026-12-01"' in stored
    assert b'"from":"1000"' in stored


def test_a_document_comes_back_from_jsonb_which_sorts_its_keys() -> None:
    sorted_keys = msgspec.json.encode(msgspec.json.decode(encode(DOCUMENT)), order="sorted")
    assert decode(sorted_keys) == DOCUMENT


STEPS = (
    LineDetail("package", D(15), D(3), D(5), size=D(1000)),
    LineDetail("volume", D(1503), D(1500), D(1), D(3), D(1000)),
    LineDetail("capacity", D(20), D(950), flat=D(20), from_=D(0), up_to=D(1000)),
    LineDetail("block", D(10), D(2), D(5), from_=D(0), up_to=D(2), size=D(100)),
    LineDetail("free_events", D(0), D(100), event_count=1),
    LineDetail("percentage", D("15.3"), D(1000), rate=D("1.5"), fixed=D("0.3"), event_count=1),
    LineDetail("event_min", D(2), D(35), D(1), event_count=2),
    LineDetail("event_max", D(20), D(9000), D(20), event_count=1),
    LineDetail("percentage_tier", D(21), D(1000), flat=D(1), from_=D(0), up_to=D(9), rate=D(2)),
    LineDetail("dynamic", D("0.5"), D(2), event_count=2),
    LineDetail("per_unit", D(1000), D(500), D(2), custom_unit="credits"),
    LineDetail("conversion", D(10), D(1000), D("0.01")),
    LineDetail("minimum", D(2), flat=D(12)),
    LineDetail("maximum", D(-2), flat=D(12)),
)


def test_the_steps_of_every_model_are_printed_in_words() -> None:
    lines = (replace(CALLS, details=STEPS),)
    text = unwrapped(text_of(replace(DOCUMENT, lines=lines)))
    for part in (
        "Packages of 1,000",
        "All units, tier: Over 1,000, plus $3.00 flat",
        "Peak, tier: First 1,000",
        "Blocks of 100, tier: First 2",
        "Free, with 1 free events",
        "1.5% of the amount, plus $0.30 for each of 1 events",
        "2 events at the minimum of $1.00",
        "1 events at the maximum of $20.00",
        "2%, tier: First 9, plus $1.00 flat",
        "2 events with amounts of their own",
        "2 credits",
        "1,000 credits",
        "In money",
        "Up to the minimum of $12.00",
        "Down to the maximum of $12.00",
    ):
        assert unwrapped(part) in text, part
