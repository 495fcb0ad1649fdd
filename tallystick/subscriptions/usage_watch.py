"""Usage that is billed as it comes: sees new events, and lets their subscriptions be billed now.

An event is looked at as soon as it is committed, at least once; what it costs is billed once, for
the billing run bills what all usage costs less what was billed of it. Where usage is kept outside
PostgreSQL nothing is seen here, and the period's end bills all.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tallystick.catalog import service as catalog
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.due import AccountKind
from tallystick.metering import service as metering
from tallystick.subscriptions import usage_watch_store as store

NAME: Final = "usage_in_advance"
PAUSE: Final = timedelta(milliseconds=200)
"""The worker may be woken a hundred times a second; to look once still costs a transaction."""
_NO_CLOCK: Final = UUID(int=0)


class UsageWatch:
    """Looks for events of meters that some plan bills in advance."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._looked_at: datetime | None = None

    @property
    def kind(self) -> AccountKind:
        """The work as the worker and the test clocks take it."""
        return AccountKind(NAME, self.run_due, self._next_at)

    async def run_due(self, now: datetime, test_clock_id: UUID | None) -> int:
        """Let what has new events by `now` be billed; return how many subscriptions that are."""
        if test_clock_id is None:
            if self._looked_at is not None and self._looked_at <= now < self._looked_at + PAUSE:
                return 0
            self._looked_at = now
        async with self._db.transaction(WRITER) as conn:
            types = await catalog.event_types_in_advance(conn)
            if not types:
                return 0
            clock_id = test_clock_id or _NO_CLOCK
            mark = await store.lock_mark(conn, clock_id)
            watched = await store.watched_accounts(conn, types, test_clock_id)
            if mark is None or not watched:
                return 0
            wanted = {one for each in types.values() for one in each}
            news = await metering.news(conn, watched, wanted, mark.snapshot)
            count = await store.flag(conn, news.account_ids, types, now)
            await store.move_mark(conn, clock_id, news.snapshot)
            return count

    async def _next_at(self, _test_clock_id: UUID) -> datetime | None:
        """Nothing of it waits for a later instant."""
        return None
