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
from tallystick.invoices.dues import lines_of
from tallystick.invoices.model import DraftLine
from tallystick.invoices.usage_lines import metered_codes
from tallystick.kernel import test_clocks
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict, TallystickError
from tallystick.kernel.ids import show, unknown
from tallystick.metering.many_periods import Totals, totals_of_many
from tallystick.metering.model import AccountPeriod
from tallystick.money.errors import MoneyError
from tallystick.subscriptions import chosen
from tallystick.subscriptions.model import Choice, Subscription
from tallystick.subscriptions.periods import Period
from tallystick.whatif.compare import Versions, compare, versions_for
from tallystick.whatif.history import Ended, Owed, dues_by_period, ended_periods
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
    terms_from: Mapping[UUID, datetime]


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One period of a subscription that is to be compared, and what is due for it."""

    subscription: Subscription
    versions: Versions
    period: Period
    now: Sequence[Owed]
    then: Sequence[Owed]

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
    found_out = [each for one in found for each in _asked(book, plan, one, wall)]
    asked = [each for each in found_out if isinstance(each, _Asked)]
    totals = await totals_of_many(conn, [one.usage for one in asked], list(book.meters.values()))
    came = [await _outcome(conn, one, used) for one, used in zip(asked, totals, strict=True)]
    return Batch(
        outcomes=tuple(one for one in came if isinstance(one, Outcome)),
        skipped=tuple(one for one in (*found_out, *came) if isinstance(one, Skipped)),
        account_count=len({one.account_id for one in found}),
        last_account_id=found[-1].account_id,
    )


def _asked(
    book: _Book, plan: Plan, one: Subscription, wall: datetime
) -> Iterator[_Asked | Skipped]:
    """Yield the periods of a subscription, or why it, or one of them, can not be compared."""
    account, version = book.accounts[one.account_id], book.plans[one.plan_version_id]
    try:
        versions = versions_for(account, version, plan.then, book.meters)
    except Conflict as error:
        yield Skipped(one.account_id, error.code)
        return
    periods = list(_periods(book, plan, one, wall))
    until = max((each.period.end for each in periods), default=one.started_at)
    now = dues_by_period(one, versions.now, until)
    then = dues_by_period(one, versions.then, until)
    for each in periods:
        if each.obstacle is not None:
            yield Skipped(one.account_id, each.obstacle)
            continue
        yield _Asked(
            subscription=one,
            versions=versions,
            period=each.period,
            now=now.get(each.index, ()),
            then=then.get(each.index, ()),
        )


def _periods(book: _Book, plan: Plan, one: Subscription, wall: datetime) -> Iterator[Ended]:
    clock_id = book.accounts[one.account_id].test_clock_id
    now = wall if clock_id is None else book.clocks[clock_id]
    span = Period(plan.choice.start, plan.choice.end)
    since = book.terms_from[one.subscription_id]
    return ended_periods(one, book.plans[one.plan_version_id], since, span, now)


async def _outcome(conn: Connection, asked: _Asked, totals: Totals | None) -> Outcome | Skipped:
    if totals is None:
        return Skipped(asked.subscription.account_id, "usage_archived")
    try:
        now = await _lines(conn, asked, asked.now, totals)
        then = await _lines(conn, asked, asked.then, totals)
        return compare(asked.subscription, asked.versions, asked.period, now, then)
    except (TallystickError, MoneyError) as error:
        return Skipped(asked.subscription.account_id, error.code)


async def _lines(
    conn: Connection, asked: _Asked, owed: Sequence[Owed], totals: Totals
) -> list[DraftLine]:
    """Return the lines of all that is due; most prices need no more than the totals."""
    meters = asked.versions.meters
    return [line for one in owed for line in await lines_of(conn, one.on, one.due, meters, totals)]


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
        terms_from=await chosen.terms_from(conn, list(names)),
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
