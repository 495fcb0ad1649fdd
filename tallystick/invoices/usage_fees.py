"""Usage that is billed as it comes: what is due of it by now, less what was billed of it. Pure.

Every amount is the difference of two rounded amounts: what all usage of the period costs by now,
and what earlier fees billed of that. So the fees of a period sum to what its usage costs at once,
in whatever order and however late the events come. 3 calls at 0.005 are 0.01, 0.00 and 0.01.

While the period runs nothing is given back: what a fee was too much comes off the next ones, and
what is left of it is credited where the period ends (Lago bills up to the highest value, too).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec
from msgspec.structs import replace

from tallystick.invoices.billed_fees import without_discount
from tallystick.invoices.derivation import Advance, Derivation
from tallystick.invoices.discount_back import DiscountBack
from tallystick.invoices.model import DraftLine
from tallystick.money.amount import Money
from tallystick.pricing.in_advance import bills_as_it_comes
from tallystick.pricing.model import ZERO, FlatPrice
from tallystick.pricing.use import Use

PartKey = tuple[str, str]
"""The code of a price, and what tells its lines apart: kind, filter and group, as JSON."""
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class Billed(msgspec.Struct, frozen=True):
    """What fees billed of a part of a period's usage."""

    amount: Money
    quantity: Decimal


class Fee(msgspec.Struct, frozen=True, kw_only=True):
    """What is billed of a part of a price's usage; `is_invoiced`: it is a line of an invoice now.

    Else the invoice of the period bills the price as a whole.
    """

    part: PartKey
    line: DraftLine
    is_invoiced: bool


class Came(msgspec.Struct, frozen=True):
    """The lines of something that is due, and the fees among them or beside."""

    lines: tuple[DraftLine, ...]
    fees: tuple[Fee, ...] = ()


def part_key(line: DraftLine) -> PartKey:
    """Return what tells the line apart from others of the period."""
    return key_of(line.price_code, line.derivation)


def key_of(price_code: str, derivation: Derivation) -> PartKey:
    """Return the same of a line that is stored."""
    said = [derivation.kind, derivation.filter, derivation.group]
    return price_code, _encode(said).decode()


def running(lines: Iterable[DraftLine], billed: Mapping[PartKey, Billed]) -> Came:
    """Return the fees for what was used by now; `lines` bill the whole of it.

    A price that would give something back has none. What a minimum adds, or what is due though
    nothing was used (the flat fee of a first tier), is due at the end.
    """
    fees: list[Fee] = []
    for of_price in _by_price(lines):
        rated = [line for line in of_price if _is_due(line, billed)]
        rest = list(_rest(rated, billed, is_last=False)) if rated else []
        nothing = Money.zero(of_price[0].amount.currency)
        if sum((fee.line.amount for fee in rest), nothing) > nothing:
            is_bound = of_price[0].derivation.price.maximum is not None
            fees += [fee for fee in rest if is_bound or not fee.line.amount.is_zero()]
    return Came(tuple(fee.line for fee in fees if fee.is_invoiced), tuple(fees))


def closing(
    lines: Iterable[DraftLine],
    billed: Mapping[PartKey, Billed],
    *,
    keeps_paid: bool,
    taken: Mapping[PartKey, int] = {},
) -> Came:
    """Return the lines of an ended period, with what is left of usage that was billed as it came.

    `keeps_paid`: nothing is given back of units by the day. `taken` is what coupons took off fees,
    in minor units: their share of what is given back is taken back, unless a price has a maximum,
    which stood between what was used and what the coupons found.
    """
    known = list(lines)
    in_advance = [line for line in known if _is_in_advance(line)]
    settled: dict[str, list[Fee]] = {}
    for of_price in _by_price(in_advance):
        rest = [_less_discount(fee, billed, taken) for fee in _rest(of_price, billed, is_last=True)]
        nothing = Money.zero(of_price[0].amount.currency)
        is_kept = keeps_paid and of_price[0].derivation.price.prorate
        if is_kept and sum((fee.line.amount for fee in rest), nothing) < nothing:
            rest = []
        settled[of_price[0].price_code] = rest
    fees = tuple(fee for rest in settled.values() for fee in rest)
    return Came(tuple(_in_place(known, settled)), fees)


