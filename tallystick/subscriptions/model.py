"""A subscription as a value: an account on a plan's version, and where its billing stands."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from tallystick.subscriptions.periods import Period


class Status(StrEnum):
    """Where a subscription is in its life."""

    ACTIVE = "active"
    CANCELED = "canceled"


class Event(StrEnum):
    """What can happen to a subscription.

    `renew`: a period was billed and another one follows. `end`: the last one was billed.
    """

    RENEW = "renew"
    CANCEL_LATER = "cancel_later"
    CANCEL_NOW = "cancel_now"
    END = "end"


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """An account on a plan's version.

    The period is the one that is billed next, at `next_bill_at` (None: nothing more to bill). From
    `ends_at` on nothing is used; a canceled subscription may still wait for its last bill.
    `bill_error` says why it could not be billed; it is tried again at `bill_retry_at` (wall time).
    """

    account_id: UUID
    subscription_id: UUID
    plan_version_id: UUID
    status: Status
    started_at: datetime
    timezone: str
    period_index: int
    period_start: datetime
    period_end: datetime
    next_bill_at: datetime | None
    bill_error: str | None = None
    bill_try_count: int = 0
    bill_retry_at: datetime | None = None
    cancel_at_period_end: bool = False
    ends_at: datetime | None = None
    created_at: datetime

    @property
    def period(self) -> Period:
        """The period that is billed next."""
        return Period(self.period_start, self.period_end)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which subscriptions: those in use at any time of the half-open [start, end), UTC.

    Of these accounts and on these versions of plans; None: of all.
    """

    account_ids: Collection[UUID] | None = None
    plan_version_ids: Collection[UUID] | None = None
    start: datetime
    end: datetime
