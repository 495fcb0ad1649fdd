"""The sweep: our totals of each account's running period in Lago, against Lago's."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import structlog

from tallystick.accounts import service as accounts
from tallystick.catalog import service as catalog
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.due import WallKind
from tallystick.kernel.errors import Conflict
from tallystick.lago_sync import compare_store, service
from tallystick.lago_sync.answers import CurrentUsage, Later, NoUsage
from tallystick.lago_sync.client import LagoApi
from tallystick.lago_sync.compare import Line, comparable, lines
from tallystick.lago_sync.outgoing import external_id
from tallystick.metering import service as metering
from tallystick.metering import walk
from tallystick.metering.walk_model import Position

log = structlog.get_logger()

BATCH_MAX: Final = 10
LEASE: Final = timedelta(minutes=5)
"""Longer than the calls for a batch take."""
EVERY: Final = timedelta(hours=24)
BUSY_AGAIN: Final = timedelta(minutes=1)
FAILED_AGAIN: Final = timedelta(minutes=10)


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """An account's comparison.

    `problem`: why there is none, as Lago says it. `is_busy`: events were on their way, so that
    a difference says nothing.
    """

    account_id: UUID
    name: str
    start: datetime | None = None
    end: datetime | None = None
    lines: tuple[Line, ...] = ()
    problem: str | None = None
    is_down: bool = False
    is_busy: bool = False

    @property
    def differing(self) -> tuple[Line, ...]:
        """The lines that differ, of which it is certain."""
        return () if self.is_busy else tuple(line for line in self.lines if not line.is_equal)

    @property
    def is_clean(self) -> bool:
        """Whether it was compared, or could not be yet, and nothing differs."""
        return self.problem is None and not self.differing


class _Before(msgspec.Struct, frozen=True):
    name: str
    is_behind: bool
    newest: Position | None


class Sweep:
    """Compares accounts with Lago when they are due, and when asked."""

    def __init__(self, db: Database, api: LagoApi, clock: Clock) -> None:
        self._db = db
        self._api = api
        self._clock = clock

    def kind(self) -> WallKind:
        """Return the sweep as work for the worker."""
        return WallKind("lago_compare", self.run_due)

    async def run_due(self, now: datetime) -> int:
        """Compare one batch of due accounts; return how many those were."""
        async with self._db.own_transaction(WRITER) as conn:
            due = await compare_store.lease_due(conn, now, LEASE, BATCH_MAX)
        for account_id in due:
            compared = await self.compare(account_id)
            if compared.is_down:
                break  # the lease brings the others back
        return len(due)

    async def compare(self, account_id: UUID) -> Compared:
        """Compare one account's running period, keep what was found and return it."""
        async with self._db.own_transaction(WRITER) as conn:
            before = await _look(conn, account_id)
        answer = await self._api.current_usage(before.name, before.name)
        at = self._clock()
        async with self._db.own_transaction(WRITER) as conn:
            match answer:
                case CurrentUsage():
                    compared = await _compared_if_kept(conn, account_id, before, answer)
                case NoUsage(reason):
                    compared = Compared(account_id=account_id, name=before.name, problem=reason)
                case Later(reason):
                    compared = Compared(
                        account_id=account_id, name=before.name, problem=reason, is_down=True
                    )
            await _keep(conn, compared, at)
        return compared

    async def accounts_after(self, account_id: UUID) -> list[UUID]:
        """Return the next accounts whose usage went to Lago, in the order of their ids."""
        async with self._db.own_transaction(WRITER) as conn:
            return await compare_store.accounts_after(conn, account_id, BATCH_MAX)


async def _look(conn: Connection, account_id: UUID) -> _Before:
    account = await accounts.get_account(conn, account_id)
    return _Before(
        name=external_id(account_id, account),
        is_behind=await service.is_behind(conn, account_id),
        newest=await walk.newest(conn, account_id),
    )


async def _compared_if_kept(
    conn: Connection, account_id: UUID, before: _Before, theirs: CurrentUsage
) -> Compared:
    """Compare, unless Lago's period cuts an hour whose events are archived."""
    try:
        return await _compared(conn, account_id, before, theirs)
    except Conflict as error:
        return Compared(account_id=account_id, name=before.name, problem=f"{error.code}: {error}")


async def _compared(
    conn: Connection, account_id: UUID, before: _Before, theirs: CurrentUsage
) -> Compared:
    meters = comparable(await catalog.list_meters(conn))
    ours = await metering.period_totals(conn, account_id, meters, theirs.start, theirs.end)
    # What came in while Lago was asked is in our total and maybe not in theirs.
    after = await _look(conn, account_id)
    is_busy = before.is_behind or after != before
    return Compared(
        account_id=account_id,
        name=before.name,
        start=theirs.start,
        end=theirs.end,
        lines=lines(meters, ours, theirs.units),
        is_busy=is_busy,
    )


async def _keep(conn: Connection, compared: Compared, at: datetime) -> None:
    """Write down what a comparison found; a busy account's differences wait for the next one."""
    unsettled = compared.is_busy and not all(line.is_equal for line in compared.lines)
    wait = FAILED_AGAIN if compared.is_down else BUSY_AGAIN if unsettled else EVERY
    await compare_store.note_compared(
        conn,
        compared.account_id,
        at,
        next_at=at + wait,
        problem=compared.problem,
        is_done=compared.problem is None and not unsettled,
    )
    if compared.start is None or compared.end is None or unsettled:
        return
    span = (compared.start, compared.end)
    for line in compared.differing:
        if await compare_store.save(conn, compared.account_id, line, span, at):
            log.warning(
                "lago_usage_differs",
                account_id=compared.account_id,
                meter=line.meter.code,
                ours=line.ours,
                theirs=line.theirs,
            )
    still = [line.meter.meter_id for line in compared.differing]
    await compare_store.note_gone(conn, compared.account_id, compared.start, still, at)
