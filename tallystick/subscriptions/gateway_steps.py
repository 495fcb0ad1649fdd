"""What a gateway's news make of a subscription that the gateway renews by itself. Pure.

Its periods are those that the gateway tells, each billed when it begins, for the gateway takes its
price in advance; usage is billed with the period that follows it.
"""

from msgspec.structs import replace

from tallystick.catalog.model import PlanVersion
from tallystick.kernel.errors import Conflict
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions.bills import Due, Step
from tallystick.subscriptions.lifecycle import next_status
from tallystick.subscriptions.model import Event, Status, Subscription
from tallystick.subscriptions.periods import Period
from tallystick.subscriptions.proration import share_of
from tallystick.subscriptions.terms import FlatDue
from tallystick.subscriptions.usage_dues import usage_due


def renewal(on: Subscription, plan: PlanVersion, period: Period) -> Step:
    """Return the bill of a period that the gateway has begun, whether it was paid or not.

    Raises Conflict for a subscription that is ours or has ended, and for a period that begins
    before the present one.
    """
    _need_gateways_own(on)
    status = on.status
    if status is Status.TRIALING:
        status = next_status(status, Event.END_TRIAL)
    # One that has ended is billed for nothing more, though the table lets the last bills follow.
    event = Event.KEEP if status is Status.CANCELED else Event.RENEW
    status = next_status(status, event)
    if period.start < on.period_start and on.bill_index:
        raise Conflict(
            "gateway_period_over", "A later period of the subscription was billed already."
        )
    after = replace(
        on,
        status=status,
        period_index=on.period_index + (1 if on.bill_index else 0),
        period_start=period.start,
        period_end=period.end,
        flat_from=period.start,
        used_from=period.start,
        advance_until=period.end,
        opens_at=None,
        next_bill_at=None,
        bill_index=on.bill_index + 1,
    )
    dues = (*_usage(on, plan, period), *_fees(on, plan, period))
    return Step(at=period.start, period=period, dues=dues, after=after, has_begun=True)


def ending(on: Subscription, plan: PlanVersion, period: Period) -> Step:
    """Return the bill of what was used up to the end, `period.end`, that the gateway has told.

    `period` begins with the present one. Raises Conflict for a subscription that is ours or ended.
    """
    _need_gateways_own(on)
    status = next_status(on.status, Event.CANCEL_NOW)
    after = replace(
        on,
        status=status,
        ends_at=period.end,
        cancel_at_period_end=False,
        next_bill_at=None,
        opens_at=None,
        standing_at=None,
        bill_index=on.bill_index + 1,
    )
    usage = usage_due(on, plan, period, period.end, keeps_paid=False)
    return Step(at=period.end, period=period, dues=usage, after=after)


def _need_gateways_own(on: Subscription) -> None:
    if on.schedule_owner == "tallystick":
        raise Conflict(
            "schedule_not_the_gateways", "No gateway renews this subscription; we bill it."
        )


def _usage(on: Subscription, plan: PlanVersion, period: Period) -> tuple[Due, ...]:
    """Return what was used before the new period: nothing when it is the first."""
    if not on.bill_index or period.start <= on.period_start:
        return ()
    used = Period(on.period_start, period.start)
    return usage_due(on, plan, used, period.start, keeps_paid=False)


def _fees(on: Subscription, plan: PlanVersion, period: Period) -> tuple[Due, ...]:
    whole = share_of(plan.proration, period, on.timezone, period)
    return tuple(
        FlatDue(
            plan=plan,
            price=price,
            quantity=on.quantity,
            whole=period,
            part=period,
            share=whole,
        )
        for price in plan.prices
        if isinstance(price, FlatPrice)
    )
