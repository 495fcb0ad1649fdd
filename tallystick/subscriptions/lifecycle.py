"""The statuses of a subscription, and how it begins. Pure.

`TRANSITIONS` is the whole machine: what is not in it is refused with a reason.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tallystick.accounts.model import Account
from tallystick.catalog.currencies import priced_in
from tallystick.catalog.model import PlanVersion
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.pricing.billable import why_not_billable
from tallystick.subscriptions.model import (
    BillingTime,
    Event,
    Remainder,
    ScheduleOwner,
    Status,
    Subscription,
    TrialEnd,
)
from tallystick.subscriptions.periods import Anchor, Period
from tallystick.subscriptions.proration import starts_to_count
from tallystick.subscriptions.terms import (
    billing_anchor,
    billing_period,
    billing_period_at,
    bills_in_advance,
    bills_usage_in_advance,
)

QUANTITY_MAX: Final = 1_000_000
BACKDATED_MAX: Final = timedelta(days=3660)
TRIAL_DAYS_MAX: Final = 3650
EXTERNAL_ID_LENGTH_MAX: Final = 255
_EXTERNAL_ID: Final = re.compile(rf"[!-~]{{1,{EXTERNAL_ID_LENGTH_MAX}}}")
PAY_WITHIN: Final = timedelta(hours=23)
"""How long an incomplete subscription waits for its first payment: as long as Stripe's does
(docs.stripe.com/billing/subscriptions/overview, subscription lifecycle)."""

TRANSITIONS: Final[Mapping[tuple[Status, Event], Status]] = MappingProxyType(
    {
        (Status.PENDING, Event.START): Status.ACTIVE,
        (Status.PENDING, Event.START_TRIAL): Status.TRIALING,
        (Status.PENDING, Event.CANCEL_NOW): Status.CANCELED,
        (Status.INCOMPLETE, Event.COMPLETE): Status.ACTIVE,
        (Status.INCOMPLETE, Event.EXPIRE): Status.CANCELED,
        (Status.INCOMPLETE, Event.CANCEL_NOW): Status.CANCELED,
        (Status.TRIALING, Event.END_TRIAL): Status.ACTIVE,
        (Status.TRIALING, Event.RENEW): Status.TRIALING,
        (Status.TRIALING, Event.CHANGE): Status.TRIALING,
        (Status.TRIALING, Event.CANCEL_LATER): Status.TRIALING,
        (Status.TRIALING, Event.CANCEL_NOW): Status.CANCELED,
        (Status.TRIALING, Event.KEEP): Status.TRIALING,
        (Status.TRIALING, Event.END): Status.CANCELED,
        (Status.ACTIVE, Event.RENEW): Status.ACTIVE,
        (Status.ACTIVE, Event.CHANGE): Status.ACTIVE,
        (Status.ACTIVE, Event.FALL_BEHIND): Status.PAST_DUE,
        (Status.ACTIVE, Event.PAUSE): Status.PAUSED,
        (Status.ACTIVE, Event.CANCEL_LATER): Status.ACTIVE,
        (Status.ACTIVE, Event.CANCEL_NOW): Status.CANCELED,
        (Status.ACTIVE, Event.KEEP): Status.ACTIVE,
        (Status.ACTIVE, Event.END): Status.CANCELED,
        (Status.PAST_DUE, Event.RENEW): Status.PAST_DUE,
        (Status.PAST_DUE, Event.CHANGE): Status.PAST_DUE,
        (Status.PAST_DUE, Event.CATCH_UP): Status.ACTIVE,
        (Status.PAST_DUE, Event.PAUSE): Status.PAUSED,
        (Status.PAST_DUE, Event.CANCEL_LATER): Status.PAST_DUE,
        (Status.PAST_DUE, Event.CANCEL_NOW): Status.CANCELED,
        (Status.PAST_DUE, Event.KEEP): Status.PAST_DUE,
        (Status.PAST_DUE, Event.END): Status.CANCELED,
        # Paused while periods were still to be billed: those follow.
        (Status.PAUSED, Event.RENEW): Status.PAUSED,
        (Status.PAUSED, Event.RESUME): Status.ACTIVE,
        (Status.PAUSED, Event.CANCEL_NOW): Status.CANCELED,
        # Canceled while periods were still to be billed: those follow, and then the last one.
        (Status.CANCELED, Event.RENEW): Status.CANCELED,
        (Status.CANCELED, Event.END): Status.CANCELED,
        (Status.CANCELED, Event.REACTIVATE): Status.ACTIVE,
    }
)
_REASONS: Final = {
    Status.PENDING: "The subscription has not begun; cancel it, or wait until it begins.",
    Status.INCOMPLETE: "The first invoice is not paid; pay it, or cancel the subscription.",
    Status.TRIALING: "The subscription is in its trial; wait for its end, or cancel it.",
    Status.ACTIVE: "The subscription is active: there is nothing to resume or to reactivate.",
    Status.PAST_DUE: "An invoice of the subscription is overdue; pay it first.",
    Status.PAUSED: "The subscription is paused; resume it first.",
    Status.CANCELED: "The subscription is canceled already; reactivate it, or begin another.",
}
_CODES: Final = {Status.CANCELED: "subscription_not_active"}


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """How a subscription begins; what is None follows from the plan, the account and the present.

    `starts_at` may lie in the past (what is missed is billed) or in the future (it is pending).
    `must_pay_first`: it is incomplete until its first invoice is paid. `invoice_separately`: its
    bills have invoices of their own. `off_list`: the version was made for this account and is not
    on sale.
    """

    starts_at: datetime | None = None
    quantity: int = 1
    billing_time: BillingTime = "anniversary"
    anchor_on: date | None = None
    trial_days: int | None = None
    trial_end: TrialEnd = "bill"
    ends_at: datetime | None = None
    remainder: Remainder = "credit"
    schedule_owner: ScheduleOwner = "tallystick"
    external_id: str | None = None
    must_pay_first: bool = False
    invoice_separately: bool = False
    off_list: bool = False
    pay_within: timedelta = PAY_WITHIN


def next_status(status: Status, event: Event) -> Status:
    """Return the status after the event; raises Conflict with the reason where there is none."""
    after = TRANSITIONS.get((status, event))
    if after is None:
        raise Conflict(_CODES.get(status, f"subscription_{status}"), _REASONS[status])
    return after


def in_trial(made: Subscription, plan: PlanVersion, ends_at: datetime) -> Subscription:
    """Return it with a trial: flat prices count from the day on which it ends."""
    counts = max(starts_to_count(plan.proration, ends_at, made.timezone), made.started_at)
    return replace(made, trial_ends_at=ends_at, flat_from=counts, covered_from=counts)


def begin(
    account: Account,
    plan: PlanVersion,
    subscription_id: UUID,
    at: datetime,
    start: Start | None = None,
) -> Subscription:
    """Return a subscription that is made at `at`, the account's present.

    Raises Conflict for a plan that is not sold in the account's currency, a draft or a retired
    version, and for what can not be billed yet; BadInput for a start that can not be.
    """
    asked = start or Start()
    if not asked.off_list:
        _need_on_sale(plan)
    need_billable(account, plan)
    plan = priced_in(plan, account.currency)
    _check(asked, at)
    began = asked.starts_at or at
    made = Subscription(
        account_id=account.account_id,
        currency=account.currency,
        subscription_id=subscription_id,
        plan_version_id=plan.plan_version_id,
        plan_id=plan.plan_id,
        status=_first_status(plan, asked, at),
        started_at=began,
        timezone=account.timezone,
        period_index=0,
        period_start=began,
        period_end=began,
        flat_from=began,
        used_from=began,
        covered_from=began,
        next_bill_at=None,
        quantity=asked.quantity,
        billing_time=asked.billing_time,
        anchor_on=asked.anchor_on,
        schedule_owner=asked.schedule_owner,
        external_id=asked.external_id,
        trial_end=asked.trial_end,
        remainder=asked.remainder,
        ends_at=asked.ends_at,
        invoice_separately=asked.invoice_separately,
        created_at=at,
    )
    if made.status is Status.INCOMPLETE:
        made = replace(made, standing_at=at + asked.pay_within)
    made = _with_trial(made, plan, asked)
    is_opened = made.status is Status.ACTIVE and not bills_in_advance(plan)
    opens_at = None if is_opened else made.started_at
    if made.status is Status.TRIALING:
        opens_at = made.trial_ends_at
    if bills_usage_in_advance(plan):
        made = replace(made, usage_bill_at=began)
    first = billing_period(made, plan, began)
    return scheduled(replace(made, opens_at=opens_at), first)


def scheduled(subscription: Subscription, natural: Period) -> Subscription:
    """Return it with its period up to the first thing that cuts it, and when it is billed next.

    `natural` is the whole of the billing period in which it stands.
    """
    stops = (subscription.ends_at, subscription.change_at, subscription.paused_at)
    stop = min((one for one in stops if one is not None), default=natural.end)
    start = subscription.period_start
    end = min(natural.end, stop) if stop > start else natural.end
    cut = replace(subscription, period_end=end)
    return replace(cut, next_bill_at=_due_at(cut, min(end, max(stop, start))))


def closes_at(subscription: Subscription) -> datetime:
    """Return when the period, or the part of one that has these terms, ends and is billed."""
    stops = (subscription.ends_at, subscription.change_at, subscription.paused_at)
    stop = min((one for one in stops if one is not None), default=subscription.period_end)
    return min(subscription.period_end, max(stop, subscription.period_start))


def without_change(subscription: Subscription) -> Subscription:
    """Return it without the change that was scheduled, if one was."""
    return replace(
        subscription,
        change_at=None,
        next_plan_version_id=None,
        next_plan_id=None,
        next_quantity=None,
    )


def running_period(subscription: Subscription, plan: PlanVersion, now: datetime) -> Period:
    """Return the period that contains `now`, by the calendar; before the start, the first one."""
    return billing_period(subscription, plan, now)


def anchor(subscription: Subscription, plan: PlanVersion) -> Anchor:
    """Return what the periods are counted from: the start, in the zone that held then."""
    return billing_anchor(subscription, plan)


def natural_period(subscription: Subscription, plan: PlanVersion) -> Period:
    """Return the billing period in which it stands, as if nothing cut it."""
    return billing_period_at(subscription, plan, subscription.period_start)[1]


def _due_at(subscription: Subscription, stop: datetime) -> datetime | None:
    is_waiting = subscription.status is Status.INCOMPLETE and subscription.opens_at is None
    if subscription.schedule_owner != "tallystick" or is_waiting:
        return None
    return min(stop, subscription.opens_at or stop, subscription.usage_bill_at or stop)


def _first_status(plan: PlanVersion, start: Start, at: datetime) -> Status:
    if start.starts_at is not None and start.starts_at > at:
        return Status.PENDING
    if _trial_days(plan, start):
        return Status.TRIALING
    is_ours = start.schedule_owner == "tallystick"
    must_wait = start.must_pay_first and is_ours and bills_in_advance(plan)
    return Status.INCOMPLETE if must_wait else Status.ACTIVE


def _with_trial(made: Subscription, plan: PlanVersion, start: Start) -> Subscription:
    """Return it with the trial that was asked for, or the plan's."""
    days = _trial_days(plan, start)
    if not days:
        return made
    return in_trial(made, plan, made.started_at + timedelta(days=days))


