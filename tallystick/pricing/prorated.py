"""Units that are held, as seats: each is paid for the days on which it was there.

A unit counts from the day of its event on, that day with it, and no more from the day on which it
was taken back. 10 seats all through a month of 30 days and 3 more from the 21st on are 11 at the
price of one. By tiers, the units of each day fall into them, and each is paid for its days; a
tier's flat fee is due whole once a day reached it. A volume price takes the tier of the units at
the end.
"""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Final

from tallystick.money.amount import Money
from tallystick.money.currency import currency as look_up
from tallystick.money.exact import add, canonical, multiply, subtract, total
from tallystick.money.rounding import round_ratio
from tallystick.pricing.custom_unit import converted
from tallystick.pricing.model import (
    ZERO,
    GraduatedPrice,
    PerUnitPrice,
    Price,
    Rated,
    Step,
    StepKind,
    Tier,
    VolumePrice,
)
from tallystick.pricing.started import started
from tallystick.pricing.tiers import tier_of
from tallystick.pricing.use import Held

PRORATED: Final = (PerUnitPrice, GraduatedPrice, VolumePrice)
"""The models whose units can be paid by the days they were held."""
DECIMALS: Final = 12
_ONE: Final = Decimal(1)


def rate_held(price: Price, quantity: Decimal, held: Held) -> tuple[Rated, Money]:
    """Return what units cost that were held for days; `quantity` is how many there were at the end.

    The money is rounded once, of the exact fraction; the steps have days' shares to 12 decimals.
    Raises TypeError for a model that is not among `PRORATED`.
    """
    parts = list(_parts(price, quantity, held))
    steps = (*_days(held), *_free(price, quantity), *(step for step, _ in parts))
    amount = canonical(total(step.amount for step in steps))
    exact = sum((one for _, one in parts), Fraction(0))
    rated = Rated(amount=amount, currency=price.currency, steps=steps)
    if price.custom_unit is not None:
        rated = converted(price.custom_unit, price.currency, steps, amount)
        exact *= Fraction(price.custom_unit.rate)
    minor = exact * 10 ** look_up(price.currency).exponent
    return rated, Money(round_ratio(minor.numerator, minor.denominator), price.currency)


def _parts(price: Price, quantity: Decimal, held: Held) -> Iterator[tuple[Step, Fraction]]:
    match price:
        case PerUnitPrice():
            yield _part("per_unit", Tier(up_to=None, unit=price.unit), None, _days_of(price, held))
        case VolumePrice():
            counted = max(subtract(quantity, price.included), ZERO)
            tier, start = tier_of(price.tiers, started(counted, _ONE))
            yield _part("volume", tier, start, _days_of(price, held))
        case GraduatedPrice():
            yield from _tiers(price, held)
        case _:
            raise TypeError(f"{type(price).__name__} is not paid by the day")


def _tiers(price: GraduatedPrice, held: Held) -> Iterator[tuple[Step, Fraction]]:
    peak = max((level.quantity for level in held.levels), default=ZERO)
    reached = max(subtract(peak, price.included), ZERO)
    start = ZERO
    for tier in price.tiers:
        yield _part("tier", tier, start, _days_of(price, held, start, tier.up_to))
        if tier.up_to is None or reached <= tier.up_to:
            return
        start = tier.up_to


def _days_of(
    price: Price, held: Held, start: Decimal = ZERO, end: Decimal | None = None
) -> Fraction:
    """Return the units in (`start`, `end`], counted after the included ones, by share of days."""
    days = Fraction(0)
    for level in held.levels:
        counted = max(subtract(level.quantity, price.included), ZERO)
        inside = counted if end is None else min(counted, end)
        days += Fraction(max(subtract(inside, start), ZERO)) * level.days
    return days / held.whole


def _part(
    kind: StepKind, tier: Tier, start: Decimal | None, units: Fraction
) -> tuple[Step, Fraction]:
    """Return a step over so many units of a tier, and its exact amount."""
    quantity = canonical(
        Decimal(round_ratio(units.numerator * 10**DECIMALS, units.denominator)).scaleb(-DECIMALS)
    )
    is_tier = start is not None
    step = Step(
        kind=kind,
        quantity=quantity,
        unit=canonical(tier.unit),
        flat=canonical(tier.flat) if is_tier else None,
        from_=canonical(start) if start is not None else None,
        up_to=canonical(tier.up_to) if tier.up_to is not None else None,
        amount=canonical(add(multiply(quantity, tier.unit), tier.flat)),
    )
    return step, units * Fraction(tier.unit) + Fraction(tier.flat)


def _days(held: Held) -> Iterator[Step]:
    for level in held.levels:
        if level.quantity:
            yield Step(
                kind="held",
                quantity=canonical(level.quantity),
                size=Decimal(level.days),
                up_to=Decimal(held.whole),
                amount=ZERO,
            )


def _free(price: Price, quantity: Decimal) -> Iterator[Step]:
    if price.included:
        free = canonical(min(max(quantity, ZERO), price.included))
        yield Step(kind="included", quantity=free, up_to=canonical(price.included), amount=ZERO)
