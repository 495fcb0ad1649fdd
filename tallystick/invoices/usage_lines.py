"""The lines of prices for what was used. Pure."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from tallystick.catalog.model import Meter, PlanVersion
from tallystick.invoices.model import DraftLine
from tallystick.invoices.rated_lines import RatedPrice, rated_lines
from tallystick.kernel.errors import Conflict
from tallystick.pricing.model import FlatPrice, Price
from tallystick.pricing.rate import rate
from tallystick.subscriptions.periods import Period

UNUSED = Decimal(0)


def metered_codes(plan: PlanVersion) -> frozenset[str]:
    """Return the codes of the meters whose totals the plan's prices need."""
    return frozenset(
        price.meter
        for price in plan.prices
        if price.meter is not None and not isinstance(price, FlatPrice)
    )


def usage_lines(
    plan: PlanVersion,
    price: Price,
    meters: Mapping[str, Meter],
    period: Period,
    totals: Mapping[str, Decimal],
) -> Iterator[DraftLine]:
    """Yield the line of a price for its meter's total, and one up to its minimum.

    Without a total nothing was used: the line stays, with an amount of zero. Raises Conflict when
    the price's meter does not exist.
    """
    meter = meters.get(price.meter or "")
    if meter is None:
        raise Conflict(
            "meter_missing",
            f"Price {price.code} of plan {plan.plan_code} needs the meter {price.meter}, which "
            "does not exist; create it.",
        )
    quantity = totals.get(meter.code, UNUSED)
    item = RatedPrice(
        plan=plan,
        price=price,
        period=period,
        kind="usage",
        description=meter.name,
        quantity=quantity,
        rated=rate(price, quantity),
        meter_code=meter.code,
        unit=meter.unit,
    )
    yield from rated_lines(item)
