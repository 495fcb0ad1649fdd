"""What is asked of a subscription, as the subscription that it leads to. Pure.

Each function checks the table of statuses, notes what shall happen and when, and bills nothing:
`bills.next_step` does that when the time has come, which for a change that holds from now on is at
once. So a preview is the same two calls without a write.
"""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal

from msgspec.structs import replace

from tallystick.catalog.currencies import priced_in
from tallystick.catalog.model import PlanVersion
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions.bills import resumed
from tallystick.subscriptions.lifecycle import (
    QUANTITY_MAX,
    natural_period,
    next_status,
    scheduled,
    without_change,
)
from tallystick.subscriptions.model import Event, Remainder, Status, Subscription
from tallystick.subscriptions.terms import bills_usage_in_advance, fee_period

When = Literal["now", "period_end"] | datetime
"""At once, when the period that was paid for ends, or at an instant."""

_PER_YEAR: Final = {"day": 365, "week": 52, "month": 12, "quarter": 4, "half_year": 2, "year": 1}


def change_terms(
    subscription: Subscription,
    before: PlanVersion,
    plan: PlanVersion,
    *,
    quantity: int | None,
    when: When | None,
    now: datetime,
) -> Subscription:
    """Let it be on the plan's version with this quantity (None: as many as before).

    `when` None: at once if that costs as much a year or more, else at the end of the period. What
    was scheduled before is replaced. Raises Conflict where the table or an end that is known
    forbids it, nothing would change, or the plan has no price in the subscription's currency
    (`plan_not_in_currency`); BadInput for an instant in the past.
    """
    require_settled(subscription, now)
    next_status(subscription.status, Event.CHANGE)
    count = subscription.quantity if quantity is None else quantity
    plan = priced_in(plan, subscription.currency)
    _check_change(subscription, before, plan, count)
    is_more = yearly(plan, count) >= yearly(before, subscription.quantity)
    at = _instant(subscription, before, when or ("now" if is_more else "period_end"), now)
    if subscription.ends_at is not None and subscription.ends_at <= at:
        raise Conflict(
            "subscription_ends_before",
            "The subscription ends before that; take the cancellation back first.",
        )
    changed = replace(
        subscription,
        change_at=at,
        next_plan_version_id=plan.plan_version_id,
        next_plan_id=plan.plan_id,
        next_quantity=count,
    )
    return scheduled(changed, natural_period(changed, before))


def drop_change(subscription: Subscription, plan: PlanVersion, now: datetime) -> Subscription:
    """Take a scheduled change back; raises Conflict where there is none."""
    require_settled(subscription, now)
    if subscription.change_at is None:
        raise Conflict("nothing_to_change", "No change is scheduled.")
    kept = without_change(subscription)
    return scheduled(kept, natural_period(kept, plan))


def cancel_now(
    subscription: Subscription,
    plan: PlanVersion,
    at: datetime,
    remainder: Remainder | None = None,
) -> Subscription:
    """End it at `at`: the period is cut there, and what was used of it is billed at once.

    Periods that ended before and are not billed yet stay due. Raises Conflict if it has ended.
    """
    status = next_status(subscription.status, Event.CANCEL_NOW)
    ended = replace(
        subscription,
        status=status,
        cancel_at_period_end=False,
        ends_at=at,
        remainder=remainder or subscription.remainder,
        resumes_at=None,
    )
    if subscription.status in {Status.PENDING, Status.INCOMPLETE} or _is_resting(subscription):
        return replace(without_change(ended), next_bill_at=None, opens_at=None, standing_at=None)
    opens_at = ended.opens_at if ended.opens_at and ended.opens_at < at else None
    cut = replace(ended, opens_at=opens_at)
    return scheduled(cut, natural_period(cut, plan))


def cancel_at_period_end(
    subscription: Subscription,
    plan: PlanVersion,
    at: datetime,
    remainder: Remainder | None = None,
) -> Subscription:
    """Let it run to the end of what was paid for, or of its trial.

    Raises Conflict if it has ended.
    """
    status = next_status(subscription.status, Event.CANCEL_LATER)
    end = fee_period(subscription, plan, at).end
    if subscription.status is Status.TRIALING and subscription.trial_ends_at is not None:
        end = subscription.trial_ends_at
    return _ending(replace(_reopened(subscription, at), status=status), plan, end, remainder)


def end_at(
    subscription: Subscription,
    plan: PlanVersion,
    ends_at: datetime,
    now: datetime,
    remainder: Remainder | None = None,
) -> Subscription:
    """Let it end at an instant; raises BadInput for one in the past, Conflict if it has ended."""
    require_settled(subscription, now)
    status = next_status(subscription.status, Event.CANCEL_LATER)
    _refuse_past("ends_at", ends_at, now)
    return _ending(replace(_reopened(subscription, now), status=status), plan, ends_at, remainder)


