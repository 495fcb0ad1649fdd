"""Usage kept in ClickHouse: events there, each once; all else stays in PostgreSQL.

ClickHouse has no unique keys. What keeps an event one is a lock in PostgreSQL, held from the
look-up to the answered insert, and a fence for inserts that arrive after their writer was given up:
docs/decisions/0008-usage-in-clickhouse.md.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final
from uuid import UUID

from tallystick.catalog.model import Meter
from tallystick.kernel.db import Connection
from tallystick.metering import clickhouse_computed as computed
from tallystick.metering import clickhouse_rows as made
from tallystick.metering.clickhouse_client import ClickHouse
from tallystick.metering.events_postgres import EVER
from tallystick.metering.hours import floor_hour
from tallystick.metering.model import Status
from tallystick.metering.prepare import Row
from tallystick.metering.quantities import NOTHING, State, followed
from tallystick.metering.usage_sql import fill
from tallystick.metering.usage_store import Dimensions, Span, SpanState, SpanValue, group_rows_max

LOCKS: Final = 256
"""Accounts share so many locks: a batch of many accounts must not fill the lock table."""
LOOK_UP_MAX: Final = 5_000
"""Keys in one look-up."""
_LOCK_SPACE: Final = 0x75736167  # "usag": the first half of all our advisory locks
LOCK: Final = "SELECT pg_advisory_xact_lock($1, bucket) FROM unnest($2::integer[]) AS bucket"
FENCE: Final = "SELECT pg_current_xact_id()"
VOIDED: Final = "SELECT key FROM usage_voids WHERE account_id = $1"

FIND: Final = """
SELECT account_id, key, at, content FROM usage_events FINAL
WHERE account_id IN ({accounts}) AND key IN ({keys})
"""
FIRST_USE: Final = """
SELECT count(), min(at) FROM usage_events FINAL
WHERE account_id = {account:UUID} AND event_type = {event_type:String}
"""
# FINAL: of several rows of one key only that with the greatest fence, merged or not.
_FROM: Final = """
FROM usage_events FINAL
WHERE account_id = {account:UUID} AND at >= {since:Int64} AND at < {until:Int64} AND {counted}
    {not_voided}
"""
_START: Final = "roundDown(at, CAST([{starts}], 'Array(Int64)'))"
STATES: Final = """
SELECT start, dimensions, count() AS event_count, sum(toInt256(value)) AS total,
    min(value) AS low, max(value) AS high, {last} AS last, {moment} AS moment
FROM (SELECT {start} AS start, {group} AS dimensions, {value} AS value, at, key {from})
GROUP BY start, dimensions ORDER BY start, dimensions
"""
_LAST: Final = "argMax(value, (at, toString(key)))"  # ClickHouse orders UUIDs by their second half
_MOMENT: Final = "sum(toInt256(value) * toInt256(at - start))"
VALUES: Final = """
SELECT start, dimensions, value, argMax(is_there, (at, toString(key))) AS there
FROM (SELECT {start} AS start, {group} AS dimensions, {value} AS value, {is_there} AS is_there,
          at, key {from})
GROUP BY start, dimensions, value ORDER BY start
"""
UNIQUES: Final = """
SELECT start, dimensions, countIf(there) AS event_count FROM ({values})
GROUP BY start, dimensions HAVING event_count > 0 ORDER BY start, dimensions
"""
PERCENTILES: Final = """
SELECT length(found) AS size, arrayMap((p, q) -> found[
    toInt64(greatest(toInt256(1), intDiv(toInt256(size) * p + q - 1, q)))],
    CAST([{numerators}], 'Array(Int256)'), CAST([{denominators}], 'Array(Int256)'))
