"""Roll-ups made anew of events, and held against them: after corrections, and to prove them right.

Reads stay exact meanwhile: what is made anew is one transaction under the mark's lock.
"""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.metering import recount_store, totals_store
from tallystick.metering.hours import floor_month, months_of, next_month, stretches
from tallystick.metering.model import Difference

_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
Advance = Callable[[int], None]
"""Told how many more account-months were worked through."""


class AccountMonth(msgspec.Struct, frozen=True):
    """One account in the half-open month [start, end) of UTC."""

    account_id: UUID
    start: datetime
    end: datetime


async def recount(
    conn: Connection, account_id: UUID, event_types: Collection[str], hours: Collection[datetime]
) -> None:
    """Make an account's roll-ups of these hours (UTC) anew from its events, those voided left out.

    For whoever voids events that are folded already: a maximum or a set can not be subtracted
    from. Hours whose events were archived stay as they are. The writer's scope; no fold runs
    before the transaction ends.
    """
    upto = await totals_store.lock_mark(conn)
    meter_ids = await recount_store.meters_of_types(conn, sorted(event_types))
    since = await recount_store.archived_before(conn) or _EVER
    for start, end in stretches(hour for hour in hours if hour >= since):
        await recount_store.recount_span(conn, account_id, meter_ids, (start, end), upto)
    for month in sorted({floor_month(hour) for hour in hours if hour >= since}):
        span = (month, next_month(month))
        await recount_store.merge_months(conn, account_id, meter_ids, span)


async def account_months(conn: Connection) -> tuple[AccountMonth, ...]:
    """Return every month of every account of which there are events or totals to compare."""
    since = await recount_store.archived_before(conn) or _EVER
    return tuple(
        AccountMonth(extent.account_id, *month)
        for extent in await recount_store.extents(conn)
        for month in months_of(max(extent.first, since), extent.last)
    )


async def differences(
    conn: Connection, months: Sequence[AccountMonth], advance: Advance
) -> AsyncIterator[Difference]:
    """Yield each roll-up of these months that is not what its events come to."""
    meter_ids = await recount_store.all_meters(conn)
    for month in months:
        span = (month.start, month.end)
        for found in await recount_store.differences(conn, month.account_id, meter_ids, span):
            yield found
        advance(1)


async def rebuild(db: Database, months: Sequence[AccountMonth], advance: Advance) -> int:
    """Make the roll-ups of these months anew, each in a transaction; return how many months.

    The fold waits for one month at a time, and reads for none: each sees the old or the new.
    """
    for month in months:
        async with db.transaction(WRITER) as conn:
            await _rebuild_month(conn, month)
        advance(1)
    return len(months)


async def _rebuild_month(conn: Connection, month: AccountMonth) -> None:
    upto = await totals_store.lock_mark(conn)
    # Asked under the lock: an archive may have begun since the months were listed.
    if month.start < (await recount_store.archived_before(conn) or _EVER):
        return
    meter_ids = await recount_store.all_meters(conn)
    span = (month.start, month.end)
    await recount_store.recount_span(conn, month.account_id, meter_ids, span, upto)
    await recount_store.merge_months(conn, month.account_id, meter_ids, span)
