"""How subscriptions are shown, in the Ops Center seed's words."""

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from tallystick.accounts.model import Account
from tallystick.api.answers import major
from tallystick.catalog.fees import fee_minor
from tallystick.catalog.model import PlanVersion
from tallystick.kernel import ids
from tallystick.payments.mirrored import MirroredSubscription
from tallystick.subscriptions.model import Change, ScheduleOwner, Subscription

FREE_TIER: Final = "free"


class ScheduledChange(msgspec.Struct, frozen=True, kw_only=True):
    """What the subscription will be on, and from when."""

    at: datetime
    plan_version: str
    quantity: int


class SubscriptionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The account's subscription; without one: tier `free`, status `none`.

    `schedule_owner` renews it: our billing run, or the gateway that knows it as `external_id`.
    `amount` is that of a period before usage. `ends_at` is known once it is canceled, now or later.
    """

    id: str | None
    tier: str
    plan_name: str | None
    plan_version: str | None
    status: str
    quantity: int
    started_at: datetime | None
    current_period_start: datetime | None
    current_period_end: datetime | None
    cancel_at_period_end: bool
    ends_at: datetime | None
    trial_ends_at: datetime | None
    paused_at: datetime | None
    resumes_at: datetime | None
    scheduled_change: ScheduledChange | None
    amount: Decimal
    amount_cents: int
    interval: str | None
    interval_count: int | None
    currency: str
    schedule_owner: ScheduleOwner
    external_id: str | None
    invoice_separately: bool


class SubscriptionList(msgspec.Struct, frozen=True):
    """The account's hundred newest subscriptions, the newest first, ended ones too."""

    subscriptions: list[SubscriptionAnswer]
    total: int


def subscription_answer(subscription: Subscription, plan: PlanVersion) -> SubscriptionAnswer:
    """Show a subscription in the Ops Center seed's words."""
    fee = fee_minor(plan) * subscription.quantity
    change = subscription.change
    return SubscriptionAnswer(
        id=ids.show("subscription", subscription.subscription_id),
        tier=plan.tier or plan.plan_code,
        plan_name=plan.plan_name,
        plan_version=ids.show("plan_version", plan.plan_version_id),
        status=subscription.status.value,
        quantity=subscription.quantity,
        started_at=subscription.started_at,
        current_period_start=subscription.period_start,
        current_period_end=subscription.period_end,
        cancel_at_period_end=subscription.cancel_at_period_end,
        ends_at=subscription.ends_at,
        trial_ends_at=subscription.trial_ends_at,
        paused_at=subscription.paused_at,
        resumes_at=subscription.resumes_at,
        scheduled_change=None if change is None else _change_answer(change),
        amount=major(fee, plan.currency),
        amount_cents=fee,
        interval=plan.interval,
        interval_count=plan.interval_count,
        currency=plan.currency.lower(),
        invoice_separately=subscription.invoice_separately,
        schedule_owner=subscription.schedule_owner,
        external_id=subscription.external_id,
    )


def mirrored_answer(lived: MirroredSubscription) -> SubscriptionAnswer:
    """Show a subscription that lives at a gateway and is billed there."""
    return SubscriptionAnswer(
        id=lived.reference,
        tier=lived.tier,
        plan_name=lived.tier,
        plan_version=None,
        status=lived.status,
        quantity=1,
        started_at=lived.created_at,
        current_period_start=lived.period_start,
        current_period_end=lived.period_end,
        cancel_at_period_end=lived.cancel_at_period_end,
        ends_at=lived.ended_at,
        trial_ends_at=lived.trial_ends_at,
        paused_at=None,
        resumes_at=None,
        scheduled_change=None,
        amount=major(lived.amount_minor, lived.currency),
        amount_cents=lived.amount_minor,
        interval=lived.interval,
        interval_count=lived.interval_count,
        currency=lived.currency.lower(),
        schedule_owner="stripe",
        external_id=lived.reference,
        invoice_separately=True,
    )


def _change_answer(change: Change) -> ScheduledChange:
    return ScheduledChange(
        at=change.at,
        plan_version=ids.show("plan_version", change.plan_version_id),
        quantity=change.quantity,
    )


def free_tier(account: Account) -> SubscriptionAnswer:
    """Show that there is no subscription."""
    return SubscriptionAnswer(
        id=None,
        tier=FREE_TIER,
        plan_name=None,
        plan_version=None,
        status="none",
        quantity=0,
        started_at=None,
        current_period_start=None,
        current_period_end=None,
        cancel_at_period_end=False,
        ends_at=None,
        trial_ends_at=None,
        paused_at=None,
        resumes_at=None,
        scheduled_change=None,
        amount=major(0, account.currency),
        amount_cents=0,
        interval=None,
        interval_count=None,
        currency=account.currency.lower(),
        invoice_separately=False,
        schedule_owner="tallystick",
        external_id=None,
    )
