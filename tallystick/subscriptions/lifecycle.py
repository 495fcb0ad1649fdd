"""What becomes of a subscription: the table of its statuses, and the rules of its periods."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, get_args
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tallystick.accounts.model import Account
from tallystick.catalog.currencies import priced_in
from tallystick.catalog.model import PlanVersion
from tallystick.kernel.errors import Conflict
from tallystick.pricing.billable import why_not_billable
from tallystick.subscriptions.model import Event, Status, Subscription
from tallystick.subscriptions.periods import Anchor, Interval, Period, period, period_at

TRANSITIONS: Final[Mapping[tuple[Status, Event], Status]] = MappingProxyType(
    {
        (Status.ACTIVE, Event.RENEW): Status.ACTIVE,
        (Status.ACTIVE, Event.CANCEL_LATER): Status.ACTIVE,
        (Status.ACTIVE, Event.CANCEL_NOW): Status.CANCELED,
        (Status.ACTIVE, Event.END): Status.CANCELED,
        # Canceled while periods were still to be billed: those follow, and then the last one.
        (Status.CANCELED, Event.RENEW): Status.CANCELED,
        (Status.CANCELED, Event.END): Status.CANCELED,
    }
)


def next_status(status: Status, event: Event) -> Status:
    """Return the status after the event; raises Conflict where the table has none."""
    after = TRANSITIONS.get((status, event))
    if after is None:
        raise Conflict("subscription_not_active", "The subscription is canceled already.")
    return after


def begin(account: Account, plan: PlanVersion, subscription_id: UUID, at: datetime) -> Subscription:
    """Return a subscription that starts at `at`; its first period is billed when it ends.

    Raises Conflict for a plan that is not sold in the account's currency, a draft or a retired
    version, and for what can not be billed yet.
    """
    _refuse_unbillable(account, plan)
    first = period(_anchor(at, account.timezone, plan), 0)
    return Subscription(
        account_id=account.account_id,
        subscription_id=subscription_id,
        plan_version_id=plan.plan_version_id,
        status=Status.ACTIVE,
        started_at=first.start,
        timezone=account.timezone,
        period_index=0,
        period_start=first.start,
        period_end=first.end,
        next_bill_at=first.end,
        created_at=at,
    )


def cancel_now(subscription: Subscription, at: datetime) -> Subscription:
    """End it at `at`: the period is cut there, and what was used of it is billed at once.

    Periods that ended before and are not billed yet stay due. Raises Conflict if it has ended.
    """
    status = next_status(subscription.status, Event.CANCEL_NOW)
    ended = replace(subscription, status=status, cancel_at_period_end=False, ends_at=at)
    if at <= subscription.period_start:
        return replace(ended, next_bill_at=None)
    end = min(at, subscription.period_end)
    return replace(ended, period_end=end, next_bill_at=end)


def cancel_at_period_end(
    subscription: Subscription, plan: PlanVersion, at: datetime
) -> Subscription:
    """Let it run to the end of the period that contains `at`. Raises Conflict if it has ended."""
    status = next_status(subscription.status, Event.CANCEL_LATER)
    running = running_period(subscription, plan, at)
    return replace(subscription, status=status, cancel_at_period_end=True, ends_at=running.end)


def after_billing(subscription: Subscription, plan: PlanVersion) -> Subscription:
    """Return it with its period billed: on to the next one, or at its end."""
    index, following = _next_period(anchor(subscription, plan), subscription.period_index)
    billed = replace(subscription, bill_error=None, bill_try_count=0, bill_retry_at=None)
    ends_at = subscription.ends_at
    if ends_at is not None and ends_at <= following.start:
        status = next_status(subscription.status, Event.END)
        return replace(billed, status=status, next_bill_at=None)
    end = following.end if ends_at is None else min(following.end, ends_at)
    return replace(
        billed,
        status=next_status(subscription.status, Event.RENEW),
        period_index=index,
        period_start=following.start,
        period_end=end,
        next_bill_at=end,
    )


def running_period(subscription: Subscription, plan: PlanVersion, now: datetime) -> Period:
    """Return the period that contains `now`, by the calendar; before the start, the first one."""
    at = max(now, subscription.started_at)
    return period_at(anchor(subscription, plan), at)[1]


def anchor(subscription: Subscription, plan: PlanVersion) -> Anchor:
    """Return what the periods are counted from: the start, in the zone that held then."""
    return _anchor(subscription.started_at, subscription.timezone, plan)


def _anchor(started_at: datetime, timezone: str, plan: PlanVersion) -> Anchor:
    interval = msgspec.convert(plan.interval, Interval)
    return Anchor(started_at, timezone, interval, plan.interval_count)


def _next_period(counted_from: Anchor, index: int) -> tuple[int, Period]:
    """Return the next period that is not empty (a zone may leave out a day, as Samoa did)."""
    while True:
        index += 1
        following = period(counted_from, index)
        if following.start < following.end:
            return index, following


def _refuse_unbillable(account: Account, plan: PlanVersion) -> None:
    """Refuse what the billing run does not know how to bill, so that nothing is billed wrongly."""
    if plan.status != "active":
        raise Conflict(
            "plan_version_not_active", f"The version of the plan is {plan.status}; take another."
        )
    sold = priced_in(plan, account.currency)
    for what in _unbillable(plan, sold):
        raise Conflict(
            "plan_not_billable",
            f"{what}, which can not be billed yet; make a version of the plan without that.",
        )


def _unbillable(plan: PlanVersion, sold: PlanVersion) -> Iterator[str]:
    """Yield what stands in the way; each line goes when the billing run has learned it."""
    if sold.prices != plan.prices:
        yield f"The plan's own currency is {plan.currency}, not {sold.currency}"
    if plan.interval not in get_args(Interval):
        yield f"The plan's interval is {plan.interval}"
    if plan.trial_days:
        yield "The plan has a trial"
    if plan.fixed_months:
        yield "The plan has months of 30 days"
    if plan.usage_interval is not None:
        yield f"The plan bills usage by the {plan.usage_interval}"
    if sold.minimum_commitment:
        yield "The plan has a minimum commitment"
    for price in sold.prices:
        if price.billing != "in_arrears":
            yield f"Price {price.code} is billed in advance"
        reason = why_not_billable(price)
        if reason is not None:
            yield f"Price {price.code} {reason}"
