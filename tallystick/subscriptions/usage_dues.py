"""What is due for usage when a period, or the part of one that had the same terms, ends. Pure.

A plan may bill usage more often than its fees (a year, its usage monthly). What it commits to is
then looked at once a fee's period, over all the usage that was billed in it.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec
from msgspec.structs import replace

from tallystick.catalog.model import PlanVersion
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions.model import RUNNING, Subscription
from tallystick.subscriptions.periods import Period, period_at, whole_period
from tallystick.subscriptions.proration import Share, share_of
from tallystick.subscriptions.terms import billing_anchor, bills_usage_in_advance, fee_period


class UsageDue(msgspec.Struct, frozen=True, kw_only=True):
    """The usage of a period, to be billed by the plan that held in it.

    It may be a part of the billing period `whole`; days from `counts_until` on are the next one's.
    `keeps_paid`: what was paid in advance for days that do not come is kept.
    """

    plan: PlanVersion
    period: Period
    whole: Period
    counts_until: datetime
    keeps_paid: bool = False


class RunningDue(msgspec.Struct, frozen=True, kw_only=True):
    """What was used so far of prices that bill usage in advance; `usage` is the running period's.

    Units by the day count as if they stayed until its end.
    """

    usage: UsageDue

    @property
    def plan(self) -> PlanVersion:
        """The plan that holds in the period."""
        return self.usage.plan


class CommitmentDue(msgspec.Struct, frozen=True, kw_only=True):
    """What the fees and all usage of `period` are short of the plan's commitment.

    `parts` are the billing periods in it, whose usage was billed already; `share` is what part of
    a fee's period it is.
    """

    plan: PlanVersion
    period: Period
    share: Share
    parts: tuple[UsageDue, ...]


def usage_due(
    subscription: Subscription,
    plan: PlanVersion,
    used: Period,
    counts_until: datetime,
    *,
    keeps_paid: bool,
) -> tuple[UsageDue, ...]:
    """Return what is due for the usage of a billing period, or of a part of one; or nothing."""
    is_flat = all(isinstance(price, FlatPrice) for price in plan.prices)
    is_committed = plan.minimum_commitment and plan.usage_interval is None
    if (is_flat and not is_committed) or used.start >= used.end:
        return ()
    due = use_in(subscription, plan, used, counts_until)
    return (replace(due, keeps_paid=keeps_paid),)


def running_due(subscription: Subscription, plan: PlanVersion) -> tuple[RunningDue, ...]:
    """Return what is due by now of the usage of its period, where that is billed in advance."""
    used = subscription.period
    if subscription.status not in RUNNING or not bills_usage_in_advance(plan):
        return ()
    return (RunningDue(usage=use_in(subscription, plan, used, used.end)),)


def commitment_due(
    subscription: Subscription, plan: PlanVersion, at: datetime, counts_until: datetime
) -> tuple[CommitmentDue, ...]:
    """Return what is due for the commitment of a plan that bills usage more often, or nothing.

    At the end of a fee's period, or where these terms stop being used in it.
    """
    if not plan.minimum_commitment or plan.usage_interval is None:
        return ()
    whole = fee_period(subscription, plan, subscription.period_start)
    start = max(subscription.used_from, whole.start)
    if start >= at:
        return ()
    counted = Period(max(start, subscription.flat_from), counts_until)
    due = CommitmentDue(
        plan=plan,
        period=Period(start, at),
        share=share_of(plan.proration, whole, subscription.timezone, counted),
        parts=tuple(_parts(subscription, plan, Period(start, at), counts_until)),
    )
    return (due,)


def _parts(
    subscription: Subscription, plan: PlanVersion, span: Period, counts_until: datetime
) -> Iterator[UsageDue]:
    """Yield the billing periods of a span of the same terms."""
    anchor = billing_anchor(subscription, plan)
    start = span.start
    while start < span.end:
        natural = period_at(anchor, start)[1]
        is_last = natural.end >= span.end
        until = counts_until if is_last else natural.end
        yield use_in(subscription, plan, Period(start, min(natural.end, span.end)), until)
        start = natural.end


def use_in(
    subscription: Subscription, plan: PlanVersion, used: Period, counts_until: datetime
) -> UsageDue:
    """Return the usage of a billing period, or of a part of one, as a due."""
    whole = whole_period(billing_anchor(subscription, plan), used.start)
    return UsageDue(plan=plan, period=used, whole=whole, counts_until=counts_until)
