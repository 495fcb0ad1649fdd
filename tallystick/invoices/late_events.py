"""Notes events that came for periods which are billed already, for the run that puts them right."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tallystick.catalog import service as catalog
from tallystick.invoices.usage_changes import issued_usage_lines, note_usage_change
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.due import WallKind
from tallystick.metering.late import new_events
from tallystick.metering.late_store import Earliest
from tallystick.subscriptions import service as subscriptions

PAUSE: Final = timedelta(seconds=2)
"""The worker may be woken a hundred times a second; a look costs a read of what is new."""


class LateEvents:
    """Looks at each event once, some seconds after it came."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._looked_at: datetime | None = None

    def kind(self) -> WallKind:
        """Return it as work for the worker."""
        return WallKind("late_events", self.run_due)

    async def run_due(self, now: datetime) -> int:
        """Look once, and return 0: nothing more waits."""
        if self._looked_at is None or not self._looked_at <= now < self._looked_at + PAUSE:
            self._looked_at = now
            await self.run_once(now)
        return 0

    async def run_once(self, wall: datetime) -> None:
        """Note what came for periods that are billed; more than changed may be noted.

        What a noted line comes to is reckoned by the run: without a difference nothing is billed.
        """
        async with self._db.transaction(WRITER) as conn:
            found = await new_events(conn)
            billed = await subscriptions.billed_until(conn, {one.account_id for one in found})
            late: dict[UUID, list[Earliest]] = {}
            for one in found:
                until = billed.get(one.account_id)
                if until is not None and one.at < until:
                    late.setdefault(one.account_id, []).append(one)
            for account_id in sorted(late):
                await _note(conn, account_id, late[account_id], wall)


async def _note(
    conn: Connection, account_id: UUID, late: Sequence[Earliest], wall: datetime
) -> None:
    meters = await catalog.meters_of_events(conn, {one.event_type for one in late}, ())
    codes = [meter.code for meter in meters]
    lines = await issued_usage_lines(conn, account_id, codes, min(one.at for one in late))
    await note_usage_change(conn, account_id, lines, wall)
