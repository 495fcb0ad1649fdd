"""From the charges of one price to its lines: what every kind of price shares. Pure."""

from decimal import Decimal

import msgspec

from tallystick.catalog.model import PlanVersion
from tallystick.invoices.derivation import Derivation
from tallystick.invoices.model import DraftLine, LineKind
from tallystick.pricing.charges import Charge
from tallystick.pricing.model import Price
from tallystick.subscriptions.periods import Period

ONCE = Decimal(1)


class PriceLines(msgspec.Struct, frozen=True, kw_only=True):
    """What the lines of one price have in common; `meter_code` and `unit` of usage alone."""

    plan: PlanVersion
    price: Price
    period: Period
    kind: LineKind
    description: str
    meter_code: str | None = None
    unit: str | None = None


def charge_line(common: PriceLines, charge: Charge) -> DraftLine:
    """Return the line of one charge."""
    is_rated = charge.kind == "rated"
    return DraftLine(
        kind=common.kind if is_rated else "minimum",
        description=_description(common, charge),
        price_code=common.price.code,
        meter_code=common.meter_code,
        quantity=charge.use.quantity if is_rated else ONCE,
        unit=common.unit if is_rated else None,
        period_start=common.period.start,
        period_end=common.period.end,
        amount=charge.amount,
        derivation=_derivation(common, charge),
    )


def _description(common: PriceLines, charge: Charge) -> str:
    """Return what is billed, with the group's values: "Storage (region eu, class none)"."""
    if charge.kind == "minimum":
        return f"{common.description}: up to the minimum"
    values = ", ".join(f"{name} {value or 'none'}" for name, value in charge.use.group.items())
    return f"{common.description} ({values})" if values else common.description


def _derivation(common: PriceLines, charge: Charge) -> Derivation:
    return Derivation(
        kind=charge.kind,
        plan_version_id=common.plan.plan_version_id,
        price=common.price,
        quantity=charge.use.quantity,
        period_start=common.period.start,
        period_end=common.period.end,
        steps=charge.steps,
        exact=charge.exact,
        currency=common.price.currency,
        rounding="half_away_from_zero",
        group=charge.use.group,
        counted_minor=None if charge.counted is None else charge.counted.minor,
    )
