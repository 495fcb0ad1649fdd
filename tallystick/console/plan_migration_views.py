"""Plan migrations as staff see them. Pure."""

from collections.abc import Mapping
from typing import Final

import msgspec

from tallystick.console.formats import NONE
from tallystick.console.invoice_views import Fact
from tallystick.console.what_if_views import STAFF
from tallystick.kernel import ids
from tallystick.kernel.paging import Page
from tallystick.plan_migrations.model import WORKING as WORKING_STATUSES
from tallystick.plan_migrations.model import Migration, Row, RowState, Status, Summary, Wanted

_STATES: Final = tuple(RowState)


class MigrationRow(msgspec.Struct, frozen=True, kw_only=True):
    """A migration in a list."""

    id: str
    begun: str
    chosen: str
    to: str
    when: str
    status: str
    counts: str


class MigrationListView(msgspec.Struct, frozen=True, kw_only=True):
    """One page of migrations."""

    rows: tuple[MigrationRow, ...]
    page: int
    total_pages: int


class MigrationSummaryView(msgspec.Struct, frozen=True, kw_only=True):
    """The whole in one currency, and whose invoices change most."""

    currency: str
    facts: tuple[Fact, ...]
    largest: tuple[Fact, ...]


class MigrationView(msgspec.Struct, frozen=True, kw_only=True):
    """A migration, how far it is and what its preview came to."""

    id: str
    status: str
    is_working: bool
    is_waiting: bool
    facts: tuple[Fact, ...]
    counts: tuple[Fact, ...]
    summaries: tuple[MigrationSummaryView, ...]


class SubscriptionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One subscription of a migration."""

    account: str
    state: str
    at: str
    now: str
    then: str
    difference: str
    why: str


class SubscriptionListView(msgspec.Struct, frozen=True, kw_only=True):
    """One page of them."""

    rows: tuple[SubscriptionRow, ...]
    page: int
    total_pages: int


def migration_list(found: Page[Migration]) -> MigrationListView:
    """Return a page of migrations."""
    rows = tuple(
        MigrationRow(
            id=ids.show("plan_migration", one.plan_migration_id),
            begun=STAFF.utc(one.created_at),
            chosen=_chosen(one.wanted),
            to=ids.show("plan_version", one.wanted.to_plan_version_id),
            when=_when(one.wanted),
            status=one.status,
            counts=_counted(one.counts),
        )
        for one in found.items
    )
    return MigrationListView(rows=rows, page=found.request.page, total_pages=found.total_pages)


def migration_view(one: Migration) -> MigrationView:
    """Return one migration."""
    wanted = one.wanted
    return MigrationView(
        id=ids.show("plan_migration", one.plan_migration_id),
        status=one.status,
        is_working=one.status in WORKING_STATUSES,
        is_waiting=one.status is Status.PREVIEWED,
        facts=(
            Fact("Subscriptions", _chosen(wanted)),
            Fact("Come to", ids.show("plan_version", wanted.to_plan_version_id)),
            Fact("When", _when(wanted)),
            Fact("Days of notice", str(wanted.notice_days)),
            Fact("Why", wanted.reason),
            *((Fact("Forced", wanted.force_reason),) if wanted.force_reason else ()),
            Fact("Accounts done", f"{one.done_count:,} of {one.account_count:,}"),
        ),
        counts=tuple(
            Fact(state.capitalize(), f"{one.counts[state]:,}")
            for state in _STATES
            if state in one.counts
        ),
        summaries=tuple(_summary(each) for each in one.summaries),
    )


def subscription_list(found: Page[Row]) -> SubscriptionListView:
    """Return a page of a migration's subscriptions."""
    rows = tuple(
        SubscriptionRow(
            account=ids.show("account", one.account_id),
            state=one.state,
            at=STAFF.utc(one.at) if one.at else NONE,
            now=STAFF.money(one.now) if one.now else NONE,
            then=STAFF.money(one.then) if one.then else NONE,
            difference=STAFF.money(one.difference) if one.difference else NONE,
            why=one.detail or "",
        )
        for one in found.items
    )
    return SubscriptionListView(rows=rows, page=found.request.page, total_pages=found.total_pages)


def _summary(one: Summary) -> MigrationSummaryView:
    counts = f"{one.more_count:,}, {one.less_count:,}, {one.same_count:,}"
    return MigrationSummaryView(
        currency=one.currency,
        facts=(
            Fact("Subscriptions", f"{one.subscription_count:,}"),
            Fact("As it is", STAFF.money(one.now)),
            Fact("Migrated", STAFF.money(one.then)),
            Fact("Difference", STAFF.money(one.difference)),
            Fact("More, less, the same", counts),
        ),
        largest=tuple(
            Fact(ids.show("account", each.account_id), STAFF.money(each.difference))
            for each in one.largest
        ),
    )


def _counted(counts: Mapping[str, int]) -> str:
    told = [f"{counts[state]:,} {state}" for state in _STATES if state in counts]
    return ", ".join(told) or NONE


def _chosen(wanted: Wanted) -> str:
    what = f"Plan {wanted.plan_code}" if wanted.plan_code else f"Tier {wanted.tier}"
    if wanted.versions:
        what += f", versions {', '.join(map(str, wanted.versions))}"
    if wanted.account_ids is not None:
        what += f", {len(wanted.account_ids):,} named accounts"
    return what


def _when(wanted: Wanted) -> str:
    if wanted.at is not None:
        return f"From {STAFF.utc(wanted.at)}"
    return "At once" if wanted.when == "now" else "At the period's end"
