"""The totals of meters that many bills need: so many statements for all of them together."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from tallystick.catalog.model import Meter
from tallystick.kernel.db import Connection
from tallystick.metering.many_periods import Totals, totals_of_many
from tallystick.metering.model import AccountPeriod
from tallystick.pricing.charges import needs_total_only
from tallystick.subscriptions.bills import Step
from tallystick.subscriptions.model import Subscription
from tallystick.subscriptions.periods import Period
from tallystick.subscriptions.usage_dues import UsageDue

Used = tuple[UUID, Period]
"""An account and a period."""


async def read_totals(
    conn: Connection, steps: Iterable[tuple[Subscription, Step]], meters: Mapping[str, Meter]
) -> dict[Used, Totals]:
    """Return the totals for the usage that is due in these steps, by account and period.

    Those of the meters of prices that need no more than a total; what else a price needs is read
    where it is rated. Periods of which events are archived are absent: who reads one by itself is
    told so. `meters` go by code.
    """
    by_meters: dict[frozenset[str], set[Used]] = {}
    for on, step in steps:
        for due in step.dues:
            if isinstance(due, UsageDue) and (codes := _codes(due, meters)):
                by_meters.setdefault(codes, set()).add((on.account_id, due.period))
    found: dict[Used, Totals] = {}
    for codes, wanted in by_meters.items():
        used = sorted(wanted, key=lambda one: (one[0], one[1].start, one[1].end))
        asked = [AccountPeriod(whose, period.start, period.end) for whose, period in used]
        of_meters = [meters[code] for code in sorted(codes)]
        for key, totals in zip(used, await totals_of_many(conn, asked, of_meters), strict=True):
            if totals is not None:
                found[key] = found.get(key, {}) | totals
    return found


def _codes(due: UsageDue, meters: Mapping[str, Meter]) -> frozenset[str]:
    asked = (price.meter or "" for price in due.plan.prices if needs_total_only(price))
    return frozenset(code for code in asked if code in meters)
