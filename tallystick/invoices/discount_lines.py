"""From coupons to the lines that lower an invoice, each tied to the lines that it covers. Pure.

Coupons cover fees, usage with the minimums and maximums of its prices, and what late usage adds.
They do not cover what is missing to a plan's commitment: a coupon that lowered it would lower what
was agreed as the least. What a maximum takes off a price is gone before a coupon looks: of usage
over 100.00 with a maximum of 60.00 half is 30.00.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

import msgspec

from tallystick.catalog.discounts import (
    Discount,
    DiscountableLine,
    after_invoice,
    covers,
    discounts,
    worth_minor,
)
from tallystick.catalog.offer_model import Redemption
from tallystick.invoices.coupon_use import CouponUse, CoveredLine
from tallystick.invoices.derivation import Derivation
from tallystick.invoices.model import DraftLine
from tallystick.money.amount import Money
from tallystick.money.rounding import allocate
from tallystick.pricing.model import FlatPrice

CODE = "coupon"
T = TypeVar("T")
_ONCE = Decimal(1)
_NOT_COVERED = frozenset({"commitment", "discount"})


class Discounted(msgspec.Struct, frozen=True):
    """The lines of the coupons, and what is left of those that were used."""

    lines: tuple[DraftLine, ...]
    used: tuple[Redemption, ...]


def discounted(
    lines: Sequence[DraftLine], coupons: Sequence[Redemption], at: datetime
) -> Discounted:
    """Return a line for each coupon that lowers these, the first lines of an invoice at `at`.

    In the order in which they are used. No line goes below zero.
    """
    if not coupons or not lines:
        return Discounted((), ())
    currency = lines[0].amount.currency
    found = left_to_cover([_covered(line) for line in lines], currency)
    can_lower = [
        DiscountableLine(
            amount=Money(minor, currency),
            plan=line.plan_code,
            price=line.price_code,
            meter=line.meter_code,
        )
        for line, minor in zip(lines, found, strict=True)
    ]
    taken = discounts(can_lower, coupons)
    known = {one.redemption_id: one for one in coupons}
    using = [known[one] for one in dict.fromkeys(part.redemption_id for part in taken)]
    made: list[DraftLine] = []
    for one in using:
        covered = tuple(_parts(one, can_lower, found, taken))
        made.append(_line(one, covered, lines, at))
        for part in covered:
            found[part.position - 1] -= part.taken_minor
    return Discounted(tuple(made), tuple(after_invoice(one, taken, at) for one in using))


class CoveredPart(msgspec.Struct, frozen=True):
    """What of a line decides what a coupon finds; `price` is None for what none covers."""

    price: tuple[object, ...] | None
    minor: int
    is_maximum: bool


def coverable(derivation: Derivation, minor: int) -> CoveredPart:
    """Return what of a line with this derivation and amount decides what a coupon finds."""
    if derivation.kind in _NOT_COVERED:
        return CoveredPart(None, minor, is_maximum=False)
    price = (derivation.plan_version_id, derivation.price.code, derivation.period_start)
    return CoveredPart(price, minor, is_maximum=derivation.kind == "maximum")


def left_to_cover(parts: Sequence[CoveredPart], currency: str) -> list[int]:
    """Return what the first coupon finds on each line, in minor units, zero or more.

    What a maximum takes off a price is split over its other lines by their amounts.
    """
    left = [0 if one.price is None or one.is_maximum else max(one.minor, 0) for one in parts]
    for over in parts:
        if not over.is_maximum:
            continue
        weights = [
            minor if one.price == over.price else 0 for one, minor in zip(parts, left, strict=True)
        ]
        size = min(-over.minor, sum(weights))
        if size > 0:
            gone = allocate(Money(size, currency), weights)
            left = [was - part.minor for was, part in zip(left, gone, strict=True)]
    return left


def net_of_coupons(lines: Sequence[DraftLine]) -> tuple[Money, ...]:
    """Return each line's amount less what coupons took off it; their own lines come to nothing.

    Together they are the sum of all lines: what tax is reckoned on by line.
    """
    left = [line.amount for line in lines]
    for at, line in enumerate(lines):
        use = line.derivation.coupon
        if use is None:
            continue
        for part in use.covered:
            left[part.position - 1] -= Money(part.taken_minor, line.amount.currency)
        left[at] = Money.zero(line.amount.currency)
    return tuple(left)


def _covered(line: DraftLine) -> CoveredPart:
    return coverable(line.derivation, line.amount.minor)


def _parts(
    one: Redemption,
    lines: Sequence[DiscountableLine],
    found: Sequence[int],
    taken: Sequence[Discount],
) -> Iterator[CoveredLine]:
    """Yield every line that the coupon finds something on, also where its share is nothing."""
    mine = [part for part in taken if part.redemption_id == one.redemption_id]
    own = {part.line: part.amount.minor for part in mine}
    for at, line in enumerate(lines):
        if found[at] and covers(one.coupon, line):
            yield CoveredLine(at + 1, found[at], own.get(at, 0))


def _line(
    one: Redemption, covered: Sequence[CoveredLine], lines: Sequence[DraftLine], at: datetime
) -> DraftLine:
    lowered = [lines[part.position - 1] for part in covered]
    currency = lowered[0].amount.currency
    amount = Money(-sum(part.taken_minor for part in covered), currency)
    return DraftLine(
        kind="discount",
        description=f"{one.coupon.name} ({one.coupon.code})",
        price_code=CODE,
        meter_code=None,
        quantity=_ONCE,
        unit=None,
        period_start=None,
        period_end=None,
        amount=amount,
        plan_code=_only({line.plan_code for line in lowered}),
        heading=_only({line.heading for line in lowered}),
        subscription_id=_only({line.subscription_id for line in lowered}),
        derivation=Derivation(
            kind="discount",
            plan_version_id=None,
            price=FlatPrice(currency=currency, code=CODE, amount=(-amount).to_decimal()),
            quantity=_ONCE,
            period_start=at,
            period_end=at,
            steps=(),
            exact=amount.to_decimal(),
            currency=currency,
            rounding="half_away_from_zero",
            coupon=CouponUse(
                redemption_id=one.redemption_id,
                code=one.coupon.code,
                version=one.coupon.version,
                covered=tuple(covered),
                percent=one.coupon.percent,
                worth_minor=worth_minor(one, currency),
            ),
        ),
    )


def _only(values: set[T | None]) -> T | None:
    return values.pop() if len(values) == 1 else None
