"""The periods that alerts look at, and whose they are."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import msgspec

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.catalog.model import Meter, PlanVersion
from tallystick.invoices.period_spend import period_spend
from tallystick.kernel.db import Connection
from tallystick.metering import account_limits
from tallystick.metering.price_uses import Days, read_uses
from tallystick.metering.usage_report import included_units
from tallystick.money.amount import Money
from tallystick.pricing.use import Uses
from tallystick.subscriptions import lifecycle
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.happening import present_use
from tallystick.subscriptions.model import Subscription
from tallystick.subscriptions.periods import (
    Period,
    add_months,
    local_day,
    period_at,
    start_of_day,
    whole_period,
    zone,
)
from tallystick.subscriptions.periods import period as period_of
from tallystick.subscriptions.sold import plan_of
from tallystick.subscriptions.usage_dues import UsageDue
from tallystick.subscriptions.usage_limits import effective_limits, limits_per_period


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """An account at an instant: its plan (None without one), the running period, the one before.

    `limits` are those of a billing period by meter code, as `/usage/current` shows them.
    `began_at`: when the subscription started.
    """

    account: Account
    plan: PlanVersion | None
    period: Period
    previous: Period | None
    limits: Mapping[str, Decimal]
    began_at: datetime | None
    subscription: Subscription | None = None
    due: UsageDue | None = None


async def running_of(conn: Connection, account_id: UUID, now: datetime) -> Running:
    """Return the account's running period at `now` (its present).

    Without a subscription the calendar month of its time zone stands for it.
    """
    account = await accounts.get_account(conn, account_id)
    own = await account_limits.list_limits(conn, account_id)
    subscription = await subscriptions.current_subscription(conn, account_id)
    if subscription is None:
        period, previous = _months(now, account.timezone)
        return Running(
            account=account,
            plan=None,
            period=period,
            previous=previous,
            limits=limits_per_period(effective_limits(None, own)),
            began_at=None,
        )
    plan = await plan_of(conn, subscription)
    due = present_use(subscription, plan, now)
    return Running(
        account=account,
        plan=plan,
        period=due.period,
        previous=_before(subscription, plan, due),
        limits=included_units(plan) | limits_per_period(effective_limits(plan, own)),
        began_at=subscription.started_at,
        subscription=subscription,
        due=due,
    )


def spend_of(
    running: Running,
    period: Period,
    meters: Mapping[str, Meter],
    uses: Uses,
) -> Money | None:
    """Return what the period comes to before tax for this use; None without a plan.

    By the lines that the invoices have: fees, minimums and the plan's commitment are in it.
    """
    if running.plan is None or running.subscription is None:
        return None
    return period_spend(running.subscription, _due(running, period), meters, uses)


async def uses_of(
    conn: Connection,
    running: Running,
    period: Period,
    meters: Mapping[str, Meter],
    totals: Mapping[str, Decimal],
) -> Uses:
    """Return what the prices of the plan are rated for; `totals` are those of the period."""
    return await read_uses(
        conn,
        running.account.account_id,
        running.plan.prices if running.plan else (),
        meters,
        start=period.start,
        end=period.end,
        days=Days(zone(running.account.timezone)),
        totals=totals,
    )


def _due(running: Running, period: Period) -> UsageDue:
    """Return what is due for the running period, or for the one before it."""
    on, plan = running.subscription, running.plan
    assert on is not None  # noqa: S101 -- who calls has looked
    assert plan is not None  # noqa: S101
    if running.due is not None and period == running.period:
        return running.due
    whole = whole_period(lifecycle.anchor(on, plan), period.start)
    return UsageDue(plan=plan, period=period, whole=whole, counts_until=period.end)


def _before(on: Subscription, plan: PlanVersion, due: UsageDue) -> Period | None:
    """Return the billing period before, as far as it had the present terms; None: none had."""
    counted_from = lifecycle.anchor(on, plan)
    index, natural = period_at(counted_from, max(due.period.start, on.started_at))
    if not index or natural.start < due.period.start:
        return None
    before = period_of(counted_from, index - 1)
    start = max(before.start, on.used_from)
    return Period(start, before.end) if start < before.end else None


def _months(now: datetime, timezone: str) -> tuple[Period, Period]:
    first = local_day(now, timezone).replace(day=1)
    before = (first - timedelta(days=1)).replace(day=1)
    start, end, earlier = (
        start_of_day(day, timezone) for day in (first, add_months(first, 1), before)
    )
    return Period(start, end), Period(earlier, start)
