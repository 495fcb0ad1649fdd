"""What ends a period, until when its prices count then, and what is used of it so far. Pure."""

from datetime import datetime
from typing import Final

from tallystick.catalog.model import PlanVersion
from tallystick.subscriptions.model import Status, Subscription
from tallystick.subscriptions.periods import Period
from tallystick.subscriptions.proration import starts_to_count, stops_to_count
from tallystick.subscriptions.terms import billing_period_at
from tallystick.subscriptions.usage_dues import UsageDue, use_in

ENDS: Final = "ends"
PAUSES: Final = "pauses"
CHANGES: Final = "changes"
RENEWS: Final = "renews"


def present_use(subscription: Subscription, plan: PlanVersion, now: datetime) -> UsageDue:
    """Return the usage that the next invoice bills by the present terms, as of `now`.

    By the calendar, not by the worker: it is the right period even when the one before is still to
    be billed. After a change in the middle of a period, the part since then.
    """
    natural = billing_period_at(subscription, plan, now)[1]
    start, end = natural.start, natural.end
    if natural.start <= subscription.period_start <= max(now, subscription.started_at):
        start = subscription.period_start
        end = subscription.period_end if subscription.period_end > now else natural.end
    happens = what_happens(subscription, end)
    counts_until = counts_until_of(subscription, plan, end, happens)
    return use_in(subscription, plan, Period(start, end), counts_until)


def what_happens(subscription: Subscription, at: datetime) -> str:
    """Return what ends the period that ends at `at`: an end first, then a pause or a change."""

    def is_due(instant: datetime | None) -> bool:
        return instant is not None and instant <= at

    if is_due(subscription.ends_at):
        return ENDS
    if is_due(subscription.paused_at):
        return PAUSES
    return CHANGES if is_due(subscription.change_at) else RENEWS


def counts_until_of(
    subscription: Subscription, plan: PlanVersion, at: datetime, happens: str
) -> datetime:
    """Return until when flat prices of the present terms count.

    Up to the day of a change; with the day on which all ends; not before a trial ends.
    """
    if subscription.status is Status.TRIALING or _is_in_trial(subscription, at):
        return subscription.flat_from
    if happens == RENEWS:
        return max(at, subscription.flat_from)
    if happens == CHANGES:
        counts = starts_to_count(plan.proration, at, subscription.timezone)
    else:
        counts = stops_counting(subscription, plan, at)
    return max(counts, subscription.flat_from)


def stops_counting(subscription: Subscription, plan: PlanVersion, at: datetime) -> datetime:
    """Return until when counts what ends at `at`: with that day, unless a period ends there."""
    is_edge = billing_period_at(subscription, plan, at)[1].start == at > subscription.started_at
    return at if is_edge else stops_to_count(plan.proration, at, subscription.timezone)


def _is_in_trial(subscription: Subscription, at: datetime) -> bool:
    return subscription.trial_ends_at is not None and at <= subscription.trial_ends_at
