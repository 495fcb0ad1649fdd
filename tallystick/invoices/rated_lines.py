"""From one rated price to its lines: what every kind of price shares. Pure."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

import msgspec

from tallystick.catalog.model import PlanVersion
from tallystick.invoices.derivation import Derivation, missing_to_minimum, rated_amount
from tallystick.invoices.model import DraftLine, LineKind
from tallystick.money.amount import Money
from tallystick.pricing.model import Price, Rated
from tallystick.subscriptions.periods import Period

ONCE = Decimal(1)


class RatedPrice(msgspec.Struct, frozen=True, kw_only=True):
    """One price with what it is charged for; `meter_code` and `unit` of usage alone."""

    plan: PlanVersion
    price: Price
    period: Period
    kind: LineKind
    description: str
    quantity: Decimal
    rated: Rated
    meter_code: str | None = None
    unit: str | None = None


def rated_lines(item: RatedPrice) -> Iterator[DraftLine]:
    """Yield the line of the price, rounded once, and one for what is missing to its minimum."""
    billed = rated_amount(item.rated)
    yield _line(item, item.kind, billed, _derivation(item, "rated", item.rated.amount))
    missing = missing_to_minimum(item.price, billed)
    if not missing.is_zero():
        yield _line(item, "minimum", missing, _derivation(item, "minimum", missing.to_decimal()))


def _line(item: RatedPrice, kind: LineKind, amount: Money, derivation: Derivation) -> DraftLine:
    is_minimum = kind == "minimum"
    return DraftLine(
        kind=kind,
        description=f"{item.description}: up to the minimum" if is_minimum else item.description,
        price_code=item.price.code,
        meter_code=item.meter_code,
        quantity=ONCE if is_minimum else item.quantity,
        unit=None if is_minimum else item.unit,
        period_start=item.period.start,
        period_end=item.period.end,
        amount=amount,
        derivation=derivation,
    )


def _derivation(item: RatedPrice, kind: Literal["rated", "minimum"], exact: Decimal) -> Derivation:
    return Derivation(
        kind=kind,
        plan_version_id=item.plan.plan_version_id,
        price=item.price,
        quantity=item.quantity,
        period_start=item.period.start,
        period_end=item.period.end,
        steps=item.rated.steps,
        exact=exact,
        currency=item.rated.currency,
        rounding="half_away_from_zero",
    )
