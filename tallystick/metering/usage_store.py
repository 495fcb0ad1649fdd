"""The port behind which usage is kept: PostgreSQL by default, ClickHouse where one is set.

Whoever has a connection gets the right store by it, so that no caller can read one and write the
other. What is not usage itself (accounts, meters, what is parked, conflicts, voids) stays in
PostgreSQL either way, and is reached over the connection that the calls are given.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol, cast
from uuid import UUID

import msgspec

from tallystick.catalog.model import Meter
from tallystick.kernel.db import Connection, Database, beside_of
from tallystick.kernel.errors import Conflict
from tallystick.metering.model import Status
from tallystick.metering.prepare import Row
from tallystick.metering.quantities import State

Dimensions = dict[str, str | None]
Span = tuple[datetime, datetime]

GROUP_ROWS_MAX: Final = 20_000
GROUPS_OF_MANY_SPANS_MAX: Final = 1_000


class SpanState(msgspec.Struct, frozen=True):
    """What a span's events of a group come to; spans are counted from 1."""

    position: int
    dimensions: Dimensions
    state: State


class SpanValue(msgspec.Struct, frozen=True):
    """A value that was seen in a span, and whether the last event of it there added it."""

    position: int
    dimensions: Dimensions
    value: str
    is_there: bool


def group_rows_max(spans: Sequence[Span]) -> int:
    """Return how many rows a read by groups may have: 20,000, or 1,000 a span where that is more.

    A store answers one row more and no others where there are more, so that a property with a
    million values does not come into memory.
    """
    return max(GROUP_ROWS_MAX, GROUPS_OF_MANY_SPANS_MAX * len(spans))


class UsageStore(Protocol):
    """Events, each once, and what those of spans of time come to; spans are half-open, in UTC.

    Every call counts what was answered before it, leaves out voided events, and is exact. Raises
    Unavailable when the store is away.
    """

    async def write(
        self, conn: Connection, rows: Sequence[Row], stated: Sequence[datetime | None]
    ) -> list[Status]:
        """Write the first row of each key that is new, and compare the others with what is stored.

        `stated` is the instant that each event gave itself; without one it is the same whenever
        it arrived. Answers accepted, duplicate or conflict by position. Inside a transaction.
        """

    async def same_as_stored(
        self, conn: Connection, rows: Sequence[Row], stated: Sequence[datetime | None]
    ) -> list[bool | None]:
        """Tell of each row whether the event of its key says the same; None: none is known."""

    async def first_use(self, conn: Connection, account_id: UUID, meter: Meter) -> datetime | None:
        """Return the hour of the account's first event of a meter's type, None without any."""

    async def period_states(
        self, conn: Connection, account_id: UUID, meters: Sequence[Meter], span: Span
    ) -> dict[UUID, State]:
        """Return by meter what a period's events come to, for recurring ones with all before it.

        Meters without events may be absent.
        """

    async def states(
        self,
        conn: Connection,
        account_id: UUID,
        meter: Meter,
        spans: Sequence[Span],
        group_by: Sequence[str],
    ) -> tuple[SpanState, ...]:
        """Return what each span's events come to, by group, in order; absent without any.

        Spans are in order, without gaps, and do not overlap. By groups, one row more than
        `group_rows_max` at most; likewise `uniques`.
        """

    async def uniques(
        self,
        conn: Connection,
        account_id: UUID,
        meter: Meter,
        spans: Sequence[Span],
        group_by: Sequence[str],
    ) -> tuple[SpanState, ...]:
        """Return how many values of each span are there at its end, by group, as its total."""

    async def values(
        self,
        conn: Connection,
        account_id: UUID,
        meter: Meter,
        spans: Sequence[Span],
        group_by: Sequence[str],
    ) -> tuple[SpanValue, ...]:
        """Return every value seen in each span, in the order of spans."""

    async def percentiles(
        self,
        conn: Connection,
        account_id: UUID,
        meter: Meter,
        span: Span,
        shares: Sequence[Decimal],
    ) -> list[Decimal | None]:
        """Return the values at these shares (0 to 1) by nearest rank; None where there are none."""


def usage_beside(opened: Connection | Database) -> UsageStore | None:
    """Return the store beside PostgreSQL in which usage is kept, None where PostgreSQL keeps it."""
    return cast("UsageStore | None", beside_of(opened))


def need_postgres(opened: Connection | Database, what: str) -> None:
    """Raise Conflict `needs_usage_in_postgresql` for what only PostgreSQL's own store can do."""
    if usage_beside(opened) is not None:
        raise Conflict(
            "needs_usage_in_postgresql",
            f"{what} needs usage in PostgreSQL, and here it is kept in ClickHouse.",
        )
