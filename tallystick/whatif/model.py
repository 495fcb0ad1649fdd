"""What-ifs as values: what is asked, what each account's period would cost, and the whole."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import msgspec

from tallystick.catalog.model import NewPlanVersion
from tallystick.money.amount import Money
from tallystick.subscriptions.periods import Period


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: this version instead of the one that each chosen subscription is on.

    The version is a stored one (`plan_version_id`) or given as data (`draft`). Chosen are these
    accounts, those on any version of this plan, or all (both None); of each, the periods that lie
    in the half-open [start, end), UTC, and have ended.
    """

    plan_version_id: UUID | None = None
    draft: NewPlanVersion | None = None
    account_ids: tuple[UUID, ...] | None = None
    plan_code: str | None = None
    start: datetime
    end: datetime


class LineChange(msgspec.Struct, frozen=True, kw_only=True):
    """What one price bills now and would bill; None where a version does not have the price.

    `quantity` is what was used, of the version that has the price. A minimum is in its price.
    """

    price_code: str
    meter_code: str | None
    quantity: Decimal
    now: Money | None
    then: Money | None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one period of a subscription costs now and would cost: without taxes, to the cent."""

    account_id: UUID
    subscription_id: UUID
    plan_version_id: UUID
    period: Period
    now: Money
    then: Money
    lines: tuple[LineChange, ...]

    @property
    def difference(self) -> Money:
        """How much more it would cost; below zero: less."""
        return self.then - self.now


class Skipped(msgspec.Struct, frozen=True):
    """A subscription, or a period of it, that can not be compared, and the code of the reason."""

    account_id: UUID
    reason: str


class Extreme(msgspec.Struct, frozen=True):
    """The account whose bill would change most in one direction, and by how much."""

    account_id: UUID
    difference: Money


class LineTotal(msgspec.Struct, frozen=True, kw_only=True):
    """What a price bills over all periods, now and then; zero where a version lacks it."""

    price_code: str
    now: Money
    then: Money


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The whole in one currency. Accounts are counted and ordered by their own whole difference.

    `deciles` are the differences that 10 % to 90 % of the accounts do not exceed (nearest rank:
    each is some account's). `raised` and `lowered` name who would pay most more, and most less.
    """

    currency: str
    account_count: int
    period_count: int
    now: Money
    then: Money
    more_count: int
    less_count: int
    same_count: int
    deciles: tuple[Money, ...]
    raised: Extreme | None
    lowered: Extreme | None
    lines: tuple[LineTotal, ...]

    @property
    def difference(self) -> Money:
        """How much more all would pay together."""
        return self.then - self.now


class Result(msgspec.Struct, frozen=True):
    """What came of a what-if: a summary a currency, and how often what could not be compared."""

    summaries: tuple[Summary, ...]
    skipped: Mapping[str, int]


class Status(StrEnum):
    """Where a what-if is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """A what-if that is kept: so many of its accounts are done. `error` says why it failed."""

    what_if_id: UUID
    question: Question
    status: Status
    account_count: int
    done_count: int
    after_account_id: UUID
    skipped: Mapping[str, int]
    result: Result | None
    error: str | None
    actor_kind: str
    actor_id: str
    created_at: datetime
    finished_at: datetime | None
