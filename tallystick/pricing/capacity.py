"""Capacity: the period's peak picks one tier, and that tier's amount is due.

Kill Bill's capacity billing: a peak of 100 seats is in the tier up to 100, however long it was,
and a peak of zero in the first one.
"""

from collections.abc import Iterator
from decimal import Decimal

from tallystick.kernel.errors import FieldError
from tallystick.money.exact import canonical
from tallystick.pricing.model import CapacityPrice, Step
from tallystick.pricing.tiers import tier_of, tier_problems


def steps(price: CapacityPrice, quantity: Decimal) -> Iterator[Step]:
    """Yield the one step: the amount of the peak's tier."""
    tier, start = tier_of(price.tiers, quantity)
    amount = canonical(tier.amount)
    yield Step(
        kind="capacity",
        quantity=quantity,
        flat=amount,
        from_=canonical(start),
        up_to=None if tier.up_to is None else canonical(tier.up_to),
        amount=amount,
    )


def problems(price: CapacityPrice) -> Iterator[FieldError]:
    """Yield what is wrong with the tiers."""
    yield from tier_problems(price.tiers)
