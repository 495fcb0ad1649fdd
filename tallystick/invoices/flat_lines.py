"""The lines of prices that do not depend on usage. Pure."""

from collections.abc import Iterator

from tallystick.catalog.model import PlanVersion
from tallystick.invoices.model import DraftLine
from tallystick.invoices.rated_lines import ONCE, RatedPrice, rated_lines
from tallystick.pricing.model import FlatPrice
from tallystick.pricing.rate import rate
from tallystick.subscriptions.periods import Period


def flat_lines(plan: PlanVersion, price: FlatPrice, period: Period) -> Iterator[DraftLine]:
    """Yield the line of a fee for the whole period."""
    item = RatedPrice(
        plan=plan,
        price=price,
        period=period,
        kind="subscription",
        description=_description(plan, price),
        quantity=ONCE,
        rated=rate(price, ONCE),
    )
    yield from rated_lines(item)


def _description(plan: PlanVersion, price: FlatPrice) -> str:
    """Return the plan's name; the price's code only tells several fees apart."""
    fee_count = sum(isinstance(one, FlatPrice) for one in plan.prices)
    return plan.plan_name if fee_count == 1 else f"{plan.plan_name}: {price.code}"
