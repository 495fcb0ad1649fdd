"""From the charges of one price to its lines: what every kind of price shares. Pure."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from tallystick.catalog.model import PlanVersion
from tallystick.invoices.derivation import Derivation
from tallystick.invoices.model import DraftLine, LineKind
from tallystick.pricing.charges import Charge, Part
from tallystick.pricing.model import Price
from tallystick.pricing.use import Use
from tallystick.subscriptions.periods import Period

ONCE = Decimal(1)


class PriceLines(msgspec.Struct, frozen=True, kw_only=True):
    """What the lines of one price have in common; `meter_code` and `unit` of usage alone.

    `part` is what part the period is of a whole one, None: it is whole.
    """

    plan: PlanVersion
    price: Price
    period: Period
    kind: LineKind
    description: str
    meter_code: str | None = None
    unit: str | None = None
    part: Part | None = None


def charge_line(common: PriceLines, charge: Charge) -> DraftLine:
    """Return the line of one charge."""
    is_rated = charge.kind == "rated"
    return DraftLine(
        kind=common.kind if charge.kind == "rated" else charge.kind,
        description=_description(common, charge),
        price_code=common.price.code,
        meter_code=common.meter_code,
        quantity=charge.use.quantity if is_rated else ONCE,
        unit=common.unit if is_rated else None,
        period_start=common.period.start,
        period_end=common.period.end,
        amount=charge.amount,
        derivation=_derivation(common, charge),
        plan_code=common.plan.plan_code,
    )


def _description(common: PriceLines, charge: Charge) -> str:
    """Return what is billed, with the values of filter and group.

    Such as "Storage (class hot or warm, region none)", where events had no region.
    """
    match charge.kind:
        case "minimum":
            return f"{common.description}: up to the minimum"
        case "maximum":
            return f"{common.description}: down to the maximum"
    values = ", ".join(_values(common.price, charge.use))
    return f"{common.description} ({values})" if values else common.description


def _values(price: Price, use: Use) -> Iterator[str]:
    if use.filter is not None:
        for name, values in sorted(price.filters[use.filter].values.items()):
            if name not in use.group:
                yield f"{name} {' or '.join(values) or 'any'}"
    for name, value in use.group.items():
        yield f"{name} {'none' if value is None else value}"


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
        use=None if charge.use == Use(quantity=charge.use.quantity) else charge.use,
        part=common.part,
        counted_minor=None if charge.counted is None else charge.counted.minor,
        custom=charge.custom,
    )
