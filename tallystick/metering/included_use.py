"""What a plan includes against what was used, over all its meters together: pure.

The Ops Center seed calls the included units credits. They are units of usage: a plan that gives
credits to spend (`credits/`) says so on routes of its own.
"""

from decimal import Decimal
from typing import Final

import msgspec

from tallystick.catalog.model import PlanVersion
from tallystick.metering.usage_report import MeterUsage, UsageReport
from tallystick.money.amount import Money
from tallystick.money.exact import add, canonical, subtract, total
from tallystick.pricing.charges import is_metered, needs_total_only
from tallystick.pricing.model import Price
from tallystick.pricing.rate import rate

ADDITIVE: Final = frozenset({"count", "sum"})
"""Units of these can be added over meters; a highest value or an average can not."""
THOUSAND: Final = Decimal(1000)
ZERO: Final = Decimal(0)


class IncludedUse(msgspec.Struct, frozen=True, kw_only=True):
    """Units over all additive meters of the period, and what those over the limits cost.

    `price_per_1k` (major units) is what the next thousand units over the limit cost, when every
    meter with a price asks the same for them; else None, and where groups have prices of their own.
    """

    included: Decimal
    used: Decimal
    remaining: Decimal
    overage: Decimal
    overage_cost: Money
    price_per_1k: Decimal | None


def included_use(version: PlanVersion, report: UsageReport) -> IncludedUse:
    """Sum a report: what one meter leaves unused does not cover another's overage."""
    rows = [row for row in report.meters if row.meter.aggregation in ADDITIVE]
    limited = [row for row in rows if row.limit is not None]
    return IncludedUse(
        included=canonical(total(row.limit for row in limited if row.limit is not None)),
        used=canonical(total(row.quantity for row in rows)),
        remaining=canonical(total(_left(row) for row in limited)),
        overage=canonical(total(row.overage for row in rows)),
        overage_cost=report.total_overage_cost,
        price_per_1k=_price_per_1k(version, rows),
    )


def _left(row: MeterUsage) -> Decimal:
    return max(subtract(row.limit or ZERO, row.quantity), ZERO)


def _price_per_1k(version: PlanVersion, rows: list[MeterUsage]) -> Decimal | None:
    by_code = {row.meter.code: row for row in rows}
    asked = {
        _next_thousand(price, by_code[price.meter]) if needs_total_only(price) else None
        for price in version.prices
        if price.meter in by_code and is_metered(price)
    }
    return asked.pop() if len(asked) == 1 else None


def _next_thousand(price: Price, row: MeterUsage) -> Decimal:
    so_far = max(row.quantity, row.limit or ZERO)
    more = rate(price, add(so_far, THOUSAND)).amount
    return canonical(subtract(more, rate(price, so_far).amount))
