"""From which taxes hold to what they come to. Pure.

A tax is rounded once, on the sum of all that it is charged on; rounding each line's would drift
from what the customer can check with a calculator: three lines of 0.33 at 20% are 0.198, so 0.20;
line by line they would be 3 x 0.07 = 0.21.

Prices that contain their taxes come to exactly what is printed: 100.00 with 20% is 83.33 net, and
the tax is the 16.67 that is left, never a rounding of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise

import msgspec
from msgspec.structs import replace

from tallystick.documents.document import TaxLine
from tallystick.money.amount import Money
from tallystick.money.rounding import allocate, round_ratio
from tallystick.taxes.model import STANDARD, Applied, Buyer, Supply
from tallystick.taxes.rules import Determine


class Taxed(msgspec.Struct, frozen=True, kw_only=True):
    """What the supplies of an invoice come to: `net` plus all `taxes` is what is to be paid.

    `included` says for each supply, in their order, how much tax its amount contains: the amounts
    without it sum to `net`. `places` says for each which of the taxes hold for it, by their place;
    None: it belongs to all that is supplied.
    """

    net: Money
    taxes: tuple[TaxLine, ...]
    included: tuple[Money, ...]
    places: tuple[tuple[int, ...] | None, ...] = ()

    @property
    def tax(self) -> Money:
        """The sum of all taxes."""
        nothing = Money.zero(self.net.currency)
        return sum((Money(one.amount_minor, nothing.currency) for one in self.taxes), nothing)


class _Group(msgspec.Struct, frozen=True):
    """The taxes that some supplies share, and whether their amounts contain them."""

    taxes: tuple[Applied, ...]
    is_inclusive: bool


class _Part(msgspec.Struct, frozen=True):
    """An amount of the supply at this position, or its share in a group."""

    at: int
    minor: int


_Groups = dict[_Group, list[_Part]]


def taxed(supplies: Sequence[Supply], buyer: Buyer, told: Determine, currency: str) -> Taxed:
    """Return the taxes on an invoice, one line for each name, percentage, category and reason.

    They stand in the order in which they are met. Raises what `told` does.
    """
    groups = _groups(supplies, buyer, told)
    included = [0] * len(supplies)
    for group, parts in groups.items():
        if group.is_inclusive:
            for part, minor in zip(parts, _included(parts, group.taxes), strict=True):
                included[part.at] += minor
    net = sum(one.amount.minor for one in supplies) - sum(included)
    return Taxed(
        net=Money(net, currency),
        taxes=tuple(_lines(groups, currency)),
        included=tuple(Money(minor, currency) for minor in included),
        places=tuple(_places(supplies, groups)),
    )


def _places(supplies: Sequence[Supply], groups: _Groups) -> Iterator[tuple[int, ...] | None]:
    """Yield where the taxes of each supply stand among all, which are in the order of `_lines`."""
    order = [*dict.fromkeys(tax for group in groups for tax in group.taxes)]
    of_supply = {part.at: group for group, parts in groups.items() for part in parts}
    for at, one in enumerate(supplies):
        if one.tax_code is None:
            yield None
        else:
            yield tuple(order.index(tax) for tax in of_supply[at].taxes)


def _groups(supplies: Sequence[Supply], buyer: Buyer, told: Determine) -> _Groups:
    groups: _Groups = {}
    of_all: list[int] = []
    for at, one in enumerate(supplies):
        if one.tax_code is None:
            of_all.append(at)
        else:
            group = _group(one, told(buyer, one.tax_code, one.on))
            groups.setdefault(group, []).append(_Part(at, one.amount.minor))
    for at in of_all:
        _spread(supplies[at], at, groups, buyer, told)
    return groups


def _group(supply: Supply, taxes: tuple[Applied, ...]) -> _Group:
    by_rates = any(tax.inclusive for tax in taxes)
    is_inclusive = by_rates if supply.inclusive is None else supply.inclusive
    told = tuple(replace(tax, inclusive=False) for tax in taxes)
    return _Group(told, is_inclusive and bool(taxes))


def _spread(supply: Supply, at: int, groups: _Groups, buyer: Buyer, told: Determine) -> None:
    """Give each group its share of what belongs to all, by what they come to.

    3.00 off 20.00 at 20% and 10.00 at 10% are 2.00 off the one and 1.00 off the other.
    """
    if not groups:
        group = _group(supply, told(buyer, STANDARD, supply.on))
        groups[group] = [_Part(at, supply.amount.minor)]
        return
    sizes = [abs(sum(part.minor for part in parts if part.at != at)) for parts in groups.values()]
    weights = sizes if any(sizes) else [1, *[0] * (len(sizes) - 1)]
    shares = allocate(supply.amount, weights)
    for parts, share in zip(groups.values(), shares, strict=True):
        parts.append(_Part(at, share.minor))


def _lines(groups: Mapping[_Group, Sequence[_Part]], currency: str) -> Iterator[TaxLine]:
    """Yield each tax: what is charged on top is rounded on one sum, what is contained is added."""
    bases: dict[Applied, int] = {}
    contained: dict[Applied, list[tuple[int, int]]] = {}
    for group, parts in groups.items():
        gross = sum(part.minor for part in parts)
        for tax in group.taxes:
            bases.setdefault(tax, 0)
        if group.is_inclusive:
            net = _net(gross, group.taxes)
            for tax, minor in zip(
                group.taxes, _split(Money(gross - net, currency), group.taxes), strict=True
            ):
                contained.setdefault(tax, []).append((net, minor))
        else:
            for tax in group.taxes:
                bases[tax] += gross
    for tax, base in bases.items():
        inside = contained.get(tax, [])
        yield TaxLine(
            tax.name,
            tax.percent,
            base + sum(net for net, _ in inside),
            _on_top(base, tax.percent) + sum(minor for _, minor in inside),
            tax.category,
            tax.reason,
        )


def _on_top(base: int, percent: Decimal) -> int:
    numerator, denominator = percent.as_integer_ratio()
    return round_ratio(base * numerator, 100 * denominator)


def _net(gross: int, taxes: Sequence[Applied]) -> int:
    """Return what an amount is without the taxes that it contains."""
    numerator, denominator = sum((tax.percent for tax in taxes), Decimal(0)).as_integer_ratio()
    return round_ratio(gross * 100 * denominator, 100 * denominator + numerator)


def _included(parts: Sequence[_Part], taxes: Sequence[Applied]) -> Iterator[int]:
    """Yield how much tax each amount contains: differences of rounded points, which sum exactly."""
    points = [0]
    for part in parts:
        points.append(points[-1] + part.minor)
    for before, after in pairwise(points):
        yield (after - _net(after, taxes)) - (before - _net(before, taxes))


def _split(whole: Money, taxes: Sequence[Applied]) -> list[int]:
    """Return each tax's share of what all of them come to."""
    scale = max(-int(tax.percent.as_tuple().exponent) for tax in taxes)
    weights = [int(tax.percent.scaleb(max(scale, 0))) for tax in taxes]
    if not any(weights):
        return [0 for _ in taxes]
    return [share.minor for share in allocate(whole, weights)]
