"""How plan migrations are shown: progress, the whole by currency, and each subscription."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from tallystick.api.answers import Pagination
from tallystick.api.correction_answers import ActorAnswer
from tallystick.kernel import ids
from tallystick.plan_migrations.model import (
    Largest,
    Migration,
    Row,
    RowState,
    Status,
    Summary,
    When,
)


class MigrationLargest(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription whose invoices change most."""

    account: str
    subscription: str
    difference: Decimal
    difference_cents: int


class MigrationCurrency(msgspec.Struct, frozen=True, kw_only=True):
    """What all subscriptions would be invoiced in one currency, before taxes and credits.

    From the preview to the end of each one's first period on the new version: as it is (`now`) and
    migrated (`then`).
    """

    currency: str
    subscription_count: int
    now: Decimal
    now_cents: int
    then: Decimal
    then_cents: int
    difference: Decimal
    difference_cents: int
    more_count: int
    less_count: int
    same_count: int
    largest: list[MigrationLargest]


class PlanMigrationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A migration; `counts` are subscriptions by their state.

    `done_count` of `account_count` accounts are through the present pass. `confirmation` is there
    as soon as the preview is whole.
    """

    id: str
    status: Status
    plan: str | None
    tier: str | None
    versions: list[int] | None
    accounts: list[str] | None
    to_plan_version: str
    when: When
    at: datetime | None
    notice_days: int
    reason: str
    force_reason: str | None
    account_count: int
    done_count: int
    counts: Mapping[str, int]
    currencies: list[MigrationCurrency]
    confirmation: str | None
    error: str | None
    actor: ActorAnswer
    created: datetime
    previewed: datetime | None
    confirmed: datetime | None
    confirmed_by: str | None
    finished: datetime | None


class PlanMigrationList(msgspec.Struct, frozen=True):
    """One part of the migrations, newest first."""

    plan_migrations: list[PlanMigrationAnswer]
    pagination: Pagination
    total: int


class PlanMigrationRow(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription of a migration: what it would be invoiced up to `until`, and when it is moved.

    `refused`: it can not be moved, `reason` is the code and `detail` the sentence.
    """

    account: str
    subscription: str
    plan_version: str
    quantity: int
    state: RowState
    at: datetime | None
    until: datetime | None
    currency: str | None
    now: Decimal | None
    now_cents: int | None
    then: Decimal | None
    then_cents: int | None
    difference: Decimal | None
    difference_cents: int | None
    reason: str | None
    detail: str | None


class PlanMigrationRows(msgspec.Struct, frozen=True):
    """One part of a migration's subscriptions, newest first."""

    subscriptions: list[PlanMigrationRow]
    pagination: Pagination
    total: int


def migration_answer(one: Migration) -> PlanMigrationAnswer:
    """Return a migration as it is shown."""
    wanted = one.wanted
    accounts = wanted.account_ids
    return PlanMigrationAnswer(
        id=ids.show("plan_migration", one.plan_migration_id),
        status=one.status,
        plan=wanted.plan_code,
        tier=wanted.tier,
        versions=None if wanted.versions is None else list(wanted.versions),
        accounts=None if accounts is None else [ids.show("account", each) for each in accounts],
        to_plan_version=ids.show("plan_version", wanted.to_plan_version_id),
        when=wanted.when,
        at=wanted.at,
        notice_days=wanted.notice_days,
        reason=wanted.reason,
        force_reason=wanted.force_reason,
        account_count=one.account_count,
        done_count=one.done_count,
        counts=one.counts,
        currencies=[_currency(each) for each in one.summaries],
        confirmation=one.confirmation,
        error=one.error,
        actor=ActorAnswer(one.actor_kind, one.actor_id),
        created=one.created_at,
        previewed=one.previewed_at,
        confirmed=one.confirmed_at,
        confirmed_by=one.confirmed_by,
        finished=one.finished_at,
    )


def migration_row(one: Row) -> PlanMigrationRow:
    """Return one subscription of a migration as it is shown."""
    now, then, difference = one.now, one.then, one.difference
    return PlanMigrationRow(
        account=ids.show("account", one.account_id),
        subscription=ids.show("subscription", one.subscription_id),
        plan_version=ids.show("plan_version", one.plan_version_id),
        quantity=one.quantity,
        state=one.state,
        at=one.at,
        until=one.until,
        currency=now.currency.lower() if now else None,
        now=now.to_decimal() if now else None,
        now_cents=now.minor if now else None,
        then=then.to_decimal() if then else None,
        then_cents=then.minor if then else None,
        difference=difference.to_decimal() if difference else None,
        difference_cents=difference.minor if difference else None,
        reason=one.reason,
        detail=one.detail,
    )


def _currency(one: Summary) -> MigrationCurrency:
    return MigrationCurrency(
        currency=one.currency.lower(),
        subscription_count=one.subscription_count,
        now=one.now.to_decimal(),
        now_cents=one.now.minor,
        then=one.then.to_decimal(),
        then_cents=one.then.minor,
        difference=one.difference.to_decimal(),
        difference_cents=one.difference.minor,
        more_count=one.more_count,
        less_count=one.less_count,
        same_count=one.same_count,
        largest=[_largest(each) for each in one.largest],
    )


def _largest(one: Largest) -> MigrationLargest:
    return MigrationLargest(
        account=ids.show("account", one.account_id),
        subscription=ids.show("subscription", one.subscription_id),
        difference=one.difference.to_decimal(),
        difference_cents=one.difference.minor,
    )
