"""What many accounts used, each in a period of its own: a few statements however many there are."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from tallystick.catalog.model import Meter
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.metering import many_periods_store as store
from tallystick.metering import service
from tallystick.metering.events_postgres import EVER
from tallystick.metering.hours import floor_hour
from tallystick.metering.model import AccountPeriod
from tallystick.metering.quantities import NOTHING, State, quantity, rounded
from tallystick.metering.usage_store import usage_beside

Totals = dict[str, Decimal]

_ARCHIVED: Final = "usage_archived"


async def totals_of_many(
    conn: Connection, asked: Sequence[AccountPeriod], meters: Sequence[Meter]
) -> list[Totals | None]:
    """Return for each account and period, in order, what `service.period_totals` returns.

    None where it would raise Conflict `usage_archived`. Under the writer's or the staff's scope.
    Sums and the like are one statement, recurring meters another, each unique count one more;
    where usage is kept in ClickHouse, each account and period is asked for by itself.
    """
    if usage_beside(conn) is not None:
        return [await _one(conn, one, meters) for one in asked]
    utc = [_in_utc(one) for one in asked]
    states = await _states(conn, utc, meters)
    gone = await _archived(conn, utc, meters)
    return [None if at in gone else _totals(one, meters, states, at) for at, one in enumerate(utc)]


async def _one(conn: Connection, asked: AccountPeriod, meters: Sequence[Meter]) -> Totals | None:
    try:
        return await service.period_totals(conn, asked.account_id, meters, asked.start, asked.end)
    except Conflict as error:
        if error.code != _ARCHIVED:
            raise
        return None


async def _states(
    conn: Connection, asked: Sequence[AccountPeriod], meters: Sequence[Meter]
) -> dict[tuple[int, UUID], State]:
    found: dict[tuple[int, UUID], State] = {}
    others = [meter for meter in meters if meter.aggregation != "unique_count"]
    plain = [meter.meter_id for meter in others if not meter.recurring]
    recurring = [meter.meter_id for meter in others if meter.recurring]
    if plain:
        found |= await store.states(conn, asked, plain)
    if recurring:
        found |= await store.carried(conn, asked, recurring)
    for meter in meters:
        if meter.aggregation == "unique_count":
            since = [_since_ever(one) for one in asked] if meter.recurring else asked
            counts = await store.uniques(conn, since, meter.meter_id)
            found |= {(at, meter.meter_id): state for at, state in counts.items()}
    return found


async def _archived(
    conn: Connection, asked: Sequence[AccountPeriod], meters: Sequence[Meter]
) -> set[int]:
    """Return which periods can not be read: asked after they were, as for one account."""
    edges = [
        (one.account_id, floor_hour(edge), at)
        for at, one in enumerate(asked)
        for edge in (one.start, one.end)
        if floor_hour(edge) != edge
    ]
    return await store.archived(conn, edges, sorted({meter.event_type for meter in meters}))


def _totals(
    asked: AccountPeriod,
    meters: Sequence[Meter],
    states: dict[tuple[int, UUID], State],
    at: int,
) -> Totals:
    return {
        meter.code: rounded(
            meter.rounding,
            quantity(meter, states.get((at, meter.meter_id), NOTHING), asked.start, asked.end),
        )
        for meter in meters
    }


def _in_utc(asked: AccountPeriod) -> AccountPeriod:
    end: datetime = asked.end.astimezone(UTC)
    return replace(asked, start=min(asked.start.astimezone(UTC), end), end=end)


def _since_ever(asked: AccountPeriod) -> AccountPeriod:
    return replace(asked, start=min(EVER, asked.start))
