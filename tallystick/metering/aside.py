"""The worker's part of what is kept aside: matched when that can be, dropped when too old.

Events are parked because an account or a meter was not known. Once a second the next few hundred
of the subjects and types that events wait for are looked up; what is known by now is counted.
"""

from datetime import datetime, timedelta
from typing import Final

import structlog

from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.due import WallKind
from tallystick.metering import conflicts_store, unmatched, unmatched_store
from tallystick.metering.unmatched_store import Waiting

log = structlog.get_logger()

KEPT: Final = timedelta(days=400)
STEPS_MAX: Final = 500
"""How many subjects and types are looked up at a time."""
PAUSE: Final = timedelta(seconds=1)


class Aside:
    """Goes round through parked events, and forgets what was kept aside for too long."""

    def __init__(self, db: Database, kept: timedelta = KEPT) -> None:
        self._db = db
        self._kept = kept
        self._ended_at: datetime | None = None
        self._last: Waiting | None = None

    def kind(self) -> WallKind:
        """Return it as work for the worker."""
        return WallKind("usage_aside", self.run_due)

    async def run_due(self, now: datetime) -> int:
        """Do one step and return how many events it handled, 0 when it is time to rest."""
        if self._ended_at is not None and self._ended_at <= now < self._ended_at + PAUSE:
            return 0
        handled = await self.match_next(now) + await self.forget_old(now)
        if not handled:
            self._ended_at = now
        return handled

    async def match_next(self, now: datetime) -> int:
        """Count up to 1,000 events that match by now, and return how many were tried."""
        async with self._db.transaction(WRITER) as conn:
            waiting = await unmatched_store.waiting(conn, self._last, STEPS_MAX)
            tried = await unmatched.match(conn, waiting, now) if waiting else 0
        if tried:
            log.info("unmatched_events_tried", count=tried)
        else:
            self._last = waiting[-1] if len(waiting) == STEPS_MAX else None
        return tried

    async def forget_old(self, now: datetime) -> int:
        """Drop up to 1,000 parked events and conflicts each that are kept for too long."""
        before = now - self._kept
        async with self._db.transaction(WRITER) as conn:
            dropped = await unmatched_store.forget(conn, before)
            conflicts = await conflicts_store.forget(conn, before)
        if "parked" in dropped:
            log.warning("unmatched_events_dropped", count=dropped.count("parked"))
        return len(dropped) + conflicts