def with_fees(billed: Mapping[PartKey, Billed], fees: Iterable[Fee]) -> dict[PartKey, Billed]:
    """Return what is billed once these fees are too."""
    found = dict(billed)
    for fee in fees:
        was = found.get(fee.part)
        amount, quantity = fee.line.amount, fee.line.quantity
        found[fee.part] = (
            Billed(was.amount + amount, was.quantity + quantity)
            if was
            else Billed(amount, quantity)
        )
    return found


def _less_discount(fee: Fee, billed: Mapping[PartKey, Billed], taken: Mapping[PartKey, int]) -> Fee:
    was, off = billed.get(fee.part), taken.get(fee.part, 0)
    is_bound = fee.line.derivation.price.maximum is not None
    if was is None or not off or is_bound or fee.line.amount.minor >= 0:
        return fee
    minor = was.amount.minor
    back = DiscountBack(
        invoice_id=None,
        number="what was billed as it came",
        billed_minor=minor,
        taken_minor=off,
        until_minor=minor,
    )
    return replace(fee, line=without_discount(fee.line, back))


def _is_due(line: DraftLine, billed: Mapping[PartKey, Billed]) -> bool:
    is_used = line.derivation.quantity != ZERO or part_key(line) in billed
    return line.derivation.kind != "minimum" and is_used


def _in_place(
    lines: Sequence[DraftLine], settled: Mapping[str, Sequence[Fee]]
) -> Iterator[DraftLine]:
    """Yield the lines, and in the place of what was billed as it came what is left of it."""
    done: set[str] = set()
    for line in lines:
        if not _is_in_advance(line) or line.derivation.price.invoice_at == "period":
            yield line
        elif line.price_code not in done:
            done.add(line.price_code)
            yield from (fee.line for fee in settled[line.price_code])


def _is_in_advance(line: DraftLine) -> bool:
    return line.meter_code is not None and bills_as_it_comes(line.derivation.price)


def _by_price(lines: Iterable[DraftLine]) -> Iterator[list[DraftLine]]:
    found: dict[str, list[DraftLine]] = {}
    for line in lines:
        found.setdefault(line.price_code, []).append(line)
    yield from found.values()


def _rest(
    lines: Sequence[DraftLine], billed: Mapping[PartKey, Billed], *, is_last: bool
) -> Iterator[Fee]:
    """Yield what is left of each part of a price, also of those that are there no more."""
    by_key = {part_key(line): line for line in lines}
    gone = [key for key in billed if key[0] == lines[0].price_code and key not in by_key]
    for key in gone:
        if not billed[key].amount.is_zero():
            by_key[key] = _over_nothing(lines[0], key)
    for key, line in by_key.items():
        yield _fee(key, line, billed.get(key), is_last=is_last)


def _fee(key: PartKey, line: DraftLine, was: Billed | None, *, is_last: bool) -> Fee:
    before = was or Billed(Money.zero(line.amount.currency), ZERO)
    is_counted = line.unit is not None
    rest = replace(
        line,
        description=f"{line.description}: not billed yet" if is_last else line.description,
        quantity=line.quantity - before.quantity if is_counted else line.quantity,
        amount=line.amount - before.amount,
        derivation=replace(line.derivation, advance=Advance(before.amount.minor, is_last=is_last)),
    )
    return Fee(part=key, line=rest, is_invoiced=line.derivation.price.invoice_at == "event")


def _over_nothing(like: DraftLine, key: PartKey) -> DraftLine:
    """Return a line of the price over nothing, for a part whose usage was taken out."""
    _, _, group = msgspec.json.decode(key[1])
    currency = like.amount.currency
    free = FlatPrice(currency=currency, code=like.price_code, amount=ZERO, meter=like.meter_code)
    derivation = replace(
        like.derivation,
        kind="rated",
        price=free,
        quantity=ZERO,
        steps=(),
        exact=ZERO,
        use=Use(group=group),
        counted_minor=None,
        custom=None,
    )
    nothing = Money.zero(currency)
    return replace(like, kind="usage", quantity=ZERO, amount=nothing, derivation=derivation)
