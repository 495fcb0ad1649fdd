"""What is billed when a subscription is due, and how it stands afterwards. Pure.

`next_step` is the one way on: the billing run takes it, a change takes it at once, and a preview
takes as many as it likes without writing any. A step has at most four parts, in this order: what
was used and what is due in arrears up to now, what was paid in advance and is given back, and what
is due in advance from now on.

Nothing is billed twice and nothing is left out, because each set of terms (a plan and a quantity)
has one point in time from which its flat prices count (`flat_from`), it ends where the next one's
begins, and every share of a price is a difference of two points on one line (`proration`).
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from tallystick.catalog.model import PlanVersion
from tallystick.subscriptions.happening import (
    CHANGES,
    ENDS,
    PAUSES,
    RENEWS,
    counts_until_of,
    stops_counting,
    what_happens,
)
from tallystick.subscriptions.lifecycle import (
    closes_at,
    natural_period,
    next_status,
    scheduled,
    without_change,
)
from tallystick.subscriptions.model import Event, Status, Subscription
from tallystick.subscriptions.periods import Period, local_day
from tallystick.subscriptions.proration import starts_to_count
from tallystick.subscriptions.terms import (
    FlatDue,
    billing_period_at,
    bills_in_advance,
    bills_usage_in_advance,
    fee_period,
    flat_dues,
)
from tallystick.subscriptions.usage_dues import (
    CommitmentDue,
    RunningDue,
    UsageDue,
    commitment_due,
    running_due,
    usage_due,
)

Due = UsageDue | RunningDue | FlatDue | CommitmentDue


class Plans(msgspec.Struct, frozen=True):
    """The plan that a subscription is on, and the one it changes to (None: to none)."""

    now: PlanVersion
    following: PlanVersion | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What is billed at `at` for `period`, and the subscription afterwards.

    `has_begun`: a period, or new terms in one, begins with it.
    """

    at: datetime
    period: Period
    dues: tuple[Due, ...]
    after: Subscription
    has_begun: bool = False


def next_step(
    subscription: Subscription, plans: Plans, *, has_payment_method: bool = True
) -> Step | None:
    """Return what comes next, at `next_bill_at`; None when nothing does.

    `has_payment_method` matters where a trial ends that says what to do without one.
    """
    at = subscription.next_bill_at
    if at is None:
        return None
    if subscription.status is Status.PAUSED and subscription.resumes_at == at:
        again = resumed(subscription, plans.now, at, Event.RESUME)
        return replace(_open(again, plans.now, at), has_begun=True)
    if subscription.opens_at == at and what_happens(subscription, at) != ENDS:
        if subscription.trial_ends_at == at and not has_payment_method:
            return _end_trial_without_method(subscription, plans, at)
        return _open(subscription, plans.now, at)
    if subscription.usage_bill_at is not None and at < closes_at(subscription):
        return _look(subscription, plans.now, at)
    return _close(subscription, plans, at)


def resumed(
    subscription: Subscription, plan: PlanVersion, at: datetime, event: Event
) -> Subscription:
    """Return it used again from `at` on, after a pause or an end; it is billed in advance next.

    A day that was paid for before is not paid for again. Raises Conflict where the table has no
    such event.
    """
    counts = max(starts_to_count(plan.proration, at, subscription.timezone), subscription.flat_from)
    stopped_in = fee_period(subscription, plan, subscription.flat_from)
    index, natural = billing_period_at(subscription, plan, at)
    again = replace(
        subscription,
        status=next_status(subscription.status, event),
        period_index=index,
        period_start=at,
        flat_from=counts,
        used_from=at,
        usage_bill_at=at if bills_usage_in_advance(plan) else None,
        covered_from=subscription.covered_from if stopped_in.contains(counts) else counts,
        opens_at=at if bills_in_advance(plan) else None,
        advance_until=None,
        paused_at=None,
        resumes_at=None,
    )
    return scheduled(again, natural)


def _open(subscription: Subscription, plan: PlanVersion, at: datetime) -> Step:
    """Begin, or end the trial: what is due in advance is billed, the period goes on."""
    was_waiting = subscription.status is Status.PENDING
    status = _status_when_opened(subscription)
    now = replace(subscription, opens_at=None, usage_bill_at=None, status=status)
    if now.status is Status.TRIALING:
        now = replace(now, opens_at=now.trial_ends_at)
    opened, dues = _in_advance(now, plan, at)
    after = billed(scheduled(opened, natural_period(opened, plan)))
    span = dues[0].part if dues else subscription.period
    running = running_due(after, plan)
    return Step(at=at, period=span, dues=(*dues, *running), after=after, has_begun=was_waiting)


