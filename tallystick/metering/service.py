"""Meters and totals. A total is exact at every read: what is folded plus what is not yet."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from tallystick.catalog import service as catalog
from tallystick.catalog.model import Meter, NewMeter
from tallystick.kernel.db import Connection
from tallystick.metering import totals_store
from tallystick.metering.hours import whole_hours
from tallystick.metering.model import Difference, HourlyTotal
from tallystick.money.exact import canonical


async def create_meter(conn: Connection, new: NewMeter, now: datetime) -> Meter:
    """Make a meter that also counts the events which are there already; the writer's scope.

    Waits for a fold that is running, and no fold runs before the transaction ends. Raises BadInput
    naming every bad field, Conflict `meter_code_taken`.
    """
    upto = await totals_store.lock_mark(conn)
    meter = await catalog.create_meter(conn, new, now)
    await totals_store.backfill(conn, meter.meter_id, upto)
    return meter


async def period_totals(
    conn: Connection, account_id: UUID, meters: Sequence[Meter], start: datetime, end: datetime
) -> dict[str, Decimal]:
    """Return by meter code what the account used in [start, end), exactly; zero where nothing."""
    span = (start.astimezone(UTC), end.astimezone(UTC))
    meter_ids = [meter.meter_id for meter in meters]
    found = await totals_store.period_totals(conn, account_id, meter_ids, span, whole_hours(*span))
    return {meter.code: canonical(found.get(meter.meter_id, Decimal(0))) for meter in meters}


async def hourly_totals(
    conn: Connection, account_id: UUID, meter: Meter, start: datetime, end: datetime
) -> tuple[HourlyTotal, ...]:
    """Return the same of one meter by hours of UTC, in order; hours without events are absent."""
    span = (start.astimezone(UTC), end.astimezone(UTC))
    return await totals_store.hourly_totals(
        conn, account_id, meter.meter_id, span, whole_hours(*span)
    )


async def differences(conn: Connection) -> tuple[Difference, ...]:
    """Return every total that is not the sum of its events; empty means all is well.

    Reads all events: for checks, not for pages.
    """
    return await totals_store.differences(conn)
