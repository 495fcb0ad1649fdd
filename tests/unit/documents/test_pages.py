import io
import re
import struct
import zlib
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import msgspec
import pypdf
import pytest

from tallystick.documents import fonts, typesetting
from tallystick.documents.document import (
    InvoiceDocument,
    Party,
    PaymentState,
    Receipt,
    Reference,
    TaxCategory,
    TaxLine,
)
from tallystick.documents.pdf import render, render_receipt
from tallystick.kernel.errors import Unavailable

OPEN = PaymentState("open")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle r="4"/></svg>'
replace = msgspec.structs.replace
TextOf = Callable[[bytes], str]


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\0" + b"\x0f\x76\x6e" * width) * height
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            chunk(b"IDAT", zlib.compress(rows)),
            chunk(b"IEND", b""),
        ]
    )


def is_archival(pdf: bytes) -> bool:
    return b"<pdfaid:part>3</pdfaid:part>" in pdf and b"<pdfuaid:part>1</" in pdf


@pytest.mark.parametrize(
    ("locale", "parts"),
    [
        (
            "de-DE",
            ["Rechnung", "Fällig am", "108,00 € fällig am 15. Dezember 2026", "Menge"],
        ),
        ("fr-FR", ["Facture", "108,00 € à payer avant le 15 décembre 2026", "Virement bancaire"]),
        ("es", ["Factura", "Precio unitario", "Transferencia bancaria"]),
        ("it", ["Fattura", "Scadenza", "Importo dovuto"]),
        ("nl", ["Factuur", "Te betalen", "Omschrijving"]),
        ("pt-PT", ["Fatura", "Valor a pagar", "Descrição"]),
        ("pl", ["Faktura", "Do zapłaty", "Sprzedawca"]),
        ("ja", ["請求書", "支払期限", "銀行振込"]),
        ("zh-CN", ["发票", "到期日", "银行转账"]),
    ],
)
def test_a_page_speaks_the_documents_language(
    document: InvoiceDocument, text_of: TextOf, locale: str, parts: list[str]
) -> None:
    pdf = render(replace(document, locale=locale), OPEN)
    text = text_of(pdf)
    for part in parts:
        assert part in text
    catalog = pypdf.PdfReader(io.BytesIO(pdf)).root_object
    assert str(catalog["/Lang"]).split("-")[0] == locale[:2]
    assert is_archival(pdf)


def place_of(pdf: bytes, word: str) -> float:
    """Return how far from the left edge the first text with this word begins, in points."""
    found: list[float] = []

    def visit(text: str, page: list[float], run: list[float], *_: object) -> None:
        if word in text:
            found.append(page[0] * run[4] + page[4])

    pypdf.PdfReader(io.BytesIO(pdf)).pages[0].extract_text(visitor_text=visit)
    return found[0]


def test_arabic_and_hebrew_pages_are_mirrored(document: InvoiceDocument) -> None:
    english, arabic, hebrew = (
        place_of(render(replace(document, locale=locale), OPEN), "Nordwind")
        for locale in ("en", "ar-AE", "he-IL")
    )
    middle = 595 / 2
    assert english < middle
    assert arabic > middle
    assert hebrew > middle


