"""Bills what is due: an account gets one invoice for all that is due at one instant.

One transaction bills a batch of accounts, each table with one statement for all of them. What can
not be billed is parked with its reason and the others go on, those of the same account too; a crash
rolls the whole batch back. All is read and reckoned before the first number is taken, so that the
number series is locked for the writing alone.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from tallystick.documents.document import Party
from tallystick.invoices.biller import Biller, Book, HasMethod, read_book
from tallystick.invoices.compose import Bill, Failed
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.due import AccountKind
from tallystick.kernel.errors import TallystickError
from tallystick.metering.archive_model import CORRECTION_WINDOW
from tallystick.money.errors import MoneyError
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.model import Subscription

BATCH_MAX: Final = 200
NAME: Final = "billing"

log = structlog.get_logger()


class BillingRun:
    """The work of the kind `billing`; `clock` is wall time, `seller` stands on each invoice.

    Usage of closed periods that changed is billed, or given back, within `late_window` of their
    end.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        seller: Party,
        *,
        has_method: HasMethod | None = None,
        batch_max: int = BATCH_MAX,
        late_window: timedelta = CORRECTION_WINDOW,
    ) -> None:
        self._db = db
        self._clock = clock
        self._seller = seller
        self._has_method = has_method
        self._batch_max = batch_max
        self._late_window = late_window

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

        An invoice is issued at `now`, or stands on a draft until its grace period is over. One run
        bills one period of each subscription; who is several periods behind is due again in the
        next run.
        """
        async with self._db.transaction(WRITER) as conn:
            wall = self._clock()
            due = await subscriptions.claim_due(conn, now, wall, test_clock_id, self._batch_max)
            if due:
                book = await read_book(conn, due)
                biller = Biller(
                    conn,
                    now,
                    self._seller,
                    self._has_method,
                    late_window=self._late_window,
                    has_grace=True,
                )
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
        """Bill them together; where the database refuses that, half and half, down to the one."""
        try:
            async with self._conn.transaction():
                await self._together(due)
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with one, others are billed
            parts = _halves(due)
            if not parts:
                await self._park(due[0], error)
                return
            log.warning("billing_batch_halved", size=len(due), reason=reason_of(error))
            for part in parts:
                await self.bill(part)

    async def _together(self, due: Sequence[Subscription]) -> None:
        billed: dict[UUID, list[Bill]] = {}
        for one in await self._biller.draft_all(due, self._book):
            if isinstance(one, Failed):
                await self._park(one.on, one.error)
            else:
                billed.setdefault(one.on.account_id, []).append(one)
        _, failed = await self._biller.issue(billed, self._book)
        for one in failed:
            await self._park(one.on, one.error)

    async def _park(self, on: Subscription, error: Exception) -> None:
        await subscriptions.park(self._conn, on, reason_of(error), self._wall)


def _halves(due: Sequence[Subscription]) -> tuple[Sequence[Subscription], ...]:
    """Return two parts, with an account's subscriptions in one as long as there are others."""
    if len(due) <= 1:
        return ()
    whose = sorted({one.account_id for one in due})
    if len(whose) == 1:
        return due[: len(due) // 2], due[len(due) // 2 :]
    first = set(whose[: len(whose) // 2])
    return (
        [one for one in due if one.account_id in first],
        [one for one in due if one.account_id not in first],
    )


def reason_of(error: Exception) -> str:
    """Return the code and the sentence of what keeps a subscription from being billed."""
    name = error.code if isinstance(error, TallystickError | MoneyError) else type(error).__name__
    return f"{name}: {error}"
