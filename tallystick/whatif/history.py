"""Which periods of a subscription are looked at. Pure."""

from collections.abc import Iterator
from datetime import datetime

from tallystick.catalog.model import PlanVersion
from tallystick.subscriptions.lifecycle import anchor
from tallystick.subscriptions.model import Subscription
from tallystick.subscriptions.periods import Period, period, period_at


def ended_periods(
    subscription: Subscription, plan: PlanVersion, asked: Period, now: datetime
) -> Iterator[Period]:
    """Yield the subscription's periods that lie in `asked` as a whole and ended by `now`.

    By the subscription's calendar, as they are billed: the last one is cut where it ended.
    """
    counted_from = anchor(subscription, plan)
    until = min(asked.end, now)
    first = max(asked.start, counted_from.started_at)
    if first >= until:
        return
    index, found = period_at(counted_from, first)
    while found.start < until:
        end = found.end if subscription.ends_at is None else min(found.end, subscription.ends_at)
        if asked.start <= found.start < end <= until:
            yield Period(found.start, end)
        index += 1
        found = period(counted_from, index)
