"""What a plan costs before usage. Pure."""

from tallystick.catalog.model import PlanVersion
from tallystick.money.rounding import round_decimal
from tallystick.pricing.model import FlatPrice


def fee_minor(plan: PlanVersion) -> int:
    """Sum what each period costs before usage: its flat prices, each rounded as it is billed."""
    fees = [price.amount for price in plan.prices if isinstance(price, FlatPrice)]
    return sum(round_decimal(fee, plan.currency).minor for fee in fees)
