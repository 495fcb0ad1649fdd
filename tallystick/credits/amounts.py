"""Credits as exact numbers: Decimal outside, whole 1/100,000 inside; never a float. Pure."""

from decimal import Decimal
from typing import Final

from tallystick.kernel.errors import BadInput
from tallystick.ledger.model import CREDIT_SCALE
from tallystick.money.exact import multiply, shift

DECIMALS: Final = 5
CREDITS_MAX: Final = 10**12
"""The most that one operation moves; a thousand of them still fit into a balance."""


def to_units(amount: Decimal, field: str = "credits") -> int:
    """Return whole 1/100,000 of a credit: `to_units(Decimal("1.5")) == 150_000`.

    Raises BadInput naming the field for what is not above zero, beyond 10^12 or has more than 5
    decimals.
    """
    if not amount.is_finite() or not 0 < amount <= CREDITS_MAX:
        raise BadInput.field(field, "out_of_range", f"must be above 0 and at most {CREDITS_MAX}")
    scaled = multiply(amount, Decimal(CREDIT_SCALE))
    if scaled != scaled.to_integral_value():
        raise BadInput.field(field, "too_many_decimals", f"may have {DECIMALS} decimals")
    return int(scaled)


def to_credits(units: int) -> Decimal:
    """Return credits: `to_credits(150_000) == Decimal("1.50000")`; may be negative."""
    return shift(Decimal(units), -DECIMALS)
