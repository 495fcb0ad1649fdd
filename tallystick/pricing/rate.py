"""From a price and a quantity to an exact amount: the one place that knows all models.

Preview, simulation, explanation and the billing run all call `rate`. Nothing is rounded here; the
invoice rounds a line once, with `money.rounding.round_decimal`.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import assert_never

from tallystick.money.exact import canonical, subtract, total
from tallystick.pricing import flat, graduated, per_unit
from tallystick.pricing.bounds import used_quantity
from tallystick.pricing.model import (
    ZERO,
    FlatPrice,
    GraduatedPrice,
    PerUnitPrice,
    Price,
    Rated,
    Step,
)


def rate(price: Price, quantity: Decimal) -> Rated:
    """Return what this quantity costs: exact, not rounded, in major units, with its steps.

    The price must have passed `validate`. A quantity below zero (more was taken back than used)
    costs what zero costs, as with Stripe and Lago: an invoice line is never negative by usage.
    Included units come off first; the tiers count what is left.

    Raises BadInput for a quantity that is not finite or has too many digits, TypeError for floats.
    """
    used = used_quantity(quantity)
    counted = max(used, ZERO)
    free = min(counted, price.included)
    steps = (
        *_free_steps(price, used, free),
        *_model_steps(price, canonical(subtract(counted, free))),
    )
    amount = canonical(total(step.amount for step in steps))
    return Rated(amount=amount, currency=price.currency, steps=steps)


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


def _model_steps(price: Price, quantity: Decimal) -> Iterator[Step]:
    match price:
        case FlatPrice():
            return flat.steps(price, quantity)
        case PerUnitPrice():
            return per_unit.steps(price, quantity)
        case GraduatedPrice():
            return graduated.steps(price, quantity)
        case _:
            assert_never(price)
