"""The lines of prices for what was used. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from tallystick.catalog.model import Meter, PlanVersion
from tallystick.invoices.model import DraftLine
from tallystick.invoices.rated_lines import PriceLines, charge_line
from tallystick.kernel.errors import Conflict
from tallystick.pricing.charges import Part, charges, is_metered
from tallystick.pricing.model import Price
from tallystick.pricing.use import Use
from tallystick.subscriptions.periods import Period


def metered_codes(plan: PlanVersion) -> frozenset[str]:
    """Return the codes of the meters whose usage the plan's prices need."""
    return frozenset(price.meter for price in plan.prices if price.meter and is_metered(price))


def usage_lines(
    plan: PlanVersion,
    price: Price,
    meters: Mapping[str, Meter],
    period: Period,
    uses: Sequence[Use],
    *,
    part: Part | None = None,
) -> Iterator[DraftLine]:
    """Yield a line for each use of the price, and one up to its minimum or down to its maximum.

    `part` is what part the period is of a whole one, None: it is whole. Without use the line
    stays, over nothing. Raises Conflict when the price's meter does not exist.
    """
    meter = meters.get(price.meter or "")
    if meter is None:
        raise Conflict(
            "meter_missing",
            f"Price {price.code} of plan {plan.plan_code} needs the meter {price.meter}, which "
            "does not exist; create it.",
        )
    common = PriceLines(
        plan=plan,
        price=price,
        period=period,
        kind="usage",
        description=meter.name,
        meter_code=meter.code,
        unit=meter.unit,
        part=part,
    )
    for charge in charges(price, uses, part):
        yield charge_line(common, charge)