def _look(subscription: Subscription, plan: PlanVersion, at: datetime) -> Step:
    """Bill what was used in advance of the period's end; nothing else changes."""
    seen = replace(subscription, usage_bill_at=None)
    after = billed(scheduled(seen, natural_period(seen, plan)))
    return Step(
        at=at, period=subscription.period, dues=running_due(subscription, plan), after=after
    )


def _status_when_opened(subscription: Subscription) -> Status:
    if subscription.status is Status.PENDING:
        event = Event.START_TRIAL if subscription.trial_ends_at else Event.START
        return next_status(subscription.status, event)
    if subscription.status is Status.TRIALING:
        return next_status(subscription.status, Event.END_TRIAL)
    return subscription.status


def _end_trial_without_method(subscription: Subscription, plans: Plans, at: datetime) -> Step:
    """End a trial as it says for an account that can not pay."""
    if subscription.trial_end == "bill":
        return _open(subscription, plans.now, at)
    if subscription.trial_end == "cancel":
        ended = replace(subscription, ends_at=at, opens_at=None)
        return _close(scheduled(ended, natural_period(ended, plans.now)), plans, at)
    active = next_status(subscription.status, Event.END_TRIAL)
    paused = replace(
        subscription, status=next_status(active, Event.PAUSE), paused_at=at, opens_at=None
    )
    return _close(scheduled(paused, natural_period(paused, plans.now)), plans, at)


def _close(subscription: Subscription, plans: Plans, at: datetime) -> Step:
    """End a period or the part of one that had these terms, and begin what follows."""
    happens = what_happens(subscription, at)
    counts_until = counts_until_of(subscription, plans.now, at, happens)
    used = Period(subscription.period_start, at)
    keeps = happens == ENDS and subscription.remainder == "none"
    usage = usage_due(subscription, plans.now, used, counts_until, keeps_paid=keeps)
    commitment = _commitment(subscription, plans.now, at, counts_until, happens)
    arrears = _in_arrears(subscription, plans.now, at, counts_until, happens)
    closing: tuple[Due, ...] = (*arrears, *usage, *commitment)
    given_back = _given_back(subscription, plans.now, counts_until, happens)
    seen = replace(subscription, usage_bill_at=None)
    after, opening = _follow(seen, plans, at, counts_until, happens)
    follows = plans.following if happens == CHANGES else plans.now
    running = running_due(after, follows) if follows and happens in {CHANGES, RENEWS} else ()
    return Step(
        at=at,
        period=used if closing else _span(given_back, opening, used),
        dues=(*closing, *given_back, *opening, *running),
        after=billed(after),
        has_begun=happens in {CHANGES, RENEWS},
    )


def _commitment(
    subscription: Subscription,
    plan: PlanVersion,
    at: datetime,
    counts_until: datetime,
    happens: str,
) -> tuple[CommitmentDue, ...]:
    whole = fee_period(subscription, plan, subscription.period_start)
    if happens == RENEWS and at < whole.end:
        return ()
    return commitment_due(subscription, plan, at, counts_until)


def _in_arrears(
    subscription: Subscription,
    plan: PlanVersion,
    at: datetime,
    counts_until: datetime,
    happens: str,
) -> tuple[FlatDue, ...]:
    whole = fee_period(subscription, plan, subscription.period_start)
    if happens == RENEWS and at < whole.end:
        return ()
    start = max(subscription.flat_from, whole.start)
    if start >= counts_until:
        return ()
    part = Period(start, counts_until)
    return tuple(flat_dues(subscription, plan, "in_arrears", whole=whole, part=part))


def _given_back(
    subscription: Subscription, plan: PlanVersion, counts_until: datetime, happens: str
) -> tuple[FlatDue, ...]:
    """Return what was paid in advance for a time that these terms do not reach."""
    paid_until = subscription.advance_until
    is_kept = happens == ENDS and subscription.remainder == "none"
    if happens == RENEWS or paid_until is None or paid_until <= counts_until or is_kept:
        return ()
    whole = fee_period(subscription, plan, counts_until)
    unused = Period(counts_until, paid_until)
    return tuple(flat_dues(subscription, plan, "in_advance", whole=whole, part=unused, sign=-1))


