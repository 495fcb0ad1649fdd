"""Bills what is due: each subscription whose period has ended gets its invoice and moves on.

One transaction bills a batch. Each subscription is a savepoint in it: one that can not be billed
is parked with its reason and the others go on; a crash rolls the whole batch back. All drafts are
made before the first number is taken, so that the number series is locked for the writing alone.
"""

from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

from tallystick.documents.document import Party
from tallystick.invoices.biller import Biller, HasMethod, read_book
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.due import AccountKind
from tallystick.kernel.errors import TallystickError
from tallystick.money.errors import MoneyError
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.model import Subscription

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
                biller = Biller(conn, now, self._seller, book, self._has_method)
                await _Batch(conn, wall, biller).bill(due)
        return len(due)


class _Batch:
    """The subscriptions of one transaction."""

    def __init__(self, conn: Connection, wall: datetime, biller: Biller) -> None:
        self._conn = conn
        self._wall = wall
        self._biller = biller

    async def bill(self, due: Sequence[Subscription]) -> None:
        drafts = [(each, await self._or_park(each, self._biller.draft(each))) for each in due]
        for each, bill in drafts:
            if bill is not None:
                await self._or_park(each, self._biller.issue(each, bill))

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