def keep(subscription: Subscription, plan: PlanVersion, now: datetime) -> Subscription:
    """Take back a cancellation that has not come true; raises Conflict where there is none."""
    require_settled(subscription, now)
    status = next_status(subscription.status, Event.KEEP)
    if subscription.ends_at is None:
        raise Conflict("nothing_to_resume", "The subscription is not about to end.")
    kept = replace(subscription, status=status, ends_at=None, cancel_at_period_end=False)
    return scheduled(_reopened(kept, now), natural_period(kept, plan))


def pause(
    subscription: Subscription, plan: PlanVersion, now: datetime, resumes_at: datetime | None
) -> Subscription:
    """Use and bill it no more from now on, until `resumes_at` or until it is resumed.

    What was paid in advance is credited. Raises Conflict unless it is active or past due.
    """
    require_settled(subscription, now)
    status = next_status(subscription.status, Event.PAUSE)
    if resumes_at is not None:
        _refuse_past("resumes_at", resumes_at, now)
    if subscription.change_at is not None or subscription.ends_at is not None:
        raise Conflict(
            "subscription_change_scheduled",
            "A change or an end is scheduled; take it back before you pause the subscription.",
        )
    paused = replace(subscription, status=status, paused_at=now, resumes_at=resumes_at)
    return scheduled(paused, natural_period(paused, plan))


def resume(subscription: Subscription, plan: PlanVersion, now: datetime) -> Subscription:
    """Use and bill it again from now on; raises Conflict unless it is paused."""
    next_status(subscription.status, Event.RESUME)
    require_settled(subscription, now)
    return resumed(subscription, plan, now, Event.RESUME)


def reactivate(subscription: Subscription, plan: PlanVersion, now: datetime) -> Subscription:
    """Begin it again after its end, on the same plan; raises Conflict unless it is canceled.

    What is paid for already (the day on which it ended) is not billed again.
    """
    next_status(subscription.status, Event.REACTIVATE)
    require_settled(subscription, now)
    ended = replace(subscription, ends_at=None, cancel_at_period_end=False)
    return resumed(ended, plan, now, Event.REACTIVATE)


def complete(subscription: Subscription, plan: PlanVersion) -> Subscription:
    """Let it begin: the first invoice was paid. Raises Conflict unless it waited for that."""
    status = next_status(subscription.status, Event.COMPLETE)
    looks_at = subscription.period_start if bills_usage_in_advance(plan) else None
    active = replace(subscription, status=status, standing_at=None, usage_bill_at=looks_at)
    return scheduled(active, natural_period(active, plan))


def yearly(plan: PlanVersion, quantity: int) -> Fraction:
    """Return what a year of the flat prices costs: 12 months, 52 weeks, 4 quarters."""
    flat = sum(
        (price.amount for price in plan.prices if isinstance(price, FlatPrice)), start=Decimal(0)
    )
    return Fraction(flat) * quantity * _PER_YEAR[plan.interval] / plan.interval_count


def require_settled(subscription: Subscription, now: datetime) -> None:
    """Raise Conflict when something that was due before is not billed yet."""
    if subscription.next_bill_at is not None and subscription.next_bill_at <= now:
        raise Conflict(
            "subscription_billing_behind",
            "Something that is due is being billed; try again in a moment.",
        )


def _reopened(subscription: Subscription, now: datetime) -> Subscription:
    """Let what is due in advance be looked at again: it was billed up to an end that moves."""
    if subscription.advance_until is None or subscription.opens_at is not None:
        return subscription
    return replace(subscription, opens_at=now)


def _is_resting(subscription: Subscription) -> bool:
    """Tell whether it is paused and all before the pause was billed."""
    paused_at = subscription.paused_at
    due_at = subscription.next_bill_at
    if subscription.status is not Status.PAUSED or paused_at is None:
        return False
    return due_at is None or due_at == subscription.resumes_at


def _ending(
    subscription: Subscription, plan: PlanVersion, end: datetime, remainder: Remainder | None
) -> Subscription:
    ending = replace(
        subscription,
        cancel_at_period_end=True,
        ends_at=end,
        remainder=remainder or subscription.remainder,
    )
    return scheduled(ending, natural_period(ending, plan))


def _check_change(
    subscription: Subscription, before: PlanVersion, plan: PlanVersion, quantity: int
) -> None:
    if not 1 <= quantity <= QUANTITY_MAX:
        raise BadInput.field("quantity", "out_of_range", f"must be from 1 to {QUANTITY_MAX}.")
    if (plan.plan_version_id, quantity) == (before.plan_version_id, subscription.quantity):
        raise Conflict("nothing_to_change", "The subscription is on that already.")


def _instant(subscription: Subscription, plan: PlanVersion, when: When, now: datetime) -> datetime:
    if when == "now":
        return now
    if when == "period_end":
        return fee_period(subscription, plan, now).end
    assert isinstance(when, datetime)  # noqa: S101 -- the two words are handled above
    _refuse_past("at", when, now)
    return when


def _refuse_past(field: str, at: datetime, now: datetime) -> None:
    if at < now:
        raise BadInput.field(field, "in_the_past", "must not lie in the past.")
