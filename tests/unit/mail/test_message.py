from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import UUID

import pytest
from msgspec.structs import replace

from tallystick.documents.document import InvoiceDocument, Party
from tallystick.mail.message import Letter, card_letter, letter, message
from tallystick.mail.model import Sender
from tallystick.money.amount import Money
from tallystick.payments.requests import Card

MAIL = UUID("01890000-0000-7000-8000-000000000001")
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
DOCUMENT = InvoiceDocument(
    number="INV-2026-000001",
    issued_on=date(2026, 3, 1),
    due_on=date(2026, 3, 15),
    currency="EUR",
    locale="de-DE",
    timezone="Europe/Berlin",
    account_id="acct_x",
    seller=Party("Müller GmbH"),
    customer=Party("Ada"),
    lines=(),
    subtotal_minor=5900,
    total_minor=5900,
)
LINK = "https://pay.example/billing/invoices/inv_x"


def sent(content: Letter, *to: str) -> EmailMessage:
    made = message(
        MAIL,
        Sender("billing@mueller.example", "Müller GmbH"),
        to or ("ada@example.com",),
        content,
        b"%PDF-1.7 \x00\xff",
        file_name="INV-2026-000001.pdf",
        at=AT,
    )
    return message_from_bytes(made, policy=policy.default)


def test_a_mail_speaks_the_customers_language() -> None:
    content = letter(DOCUMENT, Money(5900, "EUR"), LINK)
    assert "Rechnung INV-2026-000001" in content.subject
    assert "59,00\u00a0€" in content.text
    assert "15. März 2026" in content.text
    assert LINK in content.text


def test_an_invoice_without_a_due_day_says_none() -> None:
    content = letter(replace(DOCUMENT, due_on=None), Money(0, "EUR"), LINK)
    assert "Fällig" not in content.text


def test_the_pdf_is_attached_as_it_is() -> None:
    mail = sent(letter(DOCUMENT, Money(5900, "EUR"), LINK), "a@example.com", "b@example.com")
    (attachment,) = mail.iter_attachments()
    assert attachment.get_filename() == "INV-2026-000001.pdf"
    assert attachment.get_content() == b"%PDF-1.7 \x00\xff"
    assert mail["To"] == "a@example.com, b@example.com"
    assert mail["Message-ID"] == f"<{MAIL}@mueller.example>"
    body = mail.get_body(("plain",))
    assert body is not None
    assert "Müller GmbH" in body.get_content()


@pytest.mark.parametrize("name", ["Acme\r\nBcc: all@example.com", "Acme\nSubject: cheap"])
def test_no_name_begins_a_field_of_the_head(name: str) -> None:
    document = replace(DOCUMENT, seller=Party(name))
    mail = sent(letter(document, Money(0, "EUR"), LINK))
    assert mail["Bcc"] is None
    assert len(mail.get_all("Subject", [])) == 1


def test_the_same_mail_is_the_same_bytes() -> None:
    content = letter(DOCUMENT, Money(5900, "EUR"), LINK)
    sender = Sender("billing@example.com", "Acme")
    one, two = [
        message(MAIL, sender, ["a@example.com"], content, b"x", file_name="x.pdf", at=AT)
        for _ in range(2)
    ]
    assert one == two


@pytest.mark.parametrize(
    ("locale", "word"),
    [("de-DE", "Karte"), ("en-US", "card"), ("ja-JP", "カード"), ("sv-SE", "card")],
)
def test_a_card_that_expires_is_told_of_by_what_may_be_shown(locale: str, word: str) -> None:
    content = card_letter(Card("visa", "4242", 3, 2026), locale, "Müller\nGmbH", LINK)
    assert word in content.subject
    for part in ("VISA 4242", "03/2026"):
        assert part in content.subject
        assert part in content.text
    assert "\n" not in content.subject
    assert LINK in content.text


def test_a_mail_without_a_pdf_is_plain_text() -> None:
    content = card_letter(Card("visa", "4242", 3, 2026), "en-US", "Seller", LINK)
    sender = Sender("billing@mueller.example", "Müller GmbH")
    made = message(MAIL, sender, ["ada@example.com"], content, at=AT)
    assert made == message(MAIL, sender, ["ada@example.com"], content, at=AT)
    read = message_from_bytes(made, policy=policy.default)
    assert read.get_content_type() == "text/plain"