FROM (SELECT arraySort(groupArray({value})) AS found {from})
"""
COMPUTED: Final = "SELECT {start} AS start, {group} AS dimensions, at, toString(key), {read} {from}"


class ClickHouseUsage:
    """Events in ClickHouse; a total is made of its events at every read."""

    def __init__(self, server: ClickHouse) -> None:
        self.server = server

    async def write(
        self, conn: Connection, rows: Sequence[Row], stated: Sequence[datetime | None]
    ) -> list[Status]:
        """Lock the accounts, look the keys up, and write what is new in one block.

        The locks are held to the end of the transaction; whoever can not commit it must not
        answer, for it may have lost them.
        """
        if not rows:
            return []
        buckets = sorted({row[0].int % LOCKS for row in rows})
        await conn.execute(LOCK, _LOCK_SPACE, buckets)
        fence = int(await conn.fetchval(FENCE))
        known = await self._find(rows)
        new: list[tuple[Any, ...]] = []
        statuses = []
        for row, at in zip(rows, stated, strict=True):
            content = made.content_of(row)
            first = known.get(row[:2])
            if first is None:
                known[row[:2]] = (made.micros(row[2]), content)
                new.append(made.to_stored(row, fence, content))
                statuses.append(Status.ACCEPTED)
            else:
                same = _is_same(first, at, content)
                statuses.append(Status.DUPLICATE if same else Status.CONFLICT)
        if new:
            await self.server.insert("usage_events", made.COLUMNS, new)
        return statuses

    async def same_as_stored(
        self, conn: Connection, rows: Sequence[Row], stated: Sequence[datetime | None]
    ) -> list[bool | None]:
        """Look the keys up; nothing is locked."""
        del conn
        known = await self._find(rows)
        told = ((known.get(row[:2]), row, at) for row, at in zip(rows, stated, strict=True))
        return [first and _is_same(first, at, made.content_of(row)) for first, row, at in told]

    async def first_use(self, conn: Connection, account_id: UUID, meter: Meter) -> datetime | None:
        """Look through the account's events."""
        del conn
        told = {"account": str(account_id), "event_type": meter.event_type}
        ((count, at),) = await self.server.fetch(FIRST_USE, told)
        return floor_hour(made.instant(at)) if count else None

    async def period_states(
        self, conn: Connection, account_id: UUID, meters: Sequence[Meter], span: Span
    ) -> dict[UUID, State]:
        """Read one meter after the other: each total rests on a snapshot of its own."""
        found = {}
        for meter in meters:
            found[meter.meter_id] = await self._period_state(conn, account_id, meter, span)
        return found

    async def states(
        self,
        conn: Connection,
        account_id: UUID,
        meter: Meter,
        spans: Sequence[Span],
        group_by: Sequence[str],
    ) -> tuple[SpanState, ...]:
        """Read them in one query; a meter with an expression is computed here, event by event."""
        if meter.program is not None:
            return await self._computed(conn, account_id, meter, spans, group_by)
        value, more = made.value_sql(meter)
        kind = meter.aggregation
        sql = fill(
            STATES,
            value=value,
            last=_LAST if kind == "latest" else "NULL",
            moment=_MOMENT if kind == "weighted_sum" else "NULL",
        ) + _limit(spans, group_by)
        rows = await self._read(
            conn, account_id, meter, sql, spans=spans, group_by=group_by, more=more
        )
        at = _Positions(spans)
        return tuple(
            SpanState(
                at.of(row[0]), _dimensions(group_by, row[1]), _state(row, spans[at.of(row[0]) - 1])
            )
            for row in rows
        )

    async def uniques(
        self,
        conn: Connection,
        account_id: UUID,
        meter: Meter,
        spans: Sequence[Span],
        group_by: Sequence[str],
    ) -> tuple[SpanState, ...]:
        """Count them in one query."""
        sql = fill(UNIQUES, values=_VALUES) + _limit(spans, group_by)
        rows = await self._read(conn, account_id, meter, sql, spans=spans, group_by=group_by)
        at = _Positions(spans)
        return tuple(
            SpanState(at.of(start), _dimensions(group_by, told), State(total=Decimal(count)))
            for start, told, count in rows
        )

    async def values(
        self,
        conn: Connection,
        account_id: UUID,
        meter: Meter,
        spans: Sequence[Span],
        group_by: Sequence[str],
    ) -> tuple[SpanValue, ...]:
        """Read them in one query."""
        rows = await self._read(conn, account_id, meter, _VALUES, spans=spans, group_by=group_by)
        at = _Positions(spans)
        return tuple(
            SpanValue(at.of(start), _dimensions(group_by, told), value, bool(there))
            for start, told, value, there in rows
        )

    async def percentiles(
        self,
        conn: Connection,
        account_id: UUID,
        meter: Meter,
        span: Span,
        shares: Sequence[Decimal],
    ) -> list[Decimal | None]:
        """Sort all values of the span in one query."""
        ratios = [Fraction(share) for share in shares]
        if meter.program is not None:
            events = await self._events(conn, account_id, meter, [span], ())
            return computed.percentiles([event.value for event in events], ratios)
        value, more = made.value_sql(meter)
        sql = fill(
            PERCENTILES,
            value=value,
            numerators=", ".join(f"'{ratio.numerator}'" for ratio in ratios),
            denominators=", ".join(f"'{ratio.denominator}'" for ratio in ratios),
        )
        ((size, found),) = await self._read(conn, account_id, meter, sql, spans=[span], more=more)
        return [made.unscaled(one) if size else None for one in found]

    async def _period_state(
        self, conn: Connection, account_id: UUID, meter: Meter, span: Span
    ) -> State:
        before = (min(EVER, span[0]), span[0])
        if meter.aggregation == "unique_count":
            whole = (before[0] if meter.recurring else span[0], span[1])
            counted = await self.uniques(conn, account_id, meter, [whole], ())
            return counted[0].state if counted else NOTHING
        spans = [before, span] if meter.recurring else [span]
        found = await self.states(conn, account_id, meter, spans, ())
        parts = {part.position: part.state for part in found}
        own = parts.get(len(spans), NOTHING)
        return followed(parts.get(1, NOTHING), own, *span) if meter.recurring else own

    async def _computed(
        self,
        conn: Connection,
        account_id: UUID,
        meter: Meter,
        spans: Sequence[Span],
        group_by: Sequence[str],
    ) -> tuple[SpanState, ...]:
        events = await self._events(conn, account_id, meter, spans, group_by)
        at = _Positions(spans)
        found = computed.gather((at.of(event.start), event) for event in events)
        return tuple(
            SpanState(
                position,
                _dimensions(group_by, told),
                computed.state(parts, made.micros(spans[position - 1][1])),
            )
            for (position, told), parts in found
        )

    async def _events(
        self,
        conn: Connection,
        account_id: UUID,
        meter: Meter,
        spans: Sequence[Span],
        group_by: Sequence[str],
    ) -> list[computed.Event]:
        read, more = computed.numbers_sql(meter)
        sql = fill(COMPUTED, read=read)
        rows = await self._read(
            conn, account_id, meter, sql, spans=spans, group_by=group_by, more=more
        )
        return list(computed.events(meter, rows))

    async def _read(
        self,
        conn: Connection,
        account_id: UUID,
        meter: Meter,
        sql: str,
        *,
        spans: Sequence[Span],
        group_by: Sequence[str] = (),
        more: Mapping[str, Any] | None = None,
    ) -> Sequence[Sequence[Any]]:
        """Run a query over the events of these spans that a meter counts, voided ones left out."""
        counted, parameters = made.counted_sql(meter)
        group, names = made.group_sql(group_by)
        starts = sorted({made.micros(span[0]) for span in spans})
        voided = [row["key"] for row in await conn.fetch(VOIDED, account_id)]
        whole = fill(
            sql,
            **{"from": _FROM},
            start=_START,
            starts=", ".join(map(str, starts)),
            group=group,
            counted=counted,
            not_voided=f"AND key NOT IN ({made.uuids_sql(voided)})" if voided else "",
        )
        bounds = {
            "account": str(account_id),
            "since": starts[0],
            "until": max(made.micros(span[1]) for span in spans),
        }
        return await self.server.fetch(whole, {**parameters, **names, **(more or {}), **bounds})

    async def _find(self, rows: Sequence[Row]) -> dict[tuple[UUID, UUID], tuple[int, UUID]]:
        """Return instant and content of what is stored under the keys of these rows."""
        found = {}
        wanted = sorted({row[:2] for row in rows})
        for at in range(0, len(wanted), LOOK_UP_MAX):
            part = wanted[at : at + LOOK_UP_MAX]
            sql = fill(
                FIND,
                accounts=made.uuids_sql(sorted({account for account, _ in part})),
                keys=made.uuids_sql([key for _, key in part]),
            )
            for account_id, key, instant, content in await self.server.fetch(sql, {}):
                found[account_id, key] = (instant, content)
        return found


