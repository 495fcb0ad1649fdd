"""All that is due for a subscription from its beginning on, had nothing ever changed it. Pure.

For what asks what would have been: the same steps as the billing run takes, one after the other.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec
from msgspec.structs import replace

from tallystick.catalog.model import PlanVersion
from tallystick.subscriptions.bills import Plans, Step, next_step
from tallystick.subscriptions.lifecycle import in_trial, scheduled, without_change
from tallystick.subscriptions.model import Status, Subscription
from tallystick.subscriptions.terms import billing_period, bills_in_advance


class Taken(msgspec.Struct, frozen=True):
    """A step, and the subscription as it stood before."""

    on: Subscription
    step: Step


def replay(subscription: Subscription, plan: PlanVersion, until: datetime) -> Iterator[Taken]:
    """Yield what is billed up to `until`, in order, on this plan and with the present quantity.

    The start, the days that periods are counted from, the trial and the end are the subscription's
    own; pauses and other plans are left out.
    """
    on = _as_begun(subscription, plan)
    while on.next_bill_at is not None and on.next_bill_at <= until:
        step = next_step(on, Plans(plan))
        if step is None:
            return
        yield Taken(on, step)
        on = step.after


def _as_begun(subscription: Subscription, plan: PlanVersion) -> Subscription:
    began = subscription.started_at
    on = replace(
        without_change(subscription),
        plan_version_id=plan.plan_version_id,
        plan_id=plan.plan_id,
        status=Status.ACTIVE,
        period_index=0,
        period_start=began,
        period_end=began,
        flat_from=began,
        used_from=began,
        covered_from=began,
        opens_at=began if bills_in_advance(plan) else None,
        advance_until=None,
        usage_bill_at=None,
        paused_at=None,
        resumes_at=None,
        trial_end="bill",
        bill_index=0,
    )
    if subscription.trial_ends_at is not None:
        on = in_trial(on, plan, subscription.trial_ends_at)
        on = replace(on, status=Status.TRIALING, opens_at=on.trial_ends_at)
    return scheduled(on, billing_period(on, plan, began))
