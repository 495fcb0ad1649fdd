"""What share of a billing period usage is billed for: of its minimums and maximums. Pure."""

from datetime import datetime

from tallystick.catalog.model import PlanVersion
from tallystick.pricing.charges import Part
from tallystick.subscriptions.model import Subscription
from tallystick.subscriptions.periods import Period, local_day
from tallystick.subscriptions.proration import Share, share_of


def usage_share(
    on: Subscription, plan: PlanVersion, whole: Period, start: datetime, until: datetime
) -> Share:
    """Return the share of the billing period `whole` from `start` to `until`, as the plan prorates.

    The first period is whole from the instant of the start on, when it began on its first day.
    """
    if local_day(whole.start, on.timezone) == local_day(on.started_at, on.timezone):
        whole = Period(max(whole.start, on.started_at), whole.end)
    return share_of(plan.proration, whole, on.timezone, Period(start, until))


def part_of(share: Share) -> Part | None:
    """Return the part of a period that a share is, None: it is whole."""
    return None if share.is_whole else Part(share.start, max(share.start, share.end), share.whole)


def days_of(whole: Period, timezone: str) -> int:
    """Return how many days of a time zone a whole billing period has."""
    return (local_day(whole.end, timezone) - local_day(whole.start, timezone)).days
