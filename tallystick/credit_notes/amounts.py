"""A note over an amount of money: so much of an invoice's total, its taxes included. Pure.

Nobody names lines then, so each gives its share of what is left of it: the mix of taxes stays. The
shares grow one minor unit at a time, and so does what they come to with tax, but for the units in
which a tax steps up with its base: with 20 % a base of 2 comes to 2 (0.4 of tax) and a base of 3 to
4 (0.6 of tax). A note over 3 has the base of 2 and a tax of 1; the next note takes that much less.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from tallystick.credit_notes.model import NoteTax, Take
from tallystick.credit_notes.shares import Left, LeftTax, Shares, shares_of
from tallystick.kernel.errors import Conflict
from tallystick.money.rounding import round_ratio


def shares_of_total(left: Left, total: int) -> Shares:
    """Return what a note takes that comes to exactly `total` minor units.

    Raises Conflict `credit_exceeds_invoice` for more than is left, `credit_note_empty` for nothing.
    """
    if total < 1:
        raise Conflict("credit_note_empty", "Nothing is left of this to be credited.")
    low, high = 0, _steps(left)
    if _total(whole := _shares_at(left, high)) < total:
        text = f"Only {_total(whole)} minor units of the invoice are not credited yet."
        raise Conflict("credit_exceeds_invoice", text, extra={"left_cents": _total(whole)})
    while low < high:  # the most that does not come to more
        middle = (low + high + 1) // 2
        if _total(_shares_at(left, middle)) <= total:
            low = middle
        else:
            high = middle - 1
    shares = _shares_at(left, low)
    if not shares.lines:
        # The next unit brings a tax with it, and that is more than was asked for.
        raise Conflict("credit_note_empty", "So little can not be credited of this invoice.")
    return replace(shares, taxes=_raised(left, shares, total - _total(shares)))


def _total(shares: Shares) -> int:
    return shares.subtotal + shares.tax


def _steps(left: Left) -> int:
    """Return how many steps lead from nothing to all that is left."""
    return sum(one.left for one in left.lines) * len(left.lines)


def _shares_at(left: Left, step: int) -> Shares:
    return shares_of(left, tuple(_takes_at(left, step)))


def _takes_at(left: Left, step: int) -> Iterator[Take]:
    """Yield what is taken of each line at a step; the next step takes at most one unit more."""
    whole = sum(one.left for one in left.lines)
    rounds, ahead = divmod(step, max(len(left.lines), 1))
    for place, one in enumerate(left.lines):
        point = min(rounds + (1 if place < ahead else 0), whole)
        part = round_ratio(one.left * point, whole) if whole else 0
        if part:
            yield Take(invoice_line_id=one.line.invoice_line_id, amount_minor=part)


def _raised(left: Left, shares: Shares, short: int) -> tuple[NoteTax, ...]:
    """Return the taxes with so many units more, where the next step would have brought them."""
    taken = {tax.place: tax for tax in shares.taxes}
    for tax in left.taxes:
        was = taken.get(tax.place) or _nothing_of(tax)
        more = min(short, tax.amount - tax.taken.amount - was.amount_minor)
        if more > 0:
            taken[tax.place] = replace(was, amount_minor=was.amount_minor + more)
            short -= more
    return tuple(taken[place] for place in sorted(taken))


def _nothing_of(tax: LeftTax) -> NoteTax:
    return NoteTax(
        place=tax.place, name=tax.name, percent=tax.percent, base_minor=0, amount_minor=0
    )
