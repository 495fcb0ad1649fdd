"""Usage against a plan's limits, with what lies over them and what it costs: pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from tallystick.catalog.limits import all_limits
from tallystick.catalog.model import Meter, PlanVersion
from tallystick.money.amount import Money
from tallystick.money.exact import canonical, subtract
from tallystick.money.rounding import round_ratio
from tallystick.pricing.charges import Part, charged, is_metered, uses_of_totals
from tallystick.pricing.model import Price
from tallystick.pricing.use import Uses

ZERO = Decimal(0)


class MeterUsage(msgspec.Struct, frozen=True, kw_only=True):
    """One meter in the period.

    `percent` is of the limit, to a hundredth; None without a limit. `overage_cost` is what the
    period bills for this meter as it stands: the sum of its lines, with what a minimum adds; of a
    price billed in advance, what was invoiced or collected already and what is to come.
    """

    meter: Meter
    quantity: Decimal
    limit: Decimal | None
    percent: Decimal | None
    overage: Decimal
    overage_cost: Money


class UsageReport(msgspec.Struct, frozen=True, kw_only=True):
    """All meters of a plan in the half-open period [start, end)."""

    start: datetime
    end: datetime
    meters: tuple[MeterUsage, ...]
    total_overage_cost: Money


def usage_report(
    version: PlanVersion,
    meters: Mapping[str, Meter],
    totals: Mapping[str, Decimal],
    *,
    start: datetime,
    end: datetime,
    limits: Mapping[str, Decimal] | None = None,
    uses: Uses | None = None,
    part: Part | None = None,
) -> UsageReport:
    """Return the report on what was used; `meters` and `totals` are by code, absent is zero.

    `limits` are those of the period that hold for the account, None: the version's. `uses` are by
    the price's code, None: the totals say all that the prices need; `part` is what part the period
    is of a whole one. A meter shows if a price or a
    limit names it, in that order.
    """
    uses = uses_of_totals(version.prices, totals) if uses is None else uses
    limits = period_limits(version) if limits is None else limits
    prices = {price.meter: price for price in version.prices if price.meter is not None}
    rows = tuple(
        _meter_usage(
            meters[code],
            totals.get(code, ZERO),
            price=prices.get(code),
            limit=limits.get(code),
            cost=_cost(prices.get(code), uses, version.currency, part),
        )
        for code in reported_meters(version, limits)
    )
    total = sum((row.overage_cost for row in rows), Money.zero(version.currency))
    return UsageReport(start=start, end=end, meters=rows, total_overage_cost=total)


def reported_meters(version: PlanVersion, limits: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the codes of the meters that a version's prices and limits name, then of `limits`."""
    priced = [price.meter for price in version.prices if price.meter is not None]
    return tuple(dict.fromkeys([*priced, *version.limits, *limits]))


def period_limits(version: PlanVersion) -> dict[str, Decimal]:
    """Return the version's limits per billing period."""
    return {
        code: one.limit
        for code, limits in all_limits(version.limits).items()
        for one in limits
        if one.per == "period"
    }


def included_units(version: PlanVersion) -> dict[str, Decimal]:
    """Return what prices include by meter code, which stands for a limit where there is none."""
    return {
        price.meter: price.included
        for price in version.prices
        if price.meter is not None and price.included > 0
    }


def _meter_usage(
    meter: Meter, quantity: Decimal, *, price: Price | None, limit: Decimal | None, cost: Money
) -> MeterUsage:
    limit = _included(price) if limit is None else limit
    over = ZERO if limit is None else max(subtract(quantity, limit), ZERO)
    return MeterUsage(
        meter=meter,
        quantity=quantity,
        limit=limit,
        percent=None if limit is None else _percent(quantity, limit),
        overage=canonical(over),
        overage_cost=cost,
    )


def _included(price: Price | None) -> Decimal | None:
    """Return what the price includes, which stands for a limit where there is none."""
    return price.included if price is not None and price.included > 0 else None


def _percent(quantity: Decimal, limit: Decimal) -> Decimal:
    """Return how much of the limit is used; of a limit of zero, all as soon as there is use."""
    if limit == 0:
        return Decimal(100) if quantity > 0 else ZERO
    used, whole = quantity.as_integer_ratio(), limit.as_integer_ratio()
    hundredths = round_ratio(used[0] * whole[1] * 10_000, used[1] * whole[0])
    return canonical(Decimal(hundredths).scaleb(-2))


def _cost(price: Price | None, uses: Uses, currency: str, part: Part | None) -> Money:
    if price is None or not is_metered(price):
        return Money.zero(currency)
    return charged(price, uses.get(price.code, ()), part)
