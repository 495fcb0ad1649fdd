"""From a price and its usage to an exact amount: the one place that knows all models.

Preview, simulation, explanation and the billing run all call `rate`. Nothing is rounded here; the
invoice rounds a line once, with `money.rounding.round_decimal`.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import assert_never

from tallystick.money.exact import canonical, subtract, total
from tallystick.pricing import (
    block,
    capacity,
    dynamic,
    flat,
    graduated,
    graduated_percentage,
    package,
    per_unit,
    percentage,
    volume,
)
from tallystick.pricing.custom_unit import converted
from tallystick.pricing.model import (
    ZERO,
    BlockPrice,
    CapacityPrice,
    DynamicPrice,
    FlatPrice,
    GraduatedPercentagePrice,
    GraduatedPrice,
    PackagePrice,
    PercentagePrice,
    PerUnitPrice,
    Price,
    Rated,
    Step,
    VolumePrice,
)
from tallystick.pricing.usage import EventsUsage, QuantityUsage, Usage, checked, used_of


def rate(price: Price, usage: Usage | Decimal) -> Rated:
    """Return what this usage costs: exact, not rounded, in major units, with its steps.

    A Decimal is a mere quantity. The price must have passed `validate`; its filters and the bounds
    of a period are not asked (`filters.price_for`, `minimum.bounded`). Usage below zero (more was
    taken back than used) costs what zero costs, as with Stripe and Lago: an invoice line is never
    negative by usage. Included units come off first; the tiers count what is left.

    Raises BadInput for numbers that are not finite or have too many digits and for usage that the
    model can not be rated by, TypeError for floats.
    """
    given = QuantityUsage(quantity=usage) if isinstance(usage, Decimal) else usage
    steps = tuple(_steps(price, given))
    amount = canonical(total(step.amount for step in steps))
    if amount < 0:  # of events, more was taken back than charged
        steps = (*steps, Step(kind="below_zero", amount=canonical(subtract(ZERO, amount))))
        amount = ZERO
    if price.custom_unit is not None:
        return converted(price.custom_unit, price.currency, steps, amount)
    return Rated(amount=amount, currency=price.currency, steps=steps)


def _steps(price: Price, usage: Usage) -> Iterator[Step]:
    if isinstance(price, PercentagePrice):
        yield from percentage.steps(price, usage)
    elif isinstance(price, DynamicPrice):
        yield from dynamic.steps(usage)
    else:
        if isinstance(price, GraduatedPercentagePrice) and isinstance(usage, EventsUsage):
            usage = QuantityUsage(quantity=total(checked(usage.amounts)))
        used = used_of(usage)
        counted = max(used, ZERO)
        free = min(counted, price.included)
        yield from _free_steps(price, used, free)
        yield from _model_steps(price, canonical(subtract(counted, free)))


def _free_steps(price: Price, used: Decimal, free: Decimal) -> Iterator[Step]:
    if used < 0:
        yield Step(kind="below_zero", quantity=used, amount=ZERO)
    if price.included:
        yield Step(
            kind="included",
            quantity=canonical(free),
            up_to=canonical(price.included),
            amount=ZERO,
        )


def _model_steps(  # noqa: PLR0911 -- one a model
    price: FlatPrice
    | PerUnitPrice
    | PackagePrice
    | GraduatedPrice
    | VolumePrice
    | CapacityPrice
    | BlockPrice
    | GraduatedPercentagePrice,
    quantity: Decimal,
) -> Iterator[Step]:
    match price:
        case FlatPrice():
            return flat.steps(price, quantity)
        case PerUnitPrice():
            return per_unit.steps(price, quantity)
        case PackagePrice():
            return package.steps(price, quantity)
        case GraduatedPrice():
            return graduated.steps(price, quantity)
        case VolumePrice():
            return volume.steps(price, quantity)
        case CapacityPrice():
            return capacity.steps(price, quantity)
        case BlockPrice():
            return block.steps(price, quantity)
        case GraduatedPercentagePrice():
            return graduated_percentage.steps(price, quantity)
        case _:
            assert_never(price)