_VALUES: Final = fill(VALUES, value=made.UNIQUE_SQL, is_there=made.IS_THERE_SQL)


class _Positions:
    """Which span an event belongs to, by the greatest of their beginnings before it."""

    def __init__(self, spans: Sequence[Span]) -> None:
        # Of spans that begin at one instant all but the last are empty.
        self._of = {made.micros(span[0]): at for at, span in enumerate(spans, start=1)}

    def of(self, start: int) -> int:
        return self._of[start]


def _is_same(first: tuple[int, UUID], at: datetime | None, content: UUID) -> bool:
    """Tell whether an event says what the stored one says; without an instant, whenever it came."""
    return first[1] == content and (at is None or made.micros(at) == first[0])


def _limit(spans: Sequence[Span], group_by: Sequence[str]) -> str:
    return f"LIMIT {group_rows_max(spans) + 1}" if group_by else ""


def _dimensions(group_by: Sequence[str], told: Sequence[str | None]) -> Dimensions:
    return dict(zip(group_by, told, strict=True))


def _state(row: Sequence[Any], span: Span) -> State:
    """Return a row of merged values; an integral to the span's end follows from the moment."""
    _, _, event_count, total, low, high, last, moment = row
    integral = None
    if moment is not None:
        length = made.micros(span[1]) - made.micros(span[0])
        integral = made.from_scaled(total * length - moment, made.SCALE + 6)
    return State(
        event_count=event_count,
        total=made.unscaled(total),
        low=made.unscaled(low),
        high=made.unscaled(high),
        last=None if last is None else made.unscaled(last),
        integral=integral,
    )
