"""Which periods of a subscription are looked at, and what is due for each. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from tallystick.catalog.model import PlanVersion
from tallystick.subscriptions.bills import Due
from tallystick.subscriptions.model import Status, Subscription
from tallystick.subscriptions.periods import Period, period
from tallystick.subscriptions.proration import starts_to_count
from tallystick.subscriptions.replay import replay
from tallystick.subscriptions.terms import billing_anchor, billing_period_at
from tallystick.subscriptions.usage_dues import CommitmentDue, RunningDue, UsageDue

_MICROSECOND: Final = timedelta(microseconds=1)


class Ended(msgspec.Struct, frozen=True):
    """A period that has ended, with its number, and why it can not be compared (None: it can)."""

    index: int
    period: Period
    obstacle: str | None


def ended_periods(
    subscription: Subscription,
    plan: PlanVersion,
    terms_from: datetime,
    asked: Period,
    now: datetime,
) -> Iterator[Ended]:
    """Yield the subscription's billing periods that lie in `asked` as a whole and ended by `now`.

    The last one is cut where the subscription ended. `terms_from`: since when it is on its plan
    with its quantity; what was before, or paused, can not be compared.
    """
    counted_from = billing_anchor(subscription, plan)
    until = min(asked.end, now)
    if max(asked.start, subscription.started_at) >= until:
        return
    index, found = billing_period_at(subscription, plan, asked.start)
    while found.start < until:
        end = found.end if subscription.ends_at is None else min(found.end, subscription.ends_at)
        if asked.start <= found.start < end <= until:
            one = Period(found.start, end)
            yield Ended(index, one, _obstacle(subscription, plan, terms_from, one))
        index += 1
        found = period(counted_from, index)


class Owed(msgspec.Struct, frozen=True):
    """Something that is due, and the subscription as it stood when it fell due."""

    on: Subscription
    due: Due


def dues_by_period(
    subscription: Subscription, plan: PlanVersion, until: datetime
) -> Mapping[int, list[Owed]]:
    """Return what is due for each billing period up to `until`, by its number.

    A price in advance belongs to the period in which it is due, one in arrears to the one at whose
    end it is due.
    """
    found: dict[int, list[Owed]] = {}
    for taken in replay(subscription, plan, until):
        for due in taken.step.dues:
            index, _ = billing_period_at(subscription, plan, _instant(due))
            found.setdefault(index, []).append(Owed(taken.on, due))
    return found


def _instant(due: Due) -> datetime:
    if isinstance(due, UsageDue):
        return due.period.start
    if isinstance(due, CommitmentDue):
        return due.parts[-1].period.start
    if isinstance(due, RunningDue):
        return due.usage.period.start
    return due.part.start if due.price.billing == "in_advance" else due.part.end - _MICROSECOND


def _obstacle(
    subscription: Subscription, plan: PlanVersion, terms_from: datetime, one: Period
) -> str | None:
    if subscription.status is Status.INCOMPLETE:
        return "incomplete"
    if one.start < terms_from:
        return "terms_changed"
    return "paused" if _is_paused_in(subscription, plan, one) else None


def _is_paused_in(subscription: Subscription, plan: PlanVersion, one: Period) -> bool:
    """Tell whether it was not in use for some of the time, or was before in a way not known."""
    first = subscription.started_at
    if subscription.trial_ends_at is not None:
        trial_end = subscription.trial_ends_at
        first = max(first, starts_to_count(plan.proration, trial_end, subscription.timezone))
    is_again = subscription.covered_from > first and one.start < subscription.covered_from
    is_cut = subscription.flat_from > first and one.start < subscription.flat_from < one.end
    paused_at = subscription.paused_at
    return is_again or is_cut or (paused_at is not None and paused_at < one.end)
