"""Catching up after an outage: the gateway lists its events, and those that are new are stored.

They go the same way as received ones, under the same ids, so nothing counts twice.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.due import WallKind
from tallystick.kernel.errors import BadInput, TallystickError
from tallystick.payments import service as payments
from tallystick.payments.gateway import Gateways
from tallystick.webhooks import catch_up_store
from tallystick.webhooks.gaps import ask_since, reason_to_ask
from tallystick.webhooks.model import Signs
from tallystick.webhooks.service import Inbox

log = structlog.get_logger()

PAGES_MAX: Final = 50_000
LOOK_EVERY: Final = timedelta(minutes=1)
LEASE: Final = timedelta(minutes=10)
AFTER_FAILURE: Final = timedelta(minutes=5)
ERROR_CHARS_MAX: Final = 500


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a catch-up is: events listed since `since`, and how many of them were new."""

    gateway: str
    since: datetime
    listed: int = 0
    new: int = 0


Tell = Callable[[Progress], None]


class CatchUp:
    """Asks gateways for what they told."""

    def __init__(self, db: Database, gateways: Gateways, inbox: Inbox, clock: Clock) -> None:
        self._db = db
        self._gateways = gateways
        self._inbox = inbox
        self._clock = clock

    async def run(
        self, name: str, since: datetime | None = None, tell: Tell = lambda _: None
    ) -> Progress:
        """List a gateway's events since then and store the new ones; None: since all is known.

        No further back than the gateway can. Raises NotFound, Unavailable, Conflict
        `gateway_can_not`, BadInput for a time to come.
        """
        gateway = self._gateways.get(name)
        reach = gateway.capabilities.lists_events
        if reach is None:
            raise gateway.can_not("list its events")
        asked_at = self._clock()
        if since is None:
            since = ask_since(await self.signs(name), asked_at)
        if since > asked_at:
            raise BadInput.field("since", "in_the_future", "must not be in the future")
        progress = Progress(gateway=name, since=max(since, asked_at - reach))
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            page = await gateway.list_events(progress.since, cursor)
            new = await self._inbox.keep(name, page.receipts, self._clock())
            progress = msgspec.structs.replace(
                progress, listed=progress.listed + len(page.receipts), new=progress.new + new
            )
            tell(progress)
            cursor = page.cursor
            if cursor is None:
                # What lies further back than the gateway can list is lost for good, and so done.
                await self._note_done(progress, since, asked_at)
                break
        log.info("webhooks_caught_up", gateway=name, listed=progress.listed, new=progress.new)
        return progress

    async def signs(self, name: str) -> Signs:
        """Return what tells whether events of this gateway may be missing."""
        async with self._db.transaction(WRITER) as conn:
            waits_since = await payments.waits_since(conn, name)
            return await catch_up_store.signs(conn, name, waits_since)

    async def _note_done(self, progress: Progress, since: datetime, asked_at: datetime) -> None:
        async with self._db.transaction(WRITER) as conn:
            counts = (progress.listed, progress.new)
            await catch_up_store.note_done(conn, progress.gateway, since, asked_at, counts)


class GapWatch:
    """Catches up by itself: after a start, after too long a silence, and once a day."""

    def __init__(self, db: Database, gateways: Gateways, catch_up: CatchUp) -> None:
        self._db = db
        self._catch_up = catch_up
        self._not_asked = {
            name for name in gateways.names() if gateways.get(name).capabilities.lists_events
        }
        self._names = tuple(sorted(self._not_asked))
        self._look_at: datetime | None = None
        self._began_at: datetime | None = None

    def kind(self) -> WallKind:
        """Return the kind of due work, on wall time."""
        return WallKind("webhook_catch_up", self.run_due)

    async def run_due(self, now: datetime) -> int:
        """Ask the gateways that may have told what is not here; never reports more due work."""
        self._began_at = self._began_at or now
        if self._look_at is None or now >= self._look_at:
            self._look_at = now + LOOK_EVERY
            for name in self._names:
                await self._look(name, now)
        return 0

    async def _look(self, name: str, now: datetime) -> None:
        signs = await self._catch_up.signs(name)
        reason = reason_to_ask(signs, now, started=name in self._not_asked)
        if reason is None:
            # Asked by another process, but before this one began: what came between is asked later.
            if signs.finished_at and self._began_at and signs.finished_at >= self._began_at:
                self._not_asked.discard(name)
            return
        async with self._db.transaction(WRITER) as conn:
            if not await catch_up_store.lease(conn, name, now, LEASE):
                return
        log.info("webhooks_catch_up", gateway=name, reason=reason)
        try:
            await self._catch_up.run(name)
        except TallystickError as error:
            log.warning("webhooks_catch_up_failed", gateway=name, code=error.code)
            text = f"{error.code}: {error.detail}"[:ERROR_CHARS_MAX]
            async with self._db.transaction(WRITER) as conn:
                await catch_up_store.note_failed(conn, name, text, now + AFTER_FAILURE)
        else:
            self._not_asked.discard(name)
