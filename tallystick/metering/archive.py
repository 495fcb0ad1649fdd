"""Archiving: old events go into files, their totals and the memory of their ids stay.

A file is on the disk and was read back before its events are remembered; they are remembered in
one transaction with the database's own comparison of file and events, and dropped a while later:
an event that is sent again at that moment is looked up among the remembered first, then stored, and
between the two nothing may vanish. A crash leaves files that are written again, or events that the
next run drops.

Whoever hands events on elsewhere says how far it read them: later ones stay until it has.
"""

from asyncio import sleep, to_thread
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog

from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.due import WallKind
from tallystick.kernel.errors import Conflict, SetupError
from tallystick.kernel.ids import new_id, show
from tallystick.metering import archive_files, archive_store, totals_store
from tallystick.metering.archive_model import (
    CORRECTION_WINDOW,
    FILE_EVENTS_MAX,
    HELD_MAX,
    Archive,
    Archived,
    Manifest,
    Span,
    Written,
)
from tallystick.metering.hours import HOUR, floor_hour, floor_month, next_month

log = structlog.get_logger()

GRACE: Final = timedelta(seconds=90)
"""Between remembering and dropping: longer than a statement may take (60 s)."""
PAUSE: Final = timedelta(hours=1)
"""Between two looks of the worker for events that have grown old."""

_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
Told = Callable[[str, int], None]
"""Hears of each file, and how many events it holds."""
ReadUpto = Callable[[Connection], Awaitable[int | None]]
"""Says before which transaction all events were handed on (None: nobody waits for any)."""


def archive_before(now: datetime, keep: timedelta, *, force: bool) -> datetime:
    """Return the beginning of the month before which all events may go.

    Raises SetupError `archive_too_young` when that lies inside the correction window.
    """
    if keep < CORRECTION_WINDOW and not force:
        raise SetupError(
            "archive_too_young",
            f"Events of the last {CORRECTION_WINDOW.days} days are needed to correct closed "
            "periods; keep that many days, or say --force and never correct them again.",
        )
    return floor_month(now - keep)


