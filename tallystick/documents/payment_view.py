"""What a page says of money that came or is still to come, and of taxes, ready to print."""

from collections.abc import Iterator
from typing import Final

from tallystick.documents.document import PaymentState, TaxLine
from tallystick.documents.labels import Words
from tallystick.documents.line_view import View
from tallystick.documents.sheet import Sheet

IBAN_GROUP: Final = 4  # how an IBAN is printed: ISO 13616-1, 5.1
_MARKED: Final = ("paid", "void", "uncollectible")


def mark(sheet: Sheet) -> str | None:
    """Return the stamp: void, or an invoice's payment state; one that is open has none."""
    payment = sheet.payment
    if payment is None:
        return None
    if payment.status in _MARKED:
        return sheet.words[f"mark_{payment.status}"]
    is_partly_paid = 0 < payment.paid_minor < sheet.payable_minor
    return sheet.words["mark_partly_paid"] if is_partly_paid else None


def headline(sheet: Sheet) -> str:
    """Return the one sentence of a page: how much, until when."""
    words, write, payment, receipt = sheet.words, sheet.write, sheet.payment, sheet.receipt
    total = write.money(sheet.payable_minor)
    if receipt:
        amount, day = write.money(receipt.amount_minor), write.day(receipt.paid_on)
        return words["headline_paid"].format(amount=amount, date=day)
    if payment is None:
        return words["headline_credited"].format(amount=total, date=write.day(sheet.dated_on))
    if payment.status == "void":
        is_credit = sheet.document.kind == "credit_note"
        return words["mark_void" if is_credit else "headline_void"]
    if payment.status == "paid" and payment.paid_on:
        return words["headline_paid"].format(amount=total, date=write.day(payment.paid_on))
    if sheet.due_minor <= 0:
        return words["headline_settled"].format(amount=total)
    return words["headline_due"].format(amount=write.money(sheet.due_minor), date=_pay_by(sheet))


def totals(sheet: Sheet) -> Iterator[View]:
    """Yield the rows under the lines; each tax has its base, and why none is charged."""
    document, words = sheet.document, sheet.words
    is_credit = document.kind == "credit_note"
    yield _row(sheet, words["subtotal"], document.subtotal_minor)
    for tax in document.taxes:
        yield _tax_row(tax, sheet)
    if document.rounding_minor:
        yield _row(sheet, words["rounding"], document.rounding_minor)
    label = words["total_credited" if is_credit else "total"]
    yield _row(sheet, label, sheet.payable_minor, "due" if is_credit else "total")
    if sheet.receipt:
        yield _row(sheet, words["paid_now"], sheet.receipt.amount_minor, "due")
    elif sheet.payment and not is_credit:
        if sheet.payment.paid_minor:
            yield _row(sheet, words["amount_paid"], -sheet.payment.paid_minor)
        if sheet.payment.credited_minor:
            yield _row(sheet, words["amount_credited"], -sheet.payment.credited_minor)
        yield _row(sheet, words["amount_due"], sheet.due_minor, "due")


def _row(sheet: Sheet, label: str, minor: int, kind: str = "plain") -> dict[str, View]:
    return {"label": label, "amount": sheet.write.money(minor), "kind": kind, "note": None}


def _tax_row(tax: TaxLine, sheet: Sheet) -> View:
    base, percent = sheet.write.money(tax.base_minor), sheet.write.percent(tax.percent)
    label = sheet.words["tax"].format(name=tax.name, percent=percent, base=base)
    return {**_row(sheet, label, tax.amount_minor), "note": tax_reason(tax, sheet.words)}


def tax_reason(tax: TaxLine, words: Words) -> str | None:
    """Return why nothing is charged: as it was frozen, else the words for the tax's category."""
    if tax.reason or tax.category in (None, "S"):
        return tax.reason
    return words[f"reason_{tax.category.lower()}"]


def notes(sheet: Sheet) -> Iterator[View]:
    """Yield what stands under the totals: how it was or is paid, the bank, the memo."""
    words, document = sheet.words, sheet.document
    paying = [*_payment_lines(sheet)]
    if paying:
        yield {"label": words["payment"], "lines": [*paying], "rows": []}
    if document.bank and sheet.due_minor > 0:
        yield {"label": words["bank_transfer"], "lines": [], "rows": [*_bank_rows(sheet)]}
    if document.memo:
        yield {"label": words["memo"], "lines": [*document.memo.splitlines()], "rows": []}


def _payment_lines(sheet: Sheet) -> Iterator[str]:
    """Yield how it was paid, or how to pay what is still due."""
    words, write, document = sheet.words, sheet.write, sheet.document
    if document.kind == "credit_note":
        if sheet.payment is None:
            yield words["credit_applied"]
        return
    if sheet.payment and sheet.payment.paid_on:
        yield _was_paid(sheet.payment, sheet)
    if sheet.due_minor > 0:
        amount = write.money(sheet.due_minor)
        date = _pay_by(sheet)
        yield words["pay_by"].format(amount=amount, date=date, number=document.number)
        yield from (document.payment_instructions or "").splitlines()


def _was_paid(payment: PaymentState, sheet: Sheet) -> str:
    label = sheet.words["was_paid_by" if payment.method else "was_paid"]
    paid = sheet.write.money(payment.paid_minor)
    day = sheet.write.day(payment.paid_on) if payment.paid_on else ""
    return label.format(amount=paid, date=day, method=payment.method)


def _bank_rows(sheet: Sheet) -> Iterator[View]:
    bank = sheet.document.bank
    if bank is None:
        return
    shown = {
        "bank_holder": bank.holder or sheet.document.seller.name,
        "iban": grouped(bank.iban),
        "bic": bank.bic,
        "bank_name": bank.bank_name,
        "bank_reference": sheet.document.number,
    }
    for name, value in shown.items():
        if value:
            yield {"label": sheet.words[name], "value": value}


def grouped(iban: str) -> str:
    """Return an IBAN in groups of four: "GB33 BUKB 2020 1555 5555 55"."""
    bare = "".join(iban.split())
    return " ".join(bare[at : at + IBAN_GROUP] for at in range(0, len(bare), IBAN_GROUP))


def _pay_by(sheet: Sheet) -> str:
    return sheet.write.day(sheet.document.due_on or sheet.document.issued_on)