def _follow(
    subscription: Subscription,
    plans: Plans,
    at: datetime,
    counts_until: datetime,
    happens: str,
) -> tuple[Subscription, tuple[FlatDue, ...]]:
    if happens == RENEWS:
        return _renewed(subscription, plans.now, at)
    if happens == CHANGES:
        assert plans.following is not None  # noqa: S101 -- whoever calls has read it
        return _changed(subscription, plans, at, counts_until)
    kept = subscription.advance_until if subscription.remainder == "none" else None
    stopped = replace(
        subscription,
        flat_from=max(counts_until, kept or counts_until) if happens == ENDS else counts_until,
        advance_until=None,
        opens_at=None,
    )
    if happens == PAUSES:
        return replace(stopped, next_bill_at=subscription.resumes_at), ()
    ended = next_status(subscription.status, Event.END)
    return replace(without_change(stopped), status=ended, next_bill_at=None), ()


def _renewed(
    subscription: Subscription, plan: PlanVersion, at: datetime
) -> tuple[Subscription, tuple[FlatDue, ...]]:
    index, natural = billing_period_at(subscription, plan, at)
    status = next_status(subscription.status, Event.RENEW)
    on = replace(subscription, status=status, period_index=index, period_start=at)
    opened, dues = _in_advance(on, plan, at)
    return scheduled(opened, natural), dues


def _changed(
    subscription: Subscription, plans: Plans, at: datetime, counts_from: datetime
) -> tuple[Subscription, tuple[FlatDue, ...]]:
    change, plan = subscription.change, plans.following
    assert change is not None  # noqa: S101 -- `what_happens` has seen it
    assert plan is not None  # noqa: S101
    on = replace(
        without_change(_anchored_anew(subscription, plans.now, plan, at, counts_from)),
        plan_version_id=change.plan_version_id,
        plan_id=change.plan_id,
        quantity=change.quantity,
        flat_from=counts_from,
        used_from=at,
        advance_until=None,
        period_start=at,
    )
    index, natural = billing_period_at(on, plan, at)
    opened, dues = _in_advance(replace(on, period_index=index), plan, at)
    return scheduled(opened, natural), dues


def _anchored_anew(
    subscription: Subscription,
    before: PlanVersion,
    plan: PlanVersion,
    at: datetime,
    counts_from: datetime,
) -> Subscription:
    """Let a price that is never split begin with the change, where the interval is another one."""
    same = (before.interval, before.interval_count) == (plan.interval, plan.interval_count)
    if same or plan.proration != "none":
        return subscription
    day = local_day(at, subscription.timezone)
    return replace(subscription, anchor_on=day, covered_from=counts_from)


def _in_advance(
    subscription: Subscription, plan: PlanVersion, at: datetime
) -> tuple[Subscription, tuple[FlatDue, ...]]:
    """Return what is due in advance for the rest of the price's period, and how far that reaches.

    Where the end is known, up to it.
    """
    if subscription.status is Status.TRIALING or not bills_in_advance(plan):
        return subscription, ()
    whole = fee_period(subscription, plan, max(at, subscription.flat_from))
    start = max(subscription.flat_from, subscription.advance_until or subscription.flat_from)
    end = whole.end
    if subscription.ends_at is not None and subscription.ends_at < end:
        end = stops_counting(subscription, plan, subscription.ends_at)
    if start >= end:
        return subscription, ()
    part = Period(max(start, whole.start), end)
    dues = tuple(flat_dues(subscription, plan, "in_advance", whole=whole, part=part))
    return replace(subscription, advance_until=end), dues


def billed(subscription: Subscription) -> Subscription:
    """Return it with one bill more, and nothing in its way."""
    return replace(
        subscription,
        bill_index=subscription.bill_index + 1,
        bill_error=None,
        bill_try_count=0,
        bill_retry_at=None,
    )


def _span(given_back: Sequence[FlatDue], opening: Sequence[FlatDue], used: Period) -> Period:
    """Return the period that an invoice without usage is for."""
    for due in (*opening, *given_back):
        return due.part
    return used
