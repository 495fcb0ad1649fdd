"""A mail as the bytes of a message (RFC 5322). Pure."""

from collections.abc import Sequence
from datetime import date, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from uuid import UUID

import msgspec
from babel.dates import format_date

from tallystick.documents.document import InvoiceDocument
from tallystick.documents.labels import words
from tallystick.mail.model import Sender
from tallystick.money.amount import Money
from tallystick.money.text import show_money
from tallystick.payments.requests import Card


class Letter(msgspec.Struct, frozen=True):
    """What a mail says, in the customer's language."""

    subject: str
    text: str


def letter(document: InvoiceDocument, due: Money, link: str) -> Letter:
    """Return what to write about an invoice: its number, what is due, where it is read and paid."""
    labels = words(document.locale)
    subject = labels["title"].format(
        kind=labels["invoice"], number=document.number, seller=document.seller.name
    )
    facts = [
        (labels["invoice_number"], document.number),
        (labels["issued_on"], _day(document.issued_on, document.locale)),
    ]
    if document.due_on is not None:
        facts.append((labels["due_on"], _day(document.due_on, document.locale)))
    facts.append((labels["amount_due"], show_money(due, document.locale)))
    lines = [f"{name}: {value}" for name, value in facts]
    lines += ["", link, "", document.seller.name]
    return Letter(_line(subject), "\n".join(lines) + "\n")


def card_letter(card: Card, locale: str, seller: str, link: str) -> Letter:
    """Return what to write about a card whose month nears its end, or is over."""
    labels = words(locale)
    facts = {
        "card": f"{card.brand.upper()} {card.last4}",
        "month": f"{card.exp_month:02}/{card.exp_year}",
    }
    subject = labels["card_subject"].format(**facts, seller=seller)
    lines = [labels["card_text"].format(**facts), "", link, "", seller]
    return Letter(_line(subject), "\n".join(lines) + "\n")


def message(
    mail_id: UUID,
    sender: Sender,
    to: Sequence[str],
    content: Letter,
    pdf: bytes | None = None,
    *,
    file_name: str = "",
    at: datetime,
) -> bytes:
    """Return the message with the PDF attached, if it has one; the same bytes for the same mail.

    Its Message-ID is the mail's own, so that who gets it twice can tell.
    """
    # Names in any script are encoded; an address in one can only be sent as it is (RFC 6531).
    found = EmailMessage(policy=SMTP if all(map(str.isascii, to)) else SMTPUTF8)
    domain = sender.address.rpartition("@")[2]
    found["From"] = Address(_line(sender.name), addr_spec=sender.address)
    found["To"] = ", ".join(to)
    found["Subject"] = content.subject
    found["Date"] = format_datetime(at)
    found["Message-ID"] = f"<{mail_id}@{domain}>"
    found["Auto-Submitted"] = "auto-generated"
    found.set_content(content.text)
    if pdf is not None:
        found.add_attachment(pdf, maintype="application", subtype="pdf", filename=file_name)
    for part in found.walk():
        if part.is_multipart():
            part.set_boundary(f"=_{mail_id.hex}")
    return found.as_bytes()


def _day(day: date, locale: str) -> str:
    return format_date(day, "long", locale=locale.replace("-", "_"))


def _line(text: str) -> str:
    """Return the text on one line: a line break would begin another field of the head."""
    return " ".join(text.split())
