"""The lines of prices that do not depend on usage. Pure."""

from collections.abc import Iterator

from tallystick.catalog.model import PlanVersion
from tallystick.invoices.model import DraftLine
from tallystick.invoices.rated_lines import ONCE, PriceLines, charge_line
from tallystick.pricing.charges import charges
from tallystick.pricing.model import FlatPrice
from tallystick.pricing.use import Use
from tallystick.subscriptions.periods import Period


def flat_lines(plan: PlanVersion, price: FlatPrice, period: Period) -> Iterator[DraftLine]:
    """Yield the line of a fee for the whole period."""
    common = PriceLines(
        plan=plan,
        price=price,
        period=period,
        kind="subscription",
        description=_description(plan, price),
    )
    for charge in charges(price, [Use(quantity=ONCE)]):
        yield charge_line(common, charge)


def _description(plan: PlanVersion, price: FlatPrice) -> str:
    """Return the plan's name; the price's code only tells several fees apart."""
    fee_count = sum(isinstance(one, FlatPrice) for one in plan.prices)
    return plan.plan_name if fee_count == 1 else f"{plan.plan_name}: {price.code}"
