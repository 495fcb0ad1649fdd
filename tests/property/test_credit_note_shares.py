"""Any sequence of notes takes exactly the invoice, and never more of any part of it."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.credit_notes.amounts import shares_of_total
from tallystick.credit_notes.model import Take
from tallystick.credit_notes.shares import (
    Left,
    Shares,
    TakenLine,
    TakenTax,
    all_left,
    left_of,
    shares_of,
)
from tallystick.documents.document import DocumentLine, InvoiceDocument, Party, TaxLine
from tallystick.invoices.model import InvoiceLine
from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.money.amount import Money
from tallystick.money.rounding import round_ratio

AT = datetime(2026, 3, 1, tzinfo=UTC)


class Taken:
    """An invoice of lines (amount, quantity, its taxes) and what notes took of it so far."""

    def __init__(
        self, lines: Sequence[tuple[int, str, tuple[int, ...]]], percents: Sequence[int]
    ) -> None:
        self.lines = tuple(
            line(at, amount, quantity) for at, (amount, quantity, _) in enumerate(lines, 1)
        )
        self.document = document([one for _, _, one in lines], self.lines, percents)
        self.taken_lines: dict[UUID, TakenLine] = {}
        self.taken_taxes: dict[int, TakenTax] = {}

    def left(self) -> Left:
        return left_of(self.lines, self.document, self.taken_lines, self.taken_taxes)

    def take(self, *takes: Take) -> Shares:
        left = self.left()
        shares = shares_of(left, takes or all_left(left))
        self._count(shares, 1)
        return shares

    def take_total(self, total: int) -> Shares:
        shares = shares_of_total(self.left(), total)
        self._count(shares, 1)
        return shares

    def void(self, shares: Shares) -> None:
        self._count(shares, -1)

    def _count(self, shares: Shares, sign: int) -> None:
        for share in shares.lines:
            was = self.taken_lines.get(share.invoice_line_id, TakenLine())
            self.taken_lines[share.invoice_line_id] = TakenLine(
                was.amount + sign * share.amount_minor,
                was.net + sign * share.net_minor,
                was.quantity + sign * (share.quantity or 0),
            )
        for tax in shares.taxes:
            before = self.taken_taxes.get(tax.place, TakenTax())
            self.taken_taxes[tax.place] = TakenTax(
                before.base + sign * tax.base_minor, before.amount + sign * tax.amount_minor
            )


def line(position: int, amount: int, quantity: str = "1") -> InvoiceLine:
    return InvoiceLine(
        invoice_line_id=UUID(int=position),
        position=position,
        kind="one_off" if amount > 0 else "discount",
        description=f"Line {position}",
        price_code=None,
        meter_code=None,
        quantity=Decimal(quantity),
        unit=None,
        period_start=None,
        period_end=None,
        amount=Money(amount, "EUR"),
    )


def document(
    taxes: Sequence[tuple[int, ...]], lines: Sequence[InvoiceLine], percents: Sequence[int]
) -> InvoiceDocument:
    amounts = [one.amount.minor for one in lines]
    bases = [
        sum(amount for amount, of in zip(amounts, taxes, strict=True) if not of or place in of)
        for place in range(len(percents))
    ]
    tax_lines = tuple(
        TaxLine(f"Tax {place}", Decimal(percent), base, round_ratio(base * percent, 100))
        for place, (base, percent) in enumerate(zip(bases, percents, strict=True))
    )
    subtotal = sum(amounts)
    return InvoiceDocument(
        number="INV-2026-000001",
        issued_on=date(2026, 3, 1),
        due_on=date(2026, 3, 15),
        currency="EUR",
        locale="en-US",
        timezone="UTC",
        account_id="acct_x",
        seller=Party("S"),
        customer=Party("C"),
        lines=tuple(
            DocumentLine(one.description, one.amount.minor, taxes=of)
            for one, of in zip(lines, taxes, strict=True)
        ),
        subtotal_minor=subtotal,
        total_minor=subtotal + sum(one.amount_minor for one in tax_lines),
        taxes=tax_lines,
    )


@st.composite
def invoices(draw: st.DrawFn) -> Taken:
    """Lines above zero, discounts on what has the same taxes, up to three taxes."""
    percents = draw(st.lists(st.integers(0, 27), max_size=3))
    places = st.sets(st.sampled_from(range(len(percents)))) if percents else st.just(set[int]())
    groups = draw(st.lists(places.map(lambda one: tuple(sorted(one))), min_size=1, max_size=3))
    lines: list[tuple[int, str, tuple[int, ...]]] = []
    for group in groups:
        amounts = draw(st.lists(st.integers(1, 10_000), min_size=1, max_size=3))
        lines += [(amount, draw(st.sampled_from(["1", "3", "0.7"])), group) for amount in amounts]
        off = draw(st.integers(0, sum(amounts)))
        if off:
            lines.append((-off, "1", group))
    return Taken(lines, percents)


def some_of(data: st.DataObject, invoice: Taken) -> list[Take]:
    takes = []
    for one in invoice.left().lines:
        if one.left <= 0 or not data.draw(st.booleans()):
            continue
        line_id = one.line.invoice_line_id
        left = one.line.quantity - one.taken.quantity
        if data.draw(st.booleans()) and left > 0 and one.left > 1:
            takes.append(Take(invoice_line_id=line_id, quantity=left / 2))
        else:
            amount = data.draw(st.integers(1, one.left))
            takes.append(Take(invoice_line_id=line_id, amount_minor=amount))
    return takes


@given(st.data())
def test_any_notes_together_take_the_invoice_and_leave_nothing(data: st.DataObject) -> None:
    invoice = data.draw(invoices())
    notes: list[Shares] = []
    for _ in range(data.draw(st.integers(0, 5))):
        takes = some_of(data, invoice)
        if takes:
            notes.append(invoice.take(*takes))
        is_voided = data.draw(st.booleans())
        if notes and is_voided:
            invoice.void(notes.pop(data.draw(st.integers(0, len(notes) - 1))))
    if all_left(invoice.left()):
        notes.append(invoice.take())
    assert all(share.net_minor >= 0 for note in notes for share in note.lines)
    assert all(tax.amount_minor >= 0 for note in notes for tax in note.taxes)
    assert sum(note.subtotal for note in notes) == invoice.document.subtotal_minor
    assert sum(note.subtotal + note.tax for note in notes) == invoice.document.total_minor
    for one in invoice.lines:
        of_line = [s for n in notes for s in n.lines if s.invoice_line_id == one.invoice_line_id]
        assert sum(share.amount_minor for share in of_line) == max(one.amount.minor, 0)
    for place, tax in enumerate(invoice.document.taxes):
        of_tax = [share for note in notes for share in note.taxes if share.place == place]
        assert sum(share.amount_minor for share in of_tax) == tax.amount_minor
        assert sum(share.base_minor for share in of_tax) == tax.base_minor


@given(st.data())
def test_notes_over_amounts_come_to_them_exactly_and_leave_nothing(data: st.DataObject) -> None:
    invoice = data.draw(invoices())
    whole = left = invoice.document.total_minor
    notes: list[Shares] = []
    for _ in range(data.draw(st.integers(1, 5))):
        wanted = data.draw(st.integers(1, max(left, 1)))
        try:
            note = invoice.take_total(wanted)
        except Conflict as refused:
            # A unit that would bring its tax with it; what is left of the lines may be nothing.
            assert refused.code == "credit_note_empty" or left < wanted  # noqa: PT017
            continue
        assert note.subtotal + note.tax == wanted
        assert note.lines
        notes.append(note)
        left -= wanted
    with pytest.raises(Conflict, match="credited"):
        invoice.take_total(left + 1)
    if all_left(invoice.left()):
        notes.append(invoice.take())
    assert sum(note.subtotal + note.tax for note in notes) == whole
    for place, tax in enumerate(invoice.document.taxes):
        of_tax = [share for note in notes for share in note.taxes if share.place == place]
        assert sum(share.amount_minor for share in of_tax) == tax.amount_minor


def test_an_amount_between_two_steps_of_its_tax_takes_the_tax_first() -> None:
    invoice = Taken([(1000, "1", ())], [20])
    first, second = invoice.take_total(3), invoice.take_total(1)
    assert [(one.subtotal, one.tax) for one in (first, second)] == [(2, 1), (1, 0)]


def test_a_line_taken_in_three_parts_gives_its_tax_in_three_parts() -> None:
    invoice = Taken([(300, "3", ())], [33])
    parts = [invoice.take(Take(invoice_line_id=UUID(int=1), amount_minor=100)) for _ in range(3)]
    assert [part.tax for part in parts] == [33, 33, 33]
    invoice = Taken([(301, "3", ())], [33])
    parts = [invoice.take(Take(invoice_line_id=UUID(int=1), quantity=Decimal(1))) for _ in range(3)]
    assert [part.subtotal for part in parts] == [100, 101, 100]
    assert sum(part.tax for part in parts) == 99


def test_a_coupon_is_given_back_with_the_lines_that_it_lowered() -> None:
    invoice = Taken([(6000, "1", ()), (4000, "1", ()), (-1000, "1", ())], [20])
    shares = invoice.take(Take(invoice_line_id=UUID(int=1)))
    assert [(one.amount_minor, one.net_minor) for one in shares.lines] == [(6000, 5400)]
    assert shares.tax == 1080
    assert invoice.take().subtotal == 3600


def test_only_the_taxes_of_its_lines_stand_on_a_note() -> None:
    invoice = Taken([(1000, "1", (0,)), (2000, "1", (1,))], [20, 10])
    shares = invoice.take(Take(invoice_line_id=UUID(int=2)))
    assert [(tax.place, tax.amount_minor) for tax in shares.taxes] == [(1, 200)]


@pytest.mark.parametrize(
    ("take", "code"),
    [
        (Take(invoice_line_id=UUID(int=1), amount_minor=1, quantity=Decimal(1)), "one_of"),
        (Take(invoice_line_id=UUID(int=1), amount_minor=1001), "exceeds_line"),
        (Take(invoice_line_id=UUID(int=1), amount_minor=0), "exceeds_line"),
        (Take(invoice_line_id=UUID(int=1), quantity=Decimal("1.1")), "exceeds_line"),
        (Take(invoice_line_id=UUID(int=1), quantity=Decimal(0)), "exceeds_line"),
    ],
)
def test_what_a_line_has_not_is_refused_by_its_place(take: Take, code: str) -> None:
    invoice = Taken([(1000, "1", ()), (-100, "1", ())], [])
    with pytest.raises(BadInput) as refused:
        invoice.take(take)
    assert refused.value.errors[0].code == code
    assert refused.value.errors[0].field.startswith("lines[0]")


def test_a_line_is_named_once() -> None:
    invoice = Taken([(1000, "1", ())], [])
    one = Take(invoice_line_id=UUID(int=1), amount_minor=1)
    with pytest.raises(BadInput, match="once"):
        invoice.take(one, one)


@pytest.mark.parametrize("number", [2, 9])
def test_a_line_that_is_not_above_zero_is_not_found(number: int) -> None:
    invoice = Taken([(1000, "1", ()), (-100, "1", ())], [])
    with pytest.raises(NotFound):
        invoice.take(Take(invoice_line_id=UUID(int=number)))
