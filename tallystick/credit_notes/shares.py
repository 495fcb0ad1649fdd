"""What a note takes of an invoice's lines, discounts and taxes. Pure.

Any sequence of notes takes exactly the invoice, and never more of a line, a discount or a tax:

- What came off an invoice as a whole (coupons, what was given back) is split over its other lines
  by largest remainder, among those with the same taxes first. So each line has a net amount, and
  the nets sum to the subtotal.
- A note's part is the difference of two points of one rounded line: what all notes together take
  of the net, or of the tax, less what the notes before took. 1.00 of tax over a line of 3.00 that
  is taken in three parts is 0.33, 0.34 and 0.33. What takes the rest of a line takes the rest of
  its net, and what takes the rest of all lines of a tax takes the rest of the tax.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from uuid import UUID

import msgspec

from tallystick.credit_notes.model import NoteLine, NoteTax, Take
from tallystick.documents.document import InvoiceDocument
from tallystick.invoices.model import InvoiceLine
from tallystick.kernel.errors import BadInput
from tallystick.kernel.ids import unknown
from tallystick.money.amount import Money
from tallystick.money.rounding import allocate, round_ratio


class TakenLine(msgspec.Struct, frozen=True):
    """What earlier notes took of a line; `quantity` counts what was asked for by units."""

    amount: int = 0
    net: int = 0
    quantity: Decimal = Decimal(0)


class TakenTax(msgspec.Struct, frozen=True):
    """What earlier notes took of a tax."""

    base: int = 0
    amount: int = 0


class LeftLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line above zero: what it says, what of that is left after discounts, what was taken."""

    line: InvoiceLine
    net: int
    taxes: tuple[int, ...]
    taken: TakenLine

    @property
    def left(self) -> int:
        """What no note has taken of its amount."""
        return self.line.amount.minor - self.taken.amount


class LeftTax(msgspec.Struct, frozen=True, kw_only=True):
    """A tax of the invoice, and what was taken of it."""

    place: int
    name: str
    percent: Decimal
    base: int
    amount: int
    taken: TakenTax


class Left(msgspec.Struct, frozen=True):
    """An invoice as notes see it."""

    lines: tuple[LeftLine, ...]
    taxes: tuple[LeftTax, ...]


class Shares(msgspec.Struct, frozen=True):
    """What one note takes."""

    lines: tuple[NoteLine, ...]
    taxes: tuple[NoteTax, ...]

    @property
    def subtotal(self) -> int:
        """Its lines after discounts."""
        return sum(line.net_minor for line in self.lines)

    @property
    def tax(self) -> int:
        """Its taxes."""
        return sum(tax.amount_minor for tax in self.taxes)


def left_of(
    lines: Sequence[InvoiceLine],
    document: InvoiceDocument,
    taken_lines: Mapping[UUID, TakenLine],
    taken_taxes: Mapping[int, TakenTax],
) -> Left:
    """Return an issued invoice with what earlier notes took of it.

    The document's lines are those of the invoice, in their order.
    """
    everything = tuple(range(len(document.taxes)))
    taxes = [one.taxes or everything for one in document.lines]
    nets = _nets([line.amount.minor for line in lines], taxes, document.currency)
    return Left(
        lines=tuple(
            LeftLine(
                line=line,
                net=net,
                taxes=of_line,
                taken=taken_lines.get(line.invoice_line_id, TakenLine()),
            )
            for line, net, of_line in zip(lines, nets, taxes, strict=True)
            if line.amount.minor > 0
        ),
        taxes=tuple(
            LeftTax(
                place=place,
                name=tax.name,
                percent=tax.percent,
                base=tax.base_minor,
                amount=tax.amount_minor,
                taken=taken_taxes.get(place, TakenTax()),
            )
            for place, tax in enumerate(document.taxes)
        ),
    )


def all_left(left: Left) -> tuple[Take, ...]:
    """Return the wish for all that is left."""
    return tuple(
        Take(invoice_line_id=one.line.invoice_line_id) for one in left.lines if one.left > 0
    )


def shares_of(left: Left, takes: Sequence[Take]) -> Shares:
    """Return what a note over these parts takes of lines and taxes.

    Raises NotFound for a line that the invoice has not, or that is not above zero; BadInput with
    the path of what can not be taken: `line_twice`, `exceeds_line`, `one_of`.
    """
    by_id = {one.line.invoice_line_id: one for one in left.lines}
    lines: dict[UUID, NoteLine] = {}
    for at, take in enumerate(takes):
        one = by_id.get(take.invoice_line_id)
        if one is None:
            raise unknown("invoice_line")
        if take.invoice_line_id in lines:
            raise BadInput.field(f"lines[{at}].line", "line_twice", "name each line once")
        lines[take.invoice_line_id] = _line_share(one, take, f"lines[{at}]")
    taken = [_taken_after(one, lines.get(one.line.invoice_line_id)) for one in left.lines]
    return Shares(
        lines=tuple(sorted(lines.values(), key=lambda line: line.position)),
        taxes=tuple(
            share
            for share in (_tax_share(tax, left.lines, taken, lines) for tax in left.taxes)
            if share.base_minor or share.amount_minor
        ),
    )