@pytest.mark.parametrize(
    "name",
    [
        "شركة الرياح الشمالية",
        "נורתווינד בע״מ",
        "北風アナリティクス株式会社",
        "北风数据分析有限公司",
        "주식회사 북풍",
        "नमस्ते व्यापार प्राइवेट लिमिटेड",
        "บริษัท สวัสดี จำกัด",
        "Ελληνική Εταιρεία",
        "Товариство Україна",
        "გამარჯობა",
        "বাংলাদেশ লিমিটেড",
        "Straße № 5, ĐÀO Ⅷ €₹₿",
    ],
)
def test_a_name_in_any_script_is_drawn_and_archivable(
    document: InvoiceDocument, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pdf = render(replace(document, customer=Party(name, (name,))), OPEN)
    assert is_archival(pdf)
    assert not typesetting.without_glyph(name)
    assert "document_drawn_again" not in capsys.readouterr().out


def test_a_letter_that_no_font_has_leaves_a_mark_and_the_file_archivable(
    document: InvoiceDocument, text_of: TextOf
) -> None:
    pdf = render(replace(document, memo="left \U00013000 right \ue000 end \u0378."), OPEN)
    assert is_archival(pdf)
    assert "left \ufffd right \ufffd end \ufffd." in text_of(pdf)


def test_many_letters_without_a_font_cost_a_bounded_number_of_tries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries = 0

    def counted(_: str) -> bool:
        nonlocal tries
        tries += 1
        return False

    monkeypatch.setattr(typesetting, "is_drawable", counted)
    letters = "".join(chr(0x13000 + at) for at in range(1000))
    assert typesetting.without_glyph(letters) == {*letters}
    assert tries == typesetting.PROBES_MAX


@pytest.mark.parametrize("logo", [png(64, 16), png(16, 512), SVG], ids=["wide", "high", "svg"])
def test_a_logo_stands_on_the_page_and_fits_its_place(
    document: InvoiceDocument, logo: bytes
) -> None:
    pdf = render(document, OPEN, logo)
    assert is_archival(pdf)
    assert pdf != render(document, OPEN)
    assert pdf == render(document, OPEN, logo)
    assert len(pypdf.PdfReader(io.BytesIO(pdf)).pages) == 1


@pytest.mark.parametrize(
    "logo",
    [b"", b"no picture", b"\x89PNG and no more", b"<svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>'],
    ids=["empty", "text", "png", "svg", "nothing"],
)  # fmt: skip
def test_a_logo_that_can_not_be_drawn_is_left_out(document: InvoiceDocument, logo: bytes) -> None:
    assert is_archival(render(document, OPEN, logo))


def test_a_credit_note_names_its_invoice_and_asks_for_nothing(
    document: InvoiceDocument, text_of: TextOf
) -> None:
    note = replace(
        document,
        kind="credit_note",
        number="CN-2026-000001",
        due_on=None,
        refers_to=Reference("INV-2026-000042", date(2026, 11, 1)),
    )
    text = text_of(render(note, None))
    for part in (
        "Credit note",
        "CN-2026-000001",
        "INV-2026-000042 of 1 November 2026",
        "€108.00 credited 1 December 2026",
        "Total credited",
    ):
        assert part in text
    for part in ("Date due", "Please pay", "IBAN", "Amount due"):
        assert part not in text


def test_a_receipt_says_what_was_paid_when_and_how(
    document: InvoiceDocument, text_of: TextOf
) -> None:
    receipt = Receipt("pay_1", date(2026, 12, 3), 5000, "Visa ending 4242")
    pdf = render_receipt(document, receipt)
    text = text_of(pdf)
    for part in ("Receipt", "pay_1", "3 December 2026", "Visa ending 4242", "INV-2026-000042"):
        assert part in text
    assert re.search(r"Paid by this payment\s+€50.00", text)
    assert "Please pay" not in text
    assert pdf == render_receipt(document, receipt)


@pytest.mark.parametrize(
    ("category", "locale", "shown"),
    [
        ("AE", "en", "Reverse charge: the customer accounts for the VAT."),
        ("AE", "de", "Steuerschuldnerschaft des Leistungsempfängers"),
        ("K", "en", "Intra-Community supply"),
        ("G", "en", "Export outside the EU"),
        ("E", "en", "Exempt from tax"),
        ("O", "en", "Not subject to VAT"),
        ("Z", "en", "Zero rated"),
    ],
)
def test_a_tax_of_nothing_says_why(
    document: InvoiceDocument, text_of: TextOf, category: TaxCategory, locale: str, shown: str
) -> None:
    taxes = (TaxLine("VAT", Decimal(0), 9000, 0, category),)
    free = replace(document, taxes=taxes, total_minor=9000, locale=locale)
    assert shown in re.sub(r"\s+", " ", text_of(render(free, OPEN)))
    own = replace(taxes[0], reason="Exempt under article 132")
    assert "Exempt under article 132" in text_of(render(replace(free, taxes=(own,)), OPEN))


def test_each_rate_has_its_base_and_its_tax(document: InvoiceDocument, text_of: TextOf) -> None:
    taxes = (
        TaxLine("VAT", Decimal(20), 5000, 1000, "S"),
        TaxLine("VAT", Decimal("5.5"), 4000, 220, "S"),
    )
    text = text_of(render(replace(document, taxes=taxes, total_minor=10220), OPEN))
    assert re.search(r"VAT \(20% on €50.00\)\s+€10.00", text)
    assert re.search(r"VAT \(5.5% on €40.00\)\s+€2.20", text)


def test_a_bank_transfer_has_all_that_a_bank_asks_for(
    document: InvoiceDocument, text_of: TextOf
) -> None:
    text = text_of(render(document, OPEN))
    for part in ("Bank transfer", "DE89 3704 0044 0532 0130 00", "COBADEFFXXX", "Commerzbank"):
        assert part in text
    paid = text_of(render(document, PaymentState("paid", 10800, date(2026, 12, 3))))
    assert "DE89" not in paid


def test_an_uncollectible_invoice_is_stamped(document: InvoiceDocument, text_of: TextOf) -> None:
    assert "WRITTEN OFF" in text_of(render(document, PaymentState("uncollectible")))


def test_custom_fields_stand_beside_the_number(document: InvoiceDocument, text_of: TextOf) -> None:
    text = text_of(render(document, OPEN))
    assert "Cost centre" in text
    assert "4711" in text


def test_a_renderer_that_fails_says_so_in_one_error(
    document: InvoiceDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "families", lambda *_: "no json")
    with pytest.raises(Unavailable) as caught:
        render(document, OPEN)
    assert caught.value.code == "rendering_failed"


def test_templates_that_a_machine_swept_away_are_there_again(document: InvoiceDocument) -> None:
    before = render(document, OPEN)
    for name in typesetting.TEMPLATES:
        (typesetting._folder() / name).unlink()
    assert render(document, OPEN) == before
