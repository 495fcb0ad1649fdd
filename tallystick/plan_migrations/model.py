"""Migrations of subscriptions to another version of a plan, as values."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

import msgspec

from tallystick.money.amount import Money

When = Literal["now", "period_end", "from"]
"""At once, at the first end of what was paid for that the notice allows, or at an instant."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which subscriptions come to which version, when, and why.

    Those of one plan, of these versions of it (numbers) or of all but the one that they come to, or
    those of a tier; of these accounts, or of all. `at` goes with `when` from. Nobody is moved
    earlier than `notice_days` days after the confirmation, unless `force_reason` says why.
    """

    plan_code: str | None = None
    tier: str | None = None
    versions: tuple[int, ...] | None = None
    account_ids: tuple[UUID, ...] | None = None
    to_plan_version_id: UUID
    when: When
    at: datetime | None = None
    notice_days: int = 0
    reason: str
    force_reason: str | None = None


class Status(StrEnum):
    """Where a migration is.

    `previewing`: its effect is reckoned; `previewed`: it waits to be confirmed; `scheduling`: the
    changes are noted at the subscriptions; `scheduled`: they wait for their time; `canceling`:
    what has not taken place is taken back.
    """

    PREVIEWING = "previewing"
    PREVIEWED = "previewed"
    SCHEDULING = "scheduling"
    SCHEDULED = "scheduled"
    DONE = "done"
    CANCELING = "canceling"
    CANCELED = "canceled"
    FAILED = "failed"


WORKING = (Status.PREVIEWING, Status.SCHEDULING, Status.CANCELING)
"""Gone through in batches by the worker."""


class RowState(StrEnum):
    """Where one subscription of a migration is; `refused`: it can not be moved, and why."""

    FORESEEN = "foreseen"
    REFUSED = "refused"
    SCHEDULED = "scheduled"
    MOVED = "moved"
    CANCELED = "canceled"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One subscription of a migration.

    `now` and `then` are what would be invoiced from the preview on for the time up to `until`, the
    end of the first period on the new version: without the migration and with it, before taxes and
    credits, of usage what was known at the preview. None where it was refused. `at` is when it is
    moved. The version and the quantity are those of the preview.
    """

    account_id: UUID
    subscription_id: UUID
    plan_version_id: UUID
    quantity: int
    state: RowState
    at: datetime | None = None
    until: datetime | None = None
    now: Money | None = None
    then: Money | None = None
    reason: str | None = None
    detail: str | None = None

    @property
    def difference(self) -> Money | None:
        """How much more would be invoiced; below zero: less."""
        return None if self.now is None or self.then is None else self.then - self.now


class Largest(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription whose invoices would change most."""

    account_id: UUID
    subscription_id: UUID
    difference: Money


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The whole in one currency; `largest` are the ten whose difference is largest, by its size."""

    currency: str
    subscription_count: int
    now: Money
    then: Money
    more_count: int
    less_count: int
    same_count: int
    largest: tuple[Largest, ...]

    @property
    def difference(self) -> Money:
        """How much more would be invoiced in all."""
        return self.then - self.now


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """A migration, how far it is and what its preview came to.

    `confirmation` names what the preview showed; who confirms sends it back. `account_count` is how
    many accounts were chosen, `done_count` how many of them the present pass has gone through.
    """

    plan_migration_id: UUID
    wanted: Wanted
    status: Status
    account_count: int
    done_count: int
    after_account_id: UUID
    summaries: tuple[Summary, ...] = ()
    confirmation: str | None = None
    error: str | None = None
    actor_kind: str
    actor_id: str
    created_at: datetime
    previewed_at: datetime | None = None
    confirmed_by: str | None = None
    confirmed_at: datetime | None = None
    finished_at: datetime | None = None
    counts: Mapping[str, int] = {}
