"""The work of the kind `usage_alerts`: accounts that used something, and the daily look.

The transaction that uses something leaves a row that is committed with it; only who has looked at
the account takes it away, in the transaction that tells what was found. So a crash at any point
leaves the row, and a row that came meanwhile is looked at again.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from tallystick.alerts import store
from tallystick.alerts.evaluate import evaluate
from tallystick.kernel.clock import Clock, account_now
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.due import AccountKind, retry_after

log = structlog.get_logger()

NAME: Final = "usage_alerts"
BATCH_MAX: Final = 50
TICK: Final = timedelta(days=1)
GAP_S: Final = 0.05
"""Between two batches: an account that uses something all the time is looked at 20 times a second
at most, and the first time at once."""


class AlertWork:
    """Looks at accounts; `clock` is wall time."""

    def __init__(
        self, db: Database, clock: Clock, *, batch_max: int = BATCH_MAX, gap_s: float = GAP_S
    ) -> None:
        self._db = db
        self._clock = clock
        self._batch_max = batch_max
        self._gap_s = gap_s

    @property
    def kind(self) -> AccountKind:
        """The work as the worker and the test clocks take it."""
        return AccountKind(NAME, self.run_due, self.next_at)

    async def next_at(self, test_clock_id: UUID) -> datetime | None:
        """Return when the next daily look comes on that clock."""
        async with self._db.transaction(WRITER) as conn:
            return await store.next_tick_at(conn, test_clock_id)

    async def run_due(self, now: datetime, test_clock_id: UUID | None) -> int:
        """Look at a batch of accounts on that clock, and return how many those were."""
        async with self._db.transaction(WRITER) as conn:
            await store.tick(conn, now, test_clock_id, now + TICK, self._batch_max)
        looked = 0
        while looked < self._batch_max and await self._look(test_clock_id):
            looked += 1
        if looked and test_clock_id is None:
            await asyncio.sleep(self._gap_s)
        return looked

    async def _look(self, test_clock_id: UUID | None) -> bool:
        """Look at the next account; what fails is put off, so that the others come on."""
        wall = self._clock()
        account_id: UUID | None = None
        tries = 0
        try:
            async with self._db.transaction(WRITER) as conn:
                account_id = await store.lock_next_account(conn, wall, test_clock_id)
                if account_id is None:
                    return False
                tries = await store.take(conn, account_id, wall)
                await evaluate(conn, account_id, await account_now(conn, account_id, wall))
        except Exception as error:
            if account_id is None:
                raise
            log.exception("usage_alerts_failed", account_id=str(account_id), error=str(error))
            await self._put_off(account_id, tries + 1, wall)
        return True

    async def _put_off(self, account_id: UUID, try_count: int, wall: datetime) -> None:
        async with self._db.transaction(WRITER) as conn:
            until = retry_after(wall, try_count)
            await store.put_off(conn, account_id, until, try_count, wall)
