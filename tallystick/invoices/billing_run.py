"""Bills what is due: each subscription whose period has ended gets its invoice and moves on.

One transaction bills a batch. Each subscription is a savepoint in it: one that can not be billed
is parked with its reason and the others go on; a crash rolls the whole batch back. All drafts are
made before the first number is taken, so that the number series is locked for the writing alone.
"""

from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

import msgspec

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.catalog import service as catalog
from tallystick.catalog.model import Meter, PlanVersion
from tallystick.invoices.build import build
from tallystick.invoices.document import Party
from tallystick.invoices.finalize import issue_period
from tallystick.invoices.model import InvoiceDraft
from tallystick.invoices.usage_lines import metered_codes
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.due import AccountKind
from tallystick.kernel.errors import TallystickError
from tallystick.kernel.ids import show
from tallystick.metering.price_uses import Days, read_uses
from tallystick.money.errors import MoneyError
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.model import Subscription
from tallystick.subscriptions.periods import zone

BATCH_MAX: Final = 50
NAME: Final = "billing"

T = TypeVar("T")


class _Book(msgspec.Struct, frozen=True):
    """What a batch needs to know, read in one query for each sort."""

    accounts: Mapping[UUID, Account]
    plans: Mapping[UUID, PlanVersion]
    meters: Mapping[str, Meter]


class BillingRun:
    """The work of the kind `billing`; `clock` is wall time, `seller` stands on each invoice."""

    def __init__(
        self, db: Database, clock: Clock, seller: Party, *, batch_max: int = BATCH_MAX
    ) -> None:
        self._db = db
        self._clock = clock
        self._seller = seller
        self._batch_max = batch_max

    @property
    def kind(self) -> AccountKind:
        """The work as the worker and the test clocks take it."""
        return AccountKind(NAME, self.run_due, self.next_at)

    async def next_at(self, test_clock_id: UUID) -> datetime | None:
        """Return when the next subscription on that clock is billed."""
        async with self._db.transaction(WRITER) as conn:
            return await subscriptions.next_due_at(conn, test_clock_id)

    async def run_due(self, now: datetime, test_clock_id: UUID | None) -> int:
        """Bill one batch of what is due by `now` on that clock, and return how many it had.

        An invoice is issued at `now`. One run bills one period of each subscription; who is
        several periods behind is due again in the next run.
        """
        async with self._db.transaction(WRITER) as conn:
            wall = self._clock()
            due = await subscriptions.claim_due(conn, now, wall, test_clock_id, self._batch_max)
            if due:
                await _Batch(conn, now, wall, self._seller, await _read_book(conn, due)).bill(due)
        return len(due)


class _Batch:
    """The subscriptions of one transaction."""

    def __init__(
        self, conn: Connection, now: datetime, wall: datetime, seller: Party, book: _Book
    ) -> None:
        self._conn = conn
        self._now = now
        self._wall = wall
        self._seller = seller
        self._book = book

    async def bill(self, due: Sequence[Subscription]) -> None:
        drafts = [(each, await self._or_park(each, self._draft(each))) for each in due]
        for each, draft in drafts:
            if draft is not None:
                await self._or_park(each, self._issue(each, draft))

    async def _draft(self, due: Subscription) -> InvoiceDraft:
        plan = self._book.plans[due.plan_version_id]
        uses = await read_uses(
            self._conn,
            due.account_id,
            plan.prices,
            self._book.meters,
            start=due.period_start,
            end=due.period_end,
            days=Days(zone(due.timezone)),
        )
        account = self._book.accounts[due.account_id]
        return build(account, plan, self._book.meters, due.period, uses)

    async def _issue(self, due: Subscription, draft: InvoiceDraft) -> None:
        await issue_period(
            self._conn,
            self._book.accounts[due.account_id],
            draft,
            subscription_id=due.subscription_id,
            seller=self._seller,
            at=self._now,
        )
        await subscriptions.advance_period(self._conn, due, self._book.plans[due.plan_version_id])

    async def _or_park(self, due: Subscription, work: Awaitable[T]) -> T | None:
        try:
            async with self._conn.transaction():
                return await work
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with one, others are billed
            await subscriptions.park(self._conn, due, _reason(error), self._wall)
            return None


def _reason(error: Exception) -> str:
    name = error.code if isinstance(error, TallystickError | MoneyError) else type(error).__name__
    return f"{name}: {error}"


async def _read_book(conn: Connection, due: Sequence[Subscription]) -> _Book:
    names = {each.account_id: show("account", each.account_id) for each in due}
    found = await accounts.find_by_subjects(conn, list(names.values()))
    plans = {
        plan_version_id: await catalog.get_plan_version(conn, plan_version_id)
        for plan_version_id in {each.plan_version_id for each in due}
    }
    codes = {code for plan in plans.values() for code in metered_codes(plan)}
    return _Book(
        accounts={account_id: found[name] for account_id, name in names.items()},
        plans=plans,
        meters=await catalog.meters_by_codes(conn, codes),
    )
