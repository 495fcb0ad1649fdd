"""A subscription as a value: an account on a plan's version, and where its billing stands."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal
from uuid import UUID

import msgspec

from tallystick.subscriptions.periods import Period

BillingTime = Literal["anniversary", "calendar"]
"""Periods are counted from the day of the start, or are weeks, months ... of the calendar."""
Remainder = Literal["credit", "refund", "none"]
"""What becomes of what was paid in advance and is not used: credited, paid back, or kept by us."""
ScheduleOwner = Literal["tallystick", "ccbill", "stripe"]
"""Who says when it is billed: our billing run, or the gateway that renews it by itself."""
TrialEnd = Literal["bill", "pause", "cancel"]
"""What the end of a trial does to an account without a payment method."""


class Status(StrEnum):
    """Where a subscription is in its life.

    `incomplete`: its first invoice must be paid before it begins.
    """

    PENDING = "pending"
    INCOMPLETE = "incomplete"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    PAUSED = "paused"
    CANCELED = "canceled"


RUNNING = frozenset({Status.TRIALING, Status.ACTIVE, Status.PAST_DUE})
"""Used and billed."""


class Event(StrEnum):
    """What can happen to a subscription.

    `start`, `start_trial`, `end_trial`: its time has come. `complete`, `expire`: the first invoice
    was paid, or was not in time. `renew`: a period was billed and another one follows. `end`: the
    last one was billed. `fall_behind`, `catch_up`: an invoice is overdue, or none is any more.
    `keep`: a cancellation that has not come true is taken back.
    """

    START = "start"
    START_TRIAL = "start_trial"
    COMPLETE = "complete"
    EXPIRE = "expire"
    END_TRIAL = "end_trial"
    RENEW = "renew"
    CHANGE = "change"
    FALL_BEHIND = "fall_behind"
    CATCH_UP = "catch_up"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL_LATER = "cancel_later"
    CANCEL_NOW = "cancel_now"
    KEEP = "keep"
    REACTIVATE = "reactivate"
    END = "end"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What the subscription is on from `at` on."""

    at: datetime
    plan_version_id: UUID
    plan_id: UUID
    quantity: int


class Terms(msgspec.Struct, frozen=True):
    """The plan and quantity that held from an instant on."""

    bill_index: int
    starts_at: datetime
    plan_version_id: UUID
    quantity: int


class AttachedAddOn(msgspec.Struct, frozen=True, kw_only=True):
    """An add-on that a subscription has from `starts_at` to before `ends_at`, as it was bought.

    `ends_at` None: until it is taken off. `amount` is for one, in major units of the
    subscription's currency.
    """

    account_id: UUID
    subscription_add_on_id: UUID
    subscription_id: UUID
    add_on_id: UUID
    code: str
    name: str
    charge: Literal["once", "per_period"]
    amount: Decimal
    features: Mapping[str, bool | str | None]
    quantity: int
    starts_at: datetime
    ends_at: datetime | None
    attached_at: datetime


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """An account on a plan's version, billed by its prices in `currency`, the account's.

    The period is the one that is billed next, at its end or where a change cuts it; `next_bill_at`
    None: nothing more to bill. `opens_at` is when flat prices in advance are billed first, None
    when they were. From `ends_at` on nothing is used; a canceled subscription may still wait for
    its last bill. `bill_error` says why it could not be billed; it is tried again at
    `bill_retry_at` (wall time). `bill_index` counts its bills. `invoice_separately`:
    its bills stand on no invoice with other subscriptions'.

    `external_id` is the gateway's id of a subscription that it renews. `standing_at` is when to
    look whether an incomplete one was not paid in time, or an invoice is overdue.

    Flat prices count from `flat_from` on, which by day is the first day that is the present terms',
    and those in advance are billed until `advance_until`. `used_from` is the instant from which it
    is used on these terms; `usage_bill_at` when usage that is billed as it comes is looked at,
    None: nothing is new. `covered_from` is since when it was used without a pause. `add_ons` are
    there where it is billed.
    """

    account_id: UUID
    subscription_id: UUID
    currency: str
    plan_version_id: UUID
    plan_id: UUID
    status: Status
    started_at: datetime
    timezone: str
    period_index: int
    period_start: datetime
    period_end: datetime
    flat_from: datetime
    used_from: datetime
    covered_from: datetime
    next_bill_at: datetime | None
    opens_at: datetime | None = None
    advance_until: datetime | None = None
    usage_bill_at: datetime | None = None
    quantity: int = 1
    billing_time: BillingTime = "anniversary"
    anchor_on: date | None = None
    schedule_owner: ScheduleOwner = "tallystick"
    external_id: str | None = None
    standing_at: datetime | None = None
    trial_ends_at: datetime | None = None
    trial_end: TrialEnd = "bill"
    change_at: datetime | None = None
    next_plan_version_id: UUID | None = None
    next_plan_id: UUID | None = None
    next_quantity: int | None = None
    paused_at: datetime | None = None
    resumes_at: datetime | None = None
    remainder: Remainder = "credit"
    bill_index: int = 0
    bill_error: str | None = None
    bill_try_count: int = 0
    bill_retry_at: datetime | None = None
    cancel_at_period_end: bool = False
    invoice_separately: bool = False
    ends_at: datetime | None = None
    created_at: datetime
    revision: int = 0
    add_ons: tuple[AttachedAddOn, ...] = ()

    @property
    def period(self) -> Period:
        """The period that is billed next."""
        return Period(self.period_start, self.period_end)

    @property
    def change(self) -> Change | None:
        """The change that waits for its time."""
        if self.change_at is None:
            return None
        assert self.next_plan_version_id is not None  # noqa: S101 -- the database keeps them so
        assert self.next_plan_id is not None  # noqa: S101
        return Change(
            at=self.change_at,
            plan_version_id=self.next_plan_version_id,
            plan_id=self.next_plan_id,
            quantity=self.next_quantity or self.quantity,
        )


class DueCount(msgspec.Struct, frozen=True):
    """How many subscriptions wait for their bill, and how many are parked, by reason."""

    waiting: int
    reasons: dict[str, int]

    @property
    def parked(self) -> int:
        """How many could not be billed."""
        return sum(self.reasons.values())


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which subscriptions: those in use at any time of the half-open [start, end), UTC.

    Of these accounts and on these versions of plans; None: of all.
    """

    account_ids: Collection[UUID] | None = None
    plan_version_ids: Collection[UUID] | None = None
    start: datetime
    end: datetime
