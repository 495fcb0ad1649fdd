"""Importing a file of usage: part by part, each committed, so that it can go on wherever it ended.

How far it came is written after each part. What was stored meanwhile and not yet written down is
read again by the next run, which finds it stored: events are known by their ids.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from hashlib import blake2b
from pathlib import PurePath
from typing import Final, TypeVar
from uuid import UUID

import msgspec

from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.errors import BadInput, Conflict, FieldError
from tallystick.metering import imports_store
from tallystick.metering.import_csv import read_header, read_rows
from tallystick.metering.import_errors import Refusals
from tallystick.metering.import_lines import Parser, of_line, refused
from tallystick.metering.import_model import (
    Form,
    Options,
    Part,
    Progress,
    Record,
    Refused,
)
from tallystick.metering.import_source import Source
from tallystick.metering.ingest import Ingest
from tallystick.metering.model import Batch, EventResult, Status

AHEAD_MAX: Final = 2
"""Parts that are read while one is committed."""

Recorder = Callable[[Batch], Awaitable[Sequence[EventResult]]]
"""Stores a batch, or only checks it; an answer for each event, in order."""
Told = Callable[[Progress, int], None]
"""Hears how far it is, and how many bytes of the file as it lies there are read."""

_REASONS: Final = {
    "other_content": ("id", "was sent before with other content; an event never changes"),
    "unknown_subject": ("subject", "names no account; the event is parked"),
    "unknown_type": ("type", "is counted by no meter; the event is parked"),
}
T = TypeVar("T")


def recording(ingest: Ingest, clock: Clock) -> Recorder:
    """Return what stores batches."""

    async def record(batch: Batch) -> Sequence[EventResult]:
        now = clock()
        try:
            return await ingest.record_batch(batch, now=now, strict=False)
        except BadInput:  # every event of it is invalid, and only the first hundred are told
            return await ingest.check_batch(batch, now=now)

    return record


def checking(ingest: Ingest, clock: Clock) -> Recorder:
    """Return what answers as if it stored batches, and stores nothing."""

    async def check(batch: Batch) -> Sequence[EventResult]:
        return await ingest.check_batch(batch, now=clock())

    return check


class Importer:
    """Imports texts through one recorder."""

    def __init__(self, db: Database, record: Recorder, clock: Clock) -> None:
        self._db = db
        self._record = record
        self._clock = clock

    async def run(
        self, source: Source, options: Options, refusals: Refusals, told: Told, *, restart: bool
    ) -> Progress:
        """Import a file from where it ended, or from its beginning; return what became of it.

        A file that was imported to its end already is left alone unless `restart`. The standard
        input always begins anew. Raises Conflict `import_running`, BadInput `csv_header`,
        SetupError `file_damaged`.
        """
        import_id = _import_id(source, options)
        if source.identity is None:
            return await self._import(
                source, options, refusals, told, self._fresh(import_id, source)
            )
        async with self._held(import_id):
            async with self._db.transaction(WRITER) as conn:
                found = await imports_store.find(conn, import_id)
            if found is None or restart:
                found = self._fresh(import_id, source)
            elif found.finished_at is not None:
                return found
            return await self._import(source, options, refusals, told, found, keep=True)

    async def check(
        self, source: Source, options: Options, refusals: Refusals, told: Told
    ) -> Progress:
        """Read a whole file as `run` does, yet write nothing down: for a recorder that checks."""
        fresh = self._fresh(_import_id(source, options), source)
        return await self._import(source, options, refusals, told, fresh)

    async def _import(
        self,
        source: Source,
        options: Options,
        refusals: Refusals,
        told: Told,
        progress: Progress,
        *,
        keep: bool = False,
    ) -> Progress:
        refusals.begin(progress.errors_bytes)
        parts = Parser(source.seed, options.source).parts(
            _records(source, options, progress), lambda: source.packed_bytes
        )
        async with _read_ahead(parts) as ahead:
            async for part in ahead:
                progress = await self._commit(part, progress, refusals, keep=keep)
                told(progress, part.packed)
        progress = msgspec.structs.replace(progress, finished_at=self._clock())
        if keep:
            await self._save(progress)
        return progress

    async def _commit(
        self, part: Part, progress: Progress, refusals: Refusals, *, keep: bool
    ) -> Progress:
        statuses = Counter({Status.INVALID: len(part.invalid)})
        bad = list(part.invalid)
        for batch, records in part.batches:
            results = await self._record(batch)
            statuses.update([result.status for result in results])
            bad += _refused(records, results)
        progress = msgspec.structs.replace(
            progress,
            position=part.end,
            line=part.last_line,
            errors_bytes=refusals.add(bad),
            tally=progress.tally.plus(statuses),
        )
        if keep:
            await self._save(progress)
        return progress

    async def _save(self, progress: Progress) -> None:
        async with self._db.transaction(WRITER) as conn:
            await imports_store.save(conn, progress)

    def _fresh(self, import_id: UUID, source: Source) -> Progress:
        name = PurePath(source.name).name
        return Progress(import_id=import_id, file_name=name, began_at=self._clock())

    @asynccontextmanager
    async def _held(self, import_id: UUID) -> AsyncIterator[None]:
        """Let no other process import the same file meanwhile."""
        conn = await self._db.connect()
        try:
            if not await imports_store.try_lock(conn, import_id):
                detail = "This file is being imported by another process; wait for it to end."
                raise Conflict("import_running", detail)
            yield
        finally:
            await conn.close()


def form_of(source: Source, options: Options) -> Form:
    """Return how a text is written: as told, by its name, or by its first character."""
    if options.form is not None:
        return options.form
    name = PurePath(source.name).name.lower().removesuffix(".gz")
    if name.endswith((".csv", ".tsv")):
        return Form.CSV
    if name.endswith((".ndjson", ".jsonl", ".json")):
        return Form.NDJSON
    begins = source.head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    return Form.NDJSON if begins in {b"{", b""} else Form.CSV


def _records(source: Source, options: Options, progress: Progress) -> Iterator[Record]:
    if form_of(source, options) is Form.NDJSON:
        return source.lines(progress.position, progress.line)
    header, _, _ = source.head.partition(b"\n")
    names, delimiter = read_header(header.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r"), options)
    if source.identity is None or progress.position == 0:
        lines = source.lines()
        next(lines, None)
    else:
        lines = source.lines(progress.position, progress.line)
    return read_rows(lines, names, options, delimiter)


def _import_id(source: Source, options: Options) -> UUID:
    """Return what the import of a file is known by: the file, and how it is read."""
    told = msgspec.json.encode((source.identity, options), order="deterministic")
    return UUID(bytes=blake2b(told, digest_size=16).digest())


def _refused(records: Sequence[Record], results: Sequence[EventResult]) -> Iterator[Refused]:
    for record, result in zip(records, results, strict=True):
        if result.status in {Status.ACCEPTED, Status.DUPLICATE}:
            continue
        if result.errors:
            fault = of_line(result.errors[0])
        else:
            code = result.detail or ""
            fault = FieldError(_REASONS[code][0], code, _REASONS[code][1])
        yield refused(record, result.status, fault)


@asynccontextmanager
async def _read_ahead(parts: Iterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Read in a thread, a little ahead of whoever takes it; its errors are raised where it is used.

    A daemon thread: one that waits for a terminal's input must not keep the process from ending.
    """
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[T | BaseException | None] = asyncio.Queue()
    room = threading.Semaphore(AHEAD_MAX)
    is_over = threading.Event()

    def tell(item: T | BaseException | None) -> None:
        if not is_over.is_set():
            loop.call_soon_threadsafe(waiting.put_nowait, item)

    def read() -> None:
        try:
            for part in parts:
                room.acquire()
                if is_over.is_set():
                    return
                tell(part)
            tell(None)
        except Exception as error:  # noqa: BLE001 - it is raised again in the task that waits
            tell(error)

    async def taken() -> AsyncIterator[T]:
        while (item := await waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            room.release()
            yield item

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield taken()
    finally:
        is_over.set()
        room.release()
