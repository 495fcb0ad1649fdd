"""Bills what is due: an account gets one invoice for all that is due at one instant.

One transaction bills a batch of accounts. What can not be billed is parked with its reason and the
others go on, those of the same account too; a crash rolls the whole batch back. All drafts are
made before the first number is taken, so that the number series is locked for the writing alone.
"""

from collections.abc import Awaitable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

from tallystick.accounts.model import Account
from tallystick.documents.document import Party
from tallystick.invoices.biller import Biller, Book, HasMethod, read_book
from tallystick.invoices.compose import Bill
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.due import AccountKind
from tallystick.kernel.errors import TallystickError
from tallystick.money.errors import MoneyError
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.model import Subscription
from tallystick.taxes.model import TaxTerms

BATCH_MAX: Final = 50
NAME: Final = "billing"

T = TypeVar("T")


class BillingRun:
    """The work of the kind `billing`; `clock` is wall time, `seller` stands on each invoice."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        seller: Party,
        *,
        has_method: HasMethod | None = None,
        batch_max: int = BATCH_MAX,
    ) -> None:
        self._db = db
        self._clock = clock
        self._seller = seller
        self._has_method = has_method
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
                book = await read_book(conn, due)
                biller = Biller(conn, now, self._seller, self._has_method)
                await _Batch(conn, wall, biller, book).bill(due)
        return len(due)


class _Batch:
    """The subscriptions of one transaction: of each account all that are due at one instant."""

    def __init__(self, conn: Connection, wall: datetime, biller: Biller, book: Book) -> None:
        self._conn = conn
        self._wall = wall
        self._biller = biller
        self._book = book

    async def bill(self, due: Sequence[Subscription]) -> None:
        by_account: dict[UUID, list[Bill]] = {}
        for each in due:
            bill = await self._or_park(each, self._biller.draft(each, self._book))
            if bill is not None:
                by_account.setdefault(each.account_id, []).append(bill)
        for account_id, bills in by_account.items():
            book = self._book
            await self._issue(book.accounts[account_id], bills, book.terms[account_id])

    async def _issue(self, account: Account, bills: Sequence[Bill], terms: TaxTerms) -> None:
        """Issue what an account is due; if that can not be done at once, one bill by one."""
        if len(bills) > 1:
            with suppress(Exception):
                async with self._conn.transaction():
                    await self._biller.issue(account, bills, terms)
                return
        for bill in bills:
            await self._or_park(bill.on, self._biller.issue(account, [bill], terms))

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
