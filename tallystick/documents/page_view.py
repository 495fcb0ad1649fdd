"""What a page says: every label, number and date as it is printed.

Labels are in the document's language, numbers, money and days as its locale writes them. The
template gets strings and lists of them, and decides nothing but their place.
"""

from collections.abc import Iterator
from typing import Final

from tallystick.documents.address import address_lines
from tallystick.documents.document import Party
from tallystick.documents.labels import Words
from tallystick.documents.line_view import View, columns, lines_view
from tallystick.documents.payment_view import headline, mark, notes, totals
from tallystick.documents.sheet import Sheet

JOINED: Final = ("ar", "he")  # letters that are joined, or carry marks, are not to be spaced apart


def printed(sheet: Sheet) -> View:
    """Return all that the template prints, in words ready to print."""
    words, document, day = sheet.words, sheet.document, sheet.dated_on
    kind, seller = words[sheet.kind], document.seller.name
    title = words["title"].format(kind=kind, number=sheet.number, seller=seller)
    return {
        "language": words.language,
        "is_right_to_left": words.is_right_to_left,
        "tracking": 0 if words.language in JOINED else 1,
        "labels": dict(words.labels),
        "title": title,
        "author": seller,
        "date": {"year": day.year, "month": day.month, "day": day.day},
        "heading": kind,
        "running": f"{kind} {sheet.number}",
        "footer": f"{sheet.number} \u00b7 {headline(sheet)}",
        "seller": _party(document.seller, words),
        "customer": _party(document.customer, words),
        "facts": list(_facts(sheet)),
        "mark": mark(sheet),
        "headline": headline(sheet),
        "columns": columns(document.lines),
        "lines": list(lines_view(document.lines, words, sheet.write)),
        "totals": list(totals(sheet)),
        "notes": list(notes(sheet)),
    }


def _facts(sheet: Sheet) -> Iterator[View]:
    """Yield number, days, references, then the account's own facts."""
    words, document = sheet.words, sheet.document
    own = _receipt_facts(sheet) if sheet.receipt else _document_facts(sheet)
    shared = {
        "purchase_order": document.purchase_order,
        "buyer_reference": document.buyer_reference,
        "account": document.account_id,
    }
    for name, value in {**own, **shared}.items():
        if value:
            yield {"label": words[name], "value": value}
    for field in document.custom_fields:
        yield {"label": field.label, "value": field.value}


def _document_facts(sheet: Sheet) -> dict[str, str | None]:
    document, write, payment = sheet.document, sheet.write, sheet.payment
    paid_on = payment.paid_on if payment and payment.status == "paid" else None
    return {
        f"{document.kind}_number": document.number,
        "issued_on": write.day(document.issued_on),
        "due_on": write.day(document.due_on) if document.due_on else None,
        "paid_on": write.day(paid_on) if paid_on else None,
        "refers_to": _refers_to(sheet),
    }


def _receipt_facts(sheet: Sheet) -> dict[str, str | None]:
    receipt, write = sheet.receipt, sheet.write
    return {
        "receipt_number": sheet.number,
        "paid_on": write.day(sheet.dated_on),
        "method": receipt.method if receipt else None,
        "invoice_number": sheet.document.number,
        "issued_on": write.day(sheet.document.issued_on),
    }


def _refers_to(sheet: Sheet) -> str | None:
    reference = sheet.document.refers_to
    if reference is None:
        return None
    day = sheet.write.day(reference.issued_on)
    return sheet.words["refers_to_of"].format(number=reference.number, date=day)


def _party(party: Party, words: Words) -> View:
    address = address_lines(party, words.language)
    tax_id = words["tax_id"].format(id=party.tax_id) if party.tax_id else None
    number = party.registration_number
    registration = words["registration"].format(id=number) if number else None
    return {
        "name": party.name,
        "lines": [line for line in (*address, party.email, tax_id, registration) if line],
    }
