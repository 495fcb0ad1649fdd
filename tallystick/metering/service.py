"""Meters and totals. A total is exact at every read: what is folded plus what is not yet."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from tallystick.catalog import service as catalog
from tallystick.catalog.model import Meter, NewMeter
from tallystick.kernel.db import Connection
from tallystick.metering import archive_checks, fold_store, news_store, reads, totals_store
from tallystick.metering import recount as recounting
from tallystick.metering.events_postgres import usage_of
from tallystick.metering.model import Difference, HourlyTotal
from tallystick.metering.news_store import News
from tallystick.metering.reads import GroupTotal, WindowTotal
from tallystick.metering.windows import WindowSize, cut

_UTC: Final = ZoneInfo("UTC")


async def create_meter(conn: Connection, new: NewMeter, now: datetime) -> Meter:
    """Make a meter that also counts the events which are there already; the writer's scope.

    Those that are archived are there no more: the meter begins behind them.

    Waits for a fold that is running, and no fold runs before the transaction ends. Raises BadInput
    naming every bad field, Conflict `meter_code_taken`.
    """
    upto = await totals_store.lock_mark(conn)
    meter = await catalog.create_meter(conn, new, now)
    await fold_store.backfill(conn, meter.meter_id, upto)
    return meter


async def period_totals(
    conn: Connection, account_id: UUID, meters: Sequence[Meter], start: datetime, end: datetime
) -> dict[str, Decimal]:
    """Return by meter code what the account used in [start, end), exactly; zero where nothing.

    Rounded as each meter says. A recurring meter also counts what was before `start`. Raises
    Conflict `usage_archived` when an end lies inside an hour of which events are archived.
    """
    span = _span(start, end)
    found = await reads.period_totals(conn, account_id, meters, span)
    types = {meter.event_type for meter in meters}
    await archive_checks.refuse_archived_edges(conn, account_id, types, span)
    return found


async def grouped_totals(
    conn: Connection,
    account_id: UUID,
    meter: Meter,
    start: datetime,
    end: datetime,
    *,
    group_by: Sequence[str],
) -> tuple[GroupTotal, ...]:
    """Return the same of one meter by the values of some of its `group_by` properties.

    Each rounded as the meter says, so that rounded groups need not sum to the total; groups
    without events are absent. Raises BadInput `not_grouped` for other properties, Conflict
    `usage_archived`.
    """
    span = _span(start, end)
    found = await reads.windows(conn, account_id, meter, [span], group_by)
    await archive_checks.refuse_archived_edges(conn, account_id, {meter.event_type}, span)
    return tuple(reads.group_total(meter, window) for window in found)


async def spans(
    conn: Connection,
    account_id: UUID,
    meter: Meter,
    wanted: Sequence[tuple[datetime, datetime]],
    group_by: Sequence[str],
) -> tuple[WindowTotal, ...]:
    """Return one meter in half-open spans that follow each other, and by group, as `windows` does.

    Not rounded. Raises BadInput `not_grouped`, Conflict `usage_archived`.
    """
    found = await reads.windows(conn, account_id, meter, wanted, group_by)
    edges = {edge for span in wanted for edge in span}
    await archive_checks.refuse_archived_edges(conn, account_id, {meter.event_type}, edges)
    return found


async def windows(
    conn: Connection,
    account_id: UUID,
    meter: Meter,
    start: datetime,
    end: datetime,
    *,
    size: WindowSize,
    zone: ZoneInfo,
    group_by: Sequence[str] = (),
) -> tuple[WindowTotal, ...]:
    """Return one meter in [start, end) by minutes, hours, days or months of a zone, and by group.

    Not rounded. Windows without events are absent, but for recurring meters, which hold a value
    from their first event on. Raises BadInput `too_many` windows, `not_grouped`, Conflict
    `usage_archived`.
    """
    return await spans(conn, account_id, meter, cut(start, end, size, zone), group_by)


async def hourly_totals(
    conn: Connection, account_id: UUID, meter: Meter, start: datetime, end: datetime
) -> tuple[HourlyTotal, ...]:
    """Return one meter in [start, end) by hours of UTC, in order; as `windows` does."""
    found = await windows(conn, account_id, meter, start, end, size="HOUR", zone=_UTC)
    return tuple(HourlyTotal(window.start, window.quantity) for window in found)


async def first_use(conn: Connection, account_id: UUID, meter: Meter) -> datetime | None:
    """Return the hour (UTC) of the account's first event of a meter's type, None without any."""
    return await usage_of(conn).first_use(conn, account_id, meter)


async def percentiles(
    conn: Connection,
    account_id: UUID,
    meter: Meter,
    start: datetime,
    end: datetime,
    *,
    shares: Sequence[Decimal],
) -> tuple[Decimal | None, ...]:
    """Return the values of events in [start, end) at these shares (0.95), by nearest rank.

    Exact, and always a value that an event had; None where there are no events. Reads them all.
    Raises BadInput `out_of_range` for a share that is not from 0 to 1, Conflict `usage_archived`
    where events of the period are archived.
    """
    span = _span(start, end)
    found = await reads.percentiles(conn, account_id, meter, span, shares)
    await archive_checks.refuse_archived_span(conn, account_id, {meter.event_type}, *span)
    return found


async def recount(
    conn: Connection, account_id: UUID, event_types: Collection[str], hours: Collection[datetime]
) -> None:
    """Make an account's roll-ups of these hours (UTC) anew from its events; the writer's scope.

    After events that are folded already were voided: a maximum can not be subtracted from.
    """
    await recounting.recount(conn, account_id, event_types, hours)


async def differences(conn: Connection) -> tuple[Difference, ...]:
    """Return every roll-up that is not what its events come to; empty means all is well.

    Reads all events that are kept: for checks, not for pages.
    """
    months = await recounting.account_months(conn)
    return tuple([found async for found in recounting.differences(conn, months, _ignore)])


def _ignore(_: int) -> None:
    pass


def _span(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    stop = end.astimezone(UTC)
    return min(start.astimezone(UTC), stop), stop


async def news(
    conn: Connection,
    account_ids: Collection[UUID],
    event_types: Collection[str],
    seen: str | None,
) -> News:
    """Return which of these accounts have events of these types that were not `seen`.

    `seen` is the snapshot that an earlier answer carries; None: all events are new. An event is
    told by the first call after its commit. Only of usage in PostgreSQL.
    """
    return await news_store.news(conn, account_ids, event_types, seen)