class Archiver:
    """Archives into one folder."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        folder: Path,
        *,
        grace: timedelta = GRACE,
        events_max: int = FILE_EVENTS_MAX,
        read_upto: ReadUpto | None = None,
    ) -> None:
        self._db = db
        self._clock = clock
        self._folder = folder
        self._grace = grace
        self._events_max = events_max
        self._read_upto = read_upto

    async def run(self, before: datetime, told: Told = lambda *_: None) -> Archived:
        """Archive all folded events before a month's beginning, and drop them.

        Events of transactions that are not folded or not handed on yet stay for the next run; so
        do voided ones.
        Raises Conflict `archive_running`, SetupError `archive_unwritable`, `archive_damaged`,
        `archive_missing`.
        """
        async with self._alone():
            count = await self._drop_pending()
            names = []
            async for span in self._spans(before):
                written = await self._keep(span)
                told(written.name, written.event_count)
                names.append(written.name)
            count += await self._drop_pending()
            return Archived(names, count, await self._held(before))

    async def _held(self, before: datetime) -> int:
        """Count what nobody may take away yet."""
        async with self._db.transaction(WRITER) as conn:
            read = await self._read_by_others(conn)
            if read is None:
                return 0
            return await archive_store.held_count(conn, read, before, HELD_MAX)

    async def _read_by_others(self, conn: Connection) -> int | None:
        return None if self._read_upto is None else await self._read_upto(conn)

    async def _spans(self, before: datetime) -> AsyncIterator[Span]:
        """Yield what goes into each file; each is remembered before the next is looked for."""
        async with self._db.transaction(WRITER) as conn:
            upto = await totals_store.lock_mark(conn)
            read = await self._read_by_others(conn)
            upto = upto if read is None else min(upto, read)
            accounts = await archive_store.old_accounts(conn, before, upto)
            if accounts:
                await archive_store.move_bound(conn, before)
        for account_id in accounts:
            since = _EVER
            while span := await self._next_span(account_id, (since, before), upto):
                yield span
                since = span.until

    async def _next_span(
        self, account_id: UUID, within: tuple[datetime, datetime], upto: int
    ) -> Span | None:
        async with self._db.transaction(WRITER) as conn:
            first = await archive_store.first_archivable(conn, account_id, within, upto)
            if first is None:
                return None
            month, since = floor_month(first), floor_hour(first)
            number = await archive_store.file_count(conn, account_id, month) + 1
            span = Span(account_id, month, number, since, next_month(month), upto)
            cut = await archive_store.cut_at(conn, span, self._events_max)
        if cut is None:
            return span
        until = max(floor_hour(cut), since + HOUR)
        return Span(account_id, month, number, since, until, upto)

    async def _keep(self, span: Span) -> Written:
        """Write a file, and remember its events."""
        subject = show("account", span.account_id)
        name = f"{subject}/{span.month:%Y-%m}.{span.number}.ndjson.gz"
        async with self._db.own_transaction(WRITER) as conn:
            lines = archive_store.lines_of(conn, span, subject)
            written = await archive_files.write_file(self._folder, name, lines)
        archive_files.write_manifest(self._folder, self._manifest(span, subject, written))
        async with self._db.transaction(WRITER) as conn:
            await archive_store.remember(conn, span, new_id(), subject, written)
        log.info("usage_archived", file=name, event_count=written.event_count)
        return written

    def _manifest(self, span: Span, subject: str, written: Written) -> Manifest:
        return Manifest(
            file=written.name,
            sha256=written.sha256,
            bytes=(self._folder / written.name).stat().st_size,
            events=written.event_count,
            account=subject,
            since=span.since,
            until=span.until,
            written_at=self._clock(),
        )

    async def _drop_pending(self) -> int:
        """Drop what is remembered, once nobody can be between looking it up and storing it."""
        async with self._db.transaction(WRITER) as conn:
            archives = await archive_store.pending(conn)
        if archives:
            wait = self._grace - min(archive.age for archive in archives)
            await sleep(max(wait, timedelta()).total_seconds())
        return sum([await self._drop(archive) for archive in archives])

    async def _drop(self, archive: Archive) -> int:
        found = await to_thread(archive_files.read_back, self._folder, archive.file_name)
        if (found.sha256, found.event_count) != (archive.sha256, archive.event_count):
            raise SetupError(
                "archive_damaged",
                f"{self._folder / archive.file_name} is not the file that was written; "
                "its events are still in the database and stay there.",
            )
        async with self._db.transaction(WRITER) as conn:
            # Under the lock no meter is made, which would want to hand on all that is stored.
            await totals_store.lock_mark(conn)
            read = await self._read_by_others(conn)
            if read is not None and read < archive.upto:
                return 0
            return await archive_store.drop(conn, archive)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        conn = await self._db.connect()
        try:
            if not await archive_store.try_lock(conn):
                detail = "Another process is archiving; wait for it to end."
                raise Conflict("archive_running", detail)
            yield
        finally:
            await conn.close()


class ArchiveRule:
    """The worker's rule: what is older than so many days is archived."""

    def __init__(self, archiver: Archiver, keep: timedelta) -> None:
        self._archiver = archiver
        self._keep = keep
        self._ended_at: datetime | None = None

    def kind(self) -> WallKind:
        """Return the rule as work for the worker."""
        return WallKind("usage_archive", self.run_due)

    async def run_due(self, now: datetime) -> int:
        """Archive once an hour; always returns 0, for one run does all there is."""
        if self._ended_at is not None and self._ended_at <= now < self._ended_at + PAUSE:
            return 0
        self._ended_at = now
        try:
            done = await self._archiver.run(archive_before(now, self._keep, force=False))
        except Conflict:
            log.info("usage_archive_elsewhere")
        else:
            if done.held_count:
                log.warning("usage_archive_waits", held_count=done.held_count)
        return 0
