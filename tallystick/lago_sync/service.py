"""Usage to Lago: reading events out, what staff see of it, and taking events back."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.catalog import service as catalog
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import NotFound
from tallystick.kernel.ids import show
from tallystick.kernel.paging import Page, PageRequest
from tallystick.lago_sync import compare_store, store
from tallystick.lago_sync.marks import next_stretch, with_new
from tallystick.lago_sync.model import (
    UNREAD_COUNT_MAX,
    Comparison,
    Difference,
    Refused,
    SyncState,
)
from tallystick.lago_sync.outgoing import VOID, compensation, outgoing, transaction_id
from tallystick.metering import walk
from tallystick.metering.walk_model import Position

log = structlog.get_logger()

READ_MAX: Final = 1000
"""Events read at a time: as many as ten requests carry."""
COMPARE_FIRST: Final = timedelta(minutes=10)
PROBLEMS_MAX: Final = 100


async def read_events(conn: Connection, now: datetime) -> bool:
    """Write out the next stored events for Lago and move the marks, in one transaction.

    Under the writer's scope, with the row of `lago_sync` locked. Tells whether more is there.
    """
    meters = await catalog.list_meters(conn)
    wanted = frozenset(meter.meter_id for meter in meters)
    marks = with_new(await store.marks(conn), wanted)
    stretch = next_stretch(marks)
    if stretch is None:
        return False
    if await walk.is_of_another_server(conn, max(marks.values())):
        log.warning("lago_marks_set_back")
        await store.save_marks(conn, wanted, walk.START)
        return True
    walked = await walk.events_after(conn, stretch.after, stretch.upto, READ_MAX)
    counting = [meter for meter in meters if meter.meter_id in stretch.meter_ids]
    named = await _accounts(conn, {event.account_id for event in walked.events})
    rows = tuple(outgoing(walked.events, counting, named))
    await store.write(conn, rows)
    await compare_store.compare_later(conn, [row.account_id for row in rows], now + COMPARE_FIRST)
    await store.save_marks(conn, stretch.meter_ids, walked.end)
    return walked.more or stretch.upto is not None


async def compensate(
    conn: Connection, account_id: UUID, keys: Sequence[UUID], now: datetime
) -> None:
    """Take events out of Lago's totals again, as far as Lago can.

    For corrections, in the transaction that voids the events, after it did; under the writer's
    scope. What was not read out yet is never sent. Of what was, an additive meter gets an event
    with the opposite value; for others a refused one says that a person has to act. The same event
    is taken out once, however often this is called; without a Lago server nothing is done.
    """
    await store.lock_sync(conn)
    marks = await store.marks(conn)
    named = await _accounts(conn, {account_id})
    for event in await walk.events_by_keys(conn, account_id, keys):
        for meter in await catalog.meters_of_events(conn, [event.event_type], []):
            if marks.get(meter.meter_id, walk.START) < event.position:
                continue
            try:
                row = compensation(event, meter, named.get(account_id))
            except ValueError as error:
                name = transaction_id(event, meter) + VOID
                await store.set_aside(conn, Refused(account_id, name, "", str(error), now))
            else:
                await store.write(conn, [row] if row else [])


async def read_upto(conn: Connection) -> int | None:
    """Return before which transaction every event was read for Lago; None without meters.

    What lies behind it must stay in the database. A meter that nobody has read for yet holds all
    back, and so do marks of another server, for all is read again there.
    """
    wanted = frozenset(meter.meter_id for meter in await catalog.list_meters(conn))
    marks = with_new(await store.marks(conn), wanted)
    if not marks:
        return None
    if await walk.is_of_another_server(conn, max(marks.values())):
        return walk.START.tx
    hindmost = min(marks.values())
    is_whole = (hindmost.account_id, hindmost.key) == (walk.END.account_id, walk.END.key)
    return hindmost.tx + 1 if is_whole else hindmost.tx


async def is_used(conn: Connection) -> bool:
    """Tell whether events were ever read for Lago; under the writer's scope."""
    return bool(await store.marks(conn))


async def sync_state(conn: Connection) -> SyncState:
    """Return how it goes; under the staff's scope."""
    waiting_count, waiting_since = await store.waiting(conn)
    return SyncState(
        sync=await store.read_sync(conn),
        unread_count=await _unread_count(conn),
        waiting_count=waiting_count,
        waiting_since=waiting_since,
        refused_count=await store.refused_count(conn),
        difference_count=await compare_store.difference_count(conn, with_gone=False),
        problem_count=await compare_store.problem_count(conn),
    )


async def list_refused(conn: Connection, request: PageRequest) -> Page[Refused]:
    """Return what Lago would not take, newest first; under the staff's scope."""
    rows = await store.refused(conn, request.limit, request.offset)
    total = await store.refused_count(conn)
    return Page(items=rows, total=total, request=request, next_cursor=None)


async def list_differences(
    conn: Connection, request: PageRequest, *, with_gone: bool
) -> Page[Difference]:
    """Return where Lago's totals are not ours, newest first; under the staff's scope."""
    found = await compare_store.differences(
        conn, request.limit, request.offset, with_gone=with_gone
    )
    total = await compare_store.difference_count(conn, with_gone=with_gone)
    return Page(items=found, total=total, request=request, next_cursor=None)


async def list_problems(conn: Connection) -> tuple[Comparison, ...]:
    """Return up to a hundred accounts that could not be compared; under the staff's scope."""
    return await compare_store.problems(conn, PROBLEMS_MAX)


async def send_again(conn: Connection, transaction_id: str | None) -> int:
    """Send refused events again, one or (None) all that can be; under the writer's scope.

    Returns how many those are. Raises NotFound `lago_event_not_found` when the one is not there.
    """
    count = await store.send_again(conn, transaction_id)
    if transaction_id is not None and not count:
        raise NotFound(
            "lago_event_not_found", "There is no refused event with this id that can be sent again."
        )
    return count


async def is_behind(conn: Connection, account_id: UUID) -> bool:
    """Tell whether events of the account are still on their way to Lago."""
    if await store.waits_for(conn, account_id):
        return True
    newest = await walk.newest(conn, account_id)
    hindmost = await _hindmost(conn)
    return newest is not None and hindmost is not None and newest > hindmost


async def _hindmost(conn: Connection) -> Position | None:
    return min((await store.marks(conn)).values(), default=None)


async def _unread_count(conn: Connection) -> int:
    hindmost = await _hindmost(conn)
    if hindmost is None:
        return 0
    return await walk.count_after(conn, hindmost, UNREAD_COUNT_MAX)


async def _accounts(conn: Connection, account_ids: set[UUID]) -> dict[UUID, Account]:
    subjects = [show("account", account_id) for account_id in account_ids]
    found = await accounts.find_by_subjects(conn, subjects)
    return {account.account_id: account for account in found.values()}
