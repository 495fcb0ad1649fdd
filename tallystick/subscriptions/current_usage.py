"""What the account uses in its running period, against its plan: for the API and the pages."""

from datetime import datetime
from uuid import UUID

import msgspec

from tallystick.catalog import service as catalog
from tallystick.catalog.model import PlanVersion
from tallystick.kernel.db import Connection
from tallystick.metering import account_limits
from tallystick.metering import service as metering
from tallystick.metering.price_uses import Days, read_uses
from tallystick.metering.usage_report import UsageReport, reported_meters, usage_report
from tallystick.subscriptions import service
from tallystick.subscriptions.happening import present_use
from tallystick.subscriptions.model import Subscription
from tallystick.subscriptions.periods import zone
from tallystick.subscriptions.sold import plan_of
from tallystick.subscriptions.usage_limits import effective_limits, limits_per_period
from tallystick.subscriptions.usage_share import days_of, part_of, usage_share


class CurrentUsage(msgspec.Struct, frozen=True):
    """A subscription, the version of the plan it is on, and the report on its running period."""

    subscription: Subscription
    plan: PlanVersion
    report: UsageReport


async def current_usage(conn: Connection, account_id: UUID, now: datetime) -> CurrentUsage | None:
    """Return the usage that the next invoice bills by the present terms, exact, as of `now`.

    `now` is the account's present. After a change in the middle of a period it is the part since
    then: what was used before is billed apart. None without a subscription.
    """
    subscription = await service.current_subscription(conn, account_id)
    if subscription is None:
        return None
    plan = await plan_of(conn, subscription)
    own = await account_limits.list_limits(conn, account_id)
    limits = limits_per_period(effective_limits(plan, own))
    meters = await catalog.meters_by_codes(conn, reported_meters(plan, limits))
    due = present_use(subscription, plan, now)
    start, end = due.period.start, due.period.end
    totals = await metering.period_totals(conn, account_id, list(meters.values()), start, end)
    uses = await read_uses(
        conn,
        account_id,
        plan.prices,
        meters,
        start=start,
        end=end,
        days=Days(
            zone(subscription.timezone), days_of(due.whole, subscription.timezone), due.counts_until
        ),
        totals=totals,
    )
    part = part_of(usage_share(subscription, plan, due.whole, start, due.counts_until))
    report = usage_report(
        plan, meters, totals, start=start, end=end, limits=limits, uses=uses, part=part
    )
    return CurrentUsage(subscription, plan, report)
