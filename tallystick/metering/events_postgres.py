"""Usage kept in PostgreSQL: the default behind the port, with roll-ups beside the events."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from tallystick.catalog.model import Meter
from tallystick.kernel.db import Connection
from tallystick.metering import events_store, first_use_store, spans_store, totals_store
from tallystick.metering.hours import floor_hour, floor_month, whole_hours
from tallystick.metering.model import Status
from tallystick.metering.prepare import Row
from tallystick.metering.quantities import State
from tallystick.metering.usage_store import Span, SpanState, SpanValue, UsageStore, usage_beside

EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""No event is older."""


class PostgresUsage:
    """Events with roll-ups beside them.

    Sums and the like of a period are one statement for all meters, recurring ones another, and
    each unique count one more; each total rests on one snapshot. Rows that are all new need not
    come here: `write.copy_new`.
    """

    async def write(
        self, conn: Connection, rows: Sequence[Row], stated: Sequence[datetime | None]
    ) -> list[Status]:
        """Write what is new, and compare the others."""
        firsts = {row[:2]: at for at, row in reversed(list(enumerate(rows)))}
        written = await events_store.insert_new_events(conn, [rows[at] for at in firsts.values()])
        statuses = [Status.CONFLICT] * len(rows)
        for key in written:
            statuses[firsts[key]] = Status.ACCEPTED
        others = [at for at, status in enumerate(statuses) if status is not Status.ACCEPTED]
        same = await self.same_as_stored(
            conn, [rows[at] for at in others], [stated[at] for at in others]
        )
        for at, is_same in zip(others, same, strict=True):
            if is_same:
                statuses[at] = Status.DUPLICATE
        return statuses

    async def same_as_stored(
        self, conn: Connection, rows: Sequence[Row], stated: Sequence[datetime | None]
    ) -> list[bool | None]:
        """Compare with events and with what is remembered of archived ones."""
        return await events_store.same_as_stored(conn, rows, stated)

    async def first_use(self, conn: Connection, account_id: UUID, meter: Meter) -> datetime | None:
        """Read the first hour of the roll-up, and what is not folded yet."""
        return await first_use_store.first_use(conn, account_id, meter.meter_id, meter.event_type)

    async def period_states(
        self, conn: Connection, account_id: UUID, meters: Sequence[Meter], span: Span
    ) -> dict[UUID, State]:
        """Read roll-ups of whole hours, what is not folded yet, and the period's edges."""
        states: dict[UUID, State] = {}
        plain, carried, unique = _by_kind(meters)
        hours = whole_hours(*span)
        if plain:
            ids = [meter.meter_id for meter in plain]
            states |= await totals_store.period_states(conn, account_id, ids, span, hours)
        if carried:
            ids = [meter.meter_id for meter in carried]
            carry = (floor_month(span[0]), floor_hour(span[0]))
            states |= await totals_store.carried_states(
                conn, account_id, ids, span=span, hours=hours, carry=carry
            )
        for meter in unique:
            start = min(EVER, span[0]) if meter.recurring else span[0]
            one = await self.uniques(conn, account_id, meter, [(start, span[1])], ())
            if one:
                states[meter.meter_id] = one[0].state
        return states

    async def states(
        self,
        conn: Connection,
        account_id: UUID,
        meter: Meter,
        spans: Sequence[Span],
        group_by: Sequence[str],
    ) -> tuple[SpanState, ...]:
        """Read them in one statement."""
        return await spans_store.states(conn, account_id, meter.meter_id, spans, group_by)

    async def uniques(
        self,
        conn: Connection,
        account_id: UUID,
        meter: Meter,
        spans: Sequence[Span],
        group_by: Sequence[str],
    ) -> tuple[SpanState, ...]:
        """Count them in one statement."""
        return await spans_store.uniques(conn, account_id, meter.meter_id, spans, group_by)

    async def values(
        self,
        conn: Connection,
        account_id: UUID,
        meter: Meter,
        spans: Sequence[Span],
        group_by: Sequence[str],
    ) -> tuple[SpanValue, ...]:
        """Read them in one statement."""
        return await spans_store.values(conn, account_id, meter.meter_id, spans, group_by)

    async def percentiles(
        self,
        conn: Connection,
        account_id: UUID,
        meter: Meter,
        span: Span,
        shares: Sequence[Decimal],
    ) -> list[Decimal | None]:
        """Read all events of the span."""
        return await spans_store.percentiles(conn, account_id, meter.meter_id, span, shares)


POSTGRES: Final = PostgresUsage()


def usage_of(conn: Connection) -> UsageStore:
    """Return where the usage of this connection's installation is kept."""
    return usage_beside(conn) or POSTGRES


def _by_kind(meters: Sequence[Meter]) -> tuple[list[Meter], list[Meter], list[Meter]]:
    """Return the plain, the recurring, and those that count unique values."""
    unique = [meter for meter in meters if meter.aggregation == "unique_count"]
    others = [meter for meter in meters if meter.aggregation != "unique_count"]
    return (
        [meter for meter in others if not meter.recurring],
        [meter for meter in others if meter.recurring],
        unique,
    )
