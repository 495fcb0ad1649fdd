"""Bills usage that changed of accounts which no run comes to any more: an invoice of its own.

Where a subscription goes on, its next invoice has the lines. Where all have ended, what came late
waits a day for more of its kind, so that a day of late events is one invoice.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from msgspec.structs import replace

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.documents.document import Party
from tallystick.invoices import usage_lines_store
from tallystick.invoices.besides import Besides
from tallystick.invoices.besides_use import lock_besides, use_besides
from tallystick.invoices.compose import Composed, compose_late
from tallystick.invoices.finalize import issue
from tallystick.invoices.usage_changes import settle_usage_change
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.due import AccountKind
from tallystick.metering.archive_model import CORRECTION_WINDOW
from tallystick.subscriptions import service as subscriptions
from tallystick.taxes import service as taxes
from tallystick.taxes.model import TaxTerms

NAME: Final = "late_usage"
BATCH_MAX: Final = 50
QUIET: Final = timedelta(days=1)
PAUSE: Final = timedelta(minutes=10)
"""Between two looks on wall time, for what can not be rated is looked at again each time."""

log = structlog.get_logger()


class LateBills:
    """The work of the kind `late_usage`; `clock` is wall time.

    Periods that ended longer than `late_window` ago stay as they were billed. On a test clock
    nothing waits: whoever moves it has sent what is to come late.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        seller: Party,
        *,
        late_window: timedelta = CORRECTION_WINDOW,
    ) -> None:
        self._db = db
        self._clock = clock
        self._seller = seller
        self._late_window = late_window
        self._looked_at: datetime | None = None

    @property
    def kind(self) -> AccountKind:
        """The work as the worker and the test clocks take it."""
        return AccountKind(NAME, self.run_due, self.next_at)

    async def next_at(self, _test_clock_id: UUID) -> datetime | None:
        """Return None: it is no instant of the account's time that it waits for."""
        return None

    async def run_due(self, now: datetime, test_clock_id: UUID | None) -> int:
        """Bill a batch of accounts, and return how many were put right."""
        wall = self._clock()
        if test_clock_id is None:
            if self._looked_at is not None and self._looked_at <= wall < self._looked_at + PAUSE:
                return 0
            self._looked_at = wall
        until = wall if test_clock_id is not None else wall - QUIET
        return await self.run_once(now, test_clock_id, until)

    async def run_once(self, now: datetime, test_clock_id: UUID | None, until: datetime) -> int:
        """Bill, at `now`, what was noted first by `until` (wall time) on that clock."""
        async with self._db.transaction(WRITER) as conn:
            waiting = await usage_lines_store.waiting(
                conn, now - self._late_window, until, test_clock_id, BATCH_MAX
            )
        return sum([await self._bill(account_id, now) for account_id in waiting])

    async def _bill(self, account_id: UUID, now: datetime) -> int:
        try:
            async with self._db.transaction(WRITER) as conn:
                account = await accounts.get_account(conn, account_id)
                locked = await lock_besides(conn, [account], now, self._late_window)
                terms = await taxes.read_terms(conn, [account])
                besides = locked[account_id]
                made = await self._made(conn, account, besides, now, terms)
                for one in made:
                    invoice = await issue(conn, account, one.draft, seller=self._seller, at=now)
                    await use_besides(conn, one, invoice.invoice_id, now)
                for change in besides.changes:
                    await settle_usage_change(conn, change)
                return 1 if besides.changes else 0
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with one, others are billed
            log.warning("late_usage_not_billed", account_id=str(account_id), reason=str(error))
            return 0

    async def _made(
        self,
        conn: Connection,
        account: Account,
        besides: Besides,
        now: datetime,
        terms: Mapping[UUID, TaxTerms],
    ) -> Sequence[Composed]:
        made = compose_late(account, besides, now, terms[account.account_id])
        asks_refund = await self._asks_refund(conn, account, besides)
        return [replace(one, kind_of_kept="refund") if asks_refund else one for one in made]

    async def _asks_refund(self, conn: Connection, account: Account, besides: Besides) -> bool:
        """Tell whether all that is put right is of subscriptions whose rest was to be refunded."""
        found = {one.subscription_id for one in besides.changes}
        known = [
            await subscriptions.get_subscription(conn, account.account_id, one)
            for one in sorted(found)
        ]
        return bool(known) and all(one.remainder == "refund" for one in known)
