"""What a coupon took off an invoice, with all that it follows from: stored with its line. Pure."""

from decimal import Decimal
from uuid import UUID

import msgspec

from tallystick.catalog.discounts import taken_off
from tallystick.money.amount import Money
from tallystick.money.rounding import allocate


class CoveredLine(msgspec.Struct, frozen=True):
    """A line that a coupon lowers, by its position: what it found there, and what it took."""

    position: int
    found_minor: int
    taken_minor: int


class CouponUse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One use of a coupon: a `percent` of what its lines come to, or `worth_minor` of it at most.

    `covered` are the lines in their order; what it found is what a maximum of the price and coupons
    before it had left of them.
    """

    redemption_id: UUID
    code: str
    version: int
    covered: tuple[CoveredLine, ...]
    percent: Decimal | None = None
    worth_minor: int = 0

    @property
    def found_minor(self) -> int:
        """What the covered lines came to together."""
        return sum(one.found_minor for one in self.covered)


def discount_of(use: CouponUse, currency: str) -> Money:
    """Return what follows from the coupon and what it found: the line's amount, below zero.

    Raises ValueError when the parts that are stored are not those of that amount.
    """
    minor = taken_off(use.percent, use.worth_minor, use.found_minor, currency)
    parts = allocate(Money(minor, currency), [one.found_minor for one in use.covered])
    if [part.minor for part in parts] != [one.taken_minor for one in use.covered]:
        raise ValueError("the parts of the discount are not those that follow")
    return Money(-minor, currency)