def _trial_days(plan: PlanVersion, start: Start) -> int:
    return plan.trial_days if start.trial_days is None else start.trial_days


def _check(start: Start, at: datetime) -> None:
    if not 1 <= start.quantity <= QUANTITY_MAX:
        raise BadInput.field("quantity", "out_of_range", f"must be from 1 to {QUANTITY_MAX}.")
    if start.trial_days is not None and not 0 <= start.trial_days <= TRIAL_DAYS_MAX:
        raise BadInput.field("trial_days", "out_of_range", f"must be from 0 to {TRIAL_DAYS_MAX}.")
    began = start.starts_at or at
    if began < at - BACKDATED_MAX or began > at + BACKDATED_MAX:
        raise BadInput.field("starts_at", "out_of_range", "must lie within ten years of today.")
    _check_owner(start)
    if start.ends_at is not None and start.ends_at <= began:
        raise BadInput.field("ends_at", "before_start", "must be after the start.")


def _check_owner(start: Start) -> None:
    if (start.schedule_owner == "tallystick") != (start.external_id is None):
        raise BadInput.field(
            "external_id", "one_of", "goes with a gateway as `schedule_owner`, and is needed then"
        )
    if start.external_id is not None and not _EXTERNAL_ID.fullmatch(start.external_id):
        message = f"must have 1 to {EXTERNAL_ID_LENGTH_MAX} letters, digits or signs of ASCII"
        raise BadInput.field("external_id", "invalid", message)


def _need_on_sale(plan: PlanVersion) -> None:
    if plan.status != "active":
        raise Conflict(
            "plan_version_not_active", f"The version of the plan is {plan.status}; take another."
        )


def need_billable(account: Account, plan: PlanVersion) -> None:
    """Refuse a version, sold or not, that the billing run can not bill this account for.

    What it does not know is refused here, so that nothing is billed wrongly.
    Raises Conflict `plan_not_in_currency`, `plan_not_billable`.
    """
    sold = priced_in(plan, account.currency)
    for what in _unbillable(sold):
        raise Conflict(
            "plan_not_billable",
            f"{what}, which can not be billed yet; make a version of the plan without that.",
        )


def _unbillable(sold: PlanVersion) -> Iterator[str]:
    """Yield what stands in the way; each line goes when the billing run has learned it."""
    for price in sold.prices:
        reason = why_not_billable(price)
        if reason is not None:
            yield f"Price {price.code} {reason}"
