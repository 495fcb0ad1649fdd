"""Reads accounts in batches and compares what their periods cost: a few statements for each batch.

What is in memory is one batch. Each batch is read in one transaction under the staff's scope or the
writer's; usage may go on between two.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.catalog import service as catalog
from tallystick.catalog.model import Meter, PlanVersion
from tallystick.invoices.usage_lines import metered_codes
from tallystick.kernel import test_clocks
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict, TallystickError
from tallystick.kernel.ids import show, unknown
from tallystick.metering.many_periods import Totals, totals_of_many
from tallystick.metering.model import AccountPeriod
from tallystick.metering.price_uses import Days, read_uses
from tallystick.money.errors import MoneyError
from tallystick.pricing.use import Uses
from tallystick.subscriptions import chosen
from tallystick.subscriptions.model import Choice, Subscription
from tallystick.subscriptions.periods import Period, zone
from tallystick.whatif.compare import Used, Versions, compare, versions_for
from tallystick.whatif.history import ended_periods
from tallystick.whatif.model import Outcome, Question, Skipped

ACCOUNTS_MAX: Final = 200
"""How many accounts one batch has at most."""
_NONE: Final = UUID(int=0)


class Plan(msgspec.Struct, frozen=True):
    """A question that can be answered: the version that is tried, and whose subscriptions."""

    then: PlanVersion
    choice: Choice


class Batch(msgspec.Struct, frozen=True):
    """What came of some accounts, and the last of them."""

    outcomes: tuple[Outcome, ...]
    skipped: tuple[Skipped, ...]
    account_count: int
    last_account_id: UUID


class _Book(msgspec.Struct, frozen=True):
    accounts: Mapping[UUID, Account]
    plans: Mapping[UUID, PlanVersion]
    meters: Mapping[str, Meter]
    clocks: Mapping[UUID, datetime]


class _Asked(msgspec.Struct, frozen=True):
    """One period of a subscription that is to be compared."""

    subscription: Subscription
    versions: Versions
    period: Period

    @property
    def usage(self) -> AccountPeriod:
        return AccountPeriod(self.subscription.account_id, self.period.start, self.period.end)


async def plan_of(conn: Connection, question: Question) -> Plan:
    """Return what is to be read.

    Raises NotFound `plan_version_not_found`, `plan_not_found`, `account_not_found`; BadInput naming
    every field of a version given as data that can not be taken.
    """
    await _need_accounts(conn, question.account_ids or ())
    versions = None
    if question.plan_code is not None:
        sold = await catalog.list_plan_versions(conn, question.plan_code)
        versions = [version.plan_version_id for version in sold]
    return Plan(
        await _version(conn, question),
        Choice(
            account_ids=question.account_ids,
            plan_version_ids=versions,
            start=question.start.astimezone(UTC),
            end=question.end.astimezone(UTC),
        ),
    )


async def read_batch(
    conn: Connection, plan: Plan, after: UUID, wall: datetime, *, accounts_max: int = ACCOUNTS_MAX
) -> Batch | None:
    """Compare the next accounts behind `after`; None: there are no more.

    What can not be compared is skipped with the code of its reason, and the others go on.
    """
    found = await chosen.next_batch(conn, plan.choice, after, accounts_max)
    if not found:
        return None
    book = await _read_book(conn, plan, found)
    matched = [(one, _versions(book, plan, one)) for one in found]
    asked = [
        _Asked(one, versions, period)
        for one, versions in matched
        if isinstance(versions, Versions)
        for period in _periods(book, plan, one, wall)
    ]
    totals = await totals_of_many(conn, [one.usage for one in asked], list(book.meters.values()))
    came = [
        *(reason for _, reason in matched if isinstance(reason, Skipped)),
        *[await _outcome(conn, book, one, used) for one, used in zip(asked, totals, strict=True)],
    ]
    return Batch(
        outcomes=tuple(one for one in came if isinstance(one, Outcome)),
        skipped=tuple(one for one in came if isinstance(one, Skipped)),
        account_count=len({one.account_id for one in found}),
        last_account_id=found[-1].account_id,
    )


def _versions(book: _Book, plan: Plan, one: Subscription) -> Versions | Skipped:
    account, now = book.accounts[one.account_id], book.plans[one.plan_version_id]
    try:
        return versions_for(account, now, plan.then, book.meters)
    except Conflict as error:
        return Skipped(one.account_id, error.code)


def _periods(book: _Book, plan: Plan, one: Subscription, wall: datetime) -> Iterator[Period]:
    clock_id = book.accounts[one.account_id].test_clock_id
    now = wall if clock_id is None else book.clocks[clock_id]
    span = Period(plan.choice.start, plan.choice.end)
    return ended_periods(one, book.plans[one.plan_version_id], span, now)


async def _outcome(
    conn: Connection, book: _Book, asked: _Asked, totals: Totals | None
) -> Outcome | Skipped:
    one, versions = asked.subscription, asked.versions
    if totals is None:
        return Skipped(one.account_id, "usage_archived")
    try:
        used = Used(
            await _uses(conn, asked, versions.now, versions.meters, totals),
            await _uses(conn, asked, versions.then, versions.meters, totals),
        )
        account = book.accounts[one.account_id]
        return compare(account, one.subscription_id, versions, asked.period, used)
    except (TallystickError, MoneyError) as error:
        return Skipped(one.account_id, error.code)


async def _uses(
    conn: Connection,
    asked: _Asked,
    version: PlanVersion,
    meters: Mapping[str, Meter],
    totals: Totals,
) -> Uses:
    """Return what the version's prices are rated for; most need no more than the totals."""
    return await read_uses(
        conn,
        asked.subscription.account_id,
        version.prices,
        meters,
        start=asked.period.start,
        end=asked.period.end,
        days=Days(zone(asked.subscription.timezone)),
        totals=totals,
    )


async def _read_book(conn: Connection, plan: Plan, found: Sequence[Subscription]) -> _Book:
    names = {one.account_id: show("account", one.account_id) for one in found}
    by_name = await accounts.find_by_subjects(conn, list(names.values()))
    plans = {
        plan_version_id: await catalog.get_plan_version(conn, plan_version_id)
        for plan_version_id in {one.plan_version_id for one in found}
    }
    codes = {code for version in (plan.then, *plans.values()) for code in metered_codes(version)}
    clock_ids = {one.test_clock_id for one in by_name.values() if one.test_clock_id is not None}
    return _Book(
        accounts={account_id: by_name[name] for account_id, name in names.items()},
        plans=plans,
        meters=await catalog.meters_by_codes(conn, codes),
        clocks={one: (await test_clocks.get(conn, one)).now_at for one in clock_ids},
    )


async def _need_accounts(conn: Connection, account_ids: Sequence[UUID]) -> None:
    if not account_ids:
        return
    names = {show("account", account_id) for account_id in account_ids}
    if names - (await accounts.find_by_subjects(conn, sorted(names))).keys():
        raise unknown("account")


async def _version(conn: Connection, question: Question) -> PlanVersion:
    if question.draft is None:
        return await catalog.get_plan_version(conn, question.plan_version_id or _NONE)

    return await catalog.unstored_version(conn, question.draft, question.start)
