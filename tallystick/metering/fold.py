"""The fold: about once a second, settled events are added to the hourly totals.

Reads are exact without it; it keeps them quick. Nothing is lost or counted twice when it is late,
is killed, or runs in two processes.
"""

from datetime import datetime, timedelta
from typing import Final

import structlog

from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.due import WallKind
from tallystick.metering import fold_store, totals_store
from tallystick.metering.fold_store import Backlog

log = structlog.get_logger()

EVENTS_MAX: Final = 100_000
"""Events in one fold, and as many more as the last request of it holds."""
PAUSE: Final = timedelta(milliseconds=500)
"""The worker may be woken a hundred times a second; an empty fold still costs a transaction."""


class Fold:
    """Moves the mark forward and adds to the totals what lies between."""

    def __init__(self, db: Database, *, events_max: int = EVENTS_MAX) -> None:
        self._db = db
        self._events_max = events_max
        self._ended_at: datetime | None = None

    def kind(self) -> WallKind:
        """Return the fold as work for the worker."""
        return WallKind("usage_fold", self.run_due)

    async def run_due(self, now: datetime) -> int:
        """Fold once and return 1 when more waits behind the bound, else 0."""
        if self._ended_at is not None and self._ended_at <= now < self._ended_at + PAUSE:
            return 0
        if await self.run_once():
            return 1
        self._ended_at = now
        return 0

    async def run_once(self) -> bool:
        """Fold what has settled, up to the bound; tell whether more waits."""
        async with self._db.transaction(WRITER) as conn:
            # The lock is a statement of its own: the next one then sees what came before it.
            upto = await totals_store.lock_free_mark(conn)
            if upto is None:
                return False
            backlog = await fold_store.find_backlog(conn, upto, self._events_max)
            if is_of_another_server(upto, backlog):
                log.warning("usage_totals_rebuilt", upto=upto, next_transaction=backlog.next)
                await fold_store.forget(conn, upto)
                await totals_store.move_mark(conn, 0)
                return True
            if backlog.first is not None:
                end = fold_end(backlog)
                await fold_store.fold(conn, upto, end)
                await totals_store.move_mark(conn, end)
            return backlog.cut is not None


def fold_end(backlog: Backlog) -> int:
    """Return the transaction before which to fold; one transaction is never split."""
    return backlog.settled if backlog.cut is None else backlog.cut + 1


def is_of_another_server(upto: int, backlog: Backlog) -> bool:
    """Tell whether the mark lies ahead of time.

    A dump restored into a new server brings the old one's transaction numbers with it, and new
    events would lie before the mark, unfolded for ever. Folding anew from zero is right again.
    """
    return upto > backlog.next