def _nets(
    amounts: Sequence[int], taxes: Sequence[tuple[int, ...]], currency: str
) -> tuple[int, ...]:
    """Return each line's amount less its share of what is below zero; the nets sum to the whole."""
    nets = [max(amount, 0) for amount in amounts]
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for at, of_line in enumerate(taxes):
        groups[of_line].append(at)
    over = 0
    for group in groups.values():
        off = -sum(amounts[at] for at in group if amounts[at] < 0)
        over += _take_off(nets, group, off, currency)
    _take_off(nets, range(len(nets)), over, currency)
    return tuple(nets)


def _take_off(nets: list[int], group: Iterable[int], off: int, currency: str) -> int:
    """Take so much off these lines by their size; return what they can not bear."""
    there = [at for at in group if nets[at] > 0]
    weights = [nets[at] for at in there]
    part = min(off, sum(weights))
    if part:
        for at, share in zip(there, allocate(Money(part, currency), weights), strict=True):
            nets[at] -= share.minor
    return off - part


def _line_share(one: LeftLine, take: Take, path: str) -> NoteLine:
    amount = _amount_of(one, take, path)
    whole, taken = one.line.amount.minor, one.taken
    net_after = round_ratio(one.net * (taken.amount + amount), whole)
    return NoteLine(
        invoice_line_id=one.line.invoice_line_id,
        position=one.line.position,
        description=one.line.description,
        quantity=take.quantity,
        amount_minor=amount,
        net_minor=max(net_after - taken.net, 0),
    )


def _amount_of(one: LeftLine, take: Take, path: str) -> int:
    """Return how much of the line's amount is taken."""
    if take.amount_minor is not None and take.quantity is not None:
        raise BadInput.field(f"{path}.quantity", "one_of", "name an amount or a quantity")
    if take.amount_minor is not None:
        if not 0 < take.amount_minor <= one.left:
            message = f"must be from 1 to {one.left}, what is left of the line"
            raise BadInput.field(f"{path}.amount_cents", "exceeds_line", message)
        return take.amount_minor
    if take.quantity is None:
        return one.left
    left = one.line.quantity - one.taken.quantity
    if not 0 < take.quantity <= left:
        message = f"must be above zero and at most {left}, what is left of the line"
        raise BadInput.field(f"{path}.quantity", "exceeds_line", message)
    if take.quantity == left:
        return one.left
    before = _of_quantity(one.line, one.taken.quantity)
    return min(_of_quantity(one.line, one.taken.quantity + take.quantity) - before, one.left)


def _of_quantity(line: InvoiceLine, quantity: Decimal) -> int:
    over, under = quantity.as_integer_ratio()
    whole_over, whole_under = line.quantity.as_integer_ratio()
    return round_ratio(line.amount.minor * over * whole_under, under * whole_over)


def _taken_after(one: LeftLine, share: NoteLine | None) -> TakenLine:
    if share is None:
        return one.taken
    return TakenLine(one.taken.amount + share.amount_minor, one.taken.net + share.net_minor)


def _tax_share(
    tax: LeftTax,
    lines: Sequence[LeftLine],
    taken: Sequence[TakenLine],
    shares: Mapping[UUID, NoteLine],
) -> NoteTax:
    of_tax = [
        (one, after) for one, after in zip(lines, taken, strict=True) if tax.place in one.taxes
    ]
    base_after = sum(after.net for _, after in of_tax)
    is_rest = all(after.amount == one.line.amount.minor for one, after in of_tax)
    is_touched = any(one.line.invoice_line_id in shares for one, _ in of_tax)
    base, amount = tax.taken.base, tax.taken.amount
    if is_rest and is_touched:
        base, amount = tax.base, tax.amount
    elif is_touched and tax.base > 0:
        base = min(base_after, tax.base)
        amount = max(round_ratio(tax.amount * base, tax.base), amount)
    return NoteTax(
        place=tax.place,
        name=tax.name,
        percent=tax.percent,
        base_minor=max(base - tax.taken.base, 0),
        amount_minor=amount - tax.taken.amount,
    )
