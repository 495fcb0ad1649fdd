"""Which meters go to Stripe, how sending goes, and what people decide about events."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

import structlog

from tallystick.catalog import service as catalog
from tallystick.catalog.model import Meter
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import unknown
from tallystick.kernel.paging import Page, PageRequest
from tallystick.metering import walk
from tallystick.metering.model import UsedHour
from tallystick.metering.used_hours import horizon
from tallystick.payments.metered import GatewayMeter
from tallystick.stripe_meters import events_store, looking, store
from tallystick.stripe_meters.model import (
    PAST_MAX,
    Decision,
    EventStatus,
    Formula,
    SendRules,
    StripeMeter,
    SyncState,
    ToldEvent,
    Waiting,
)
from tallystick.stripe_meters.rules import FORMULAS, decided, formula_of
from tallystick.stripe_meters.store import HourRow

log = structlog.get_logger()

REPORTS_SHOWN: Final = timedelta(days=7)


class MeterFinder(Protocol):
    """Whoever knows the meters at Stripe."""

    async def find(self, event_name: str) -> GatewayMeter | None:
        """Return the active meter that counts events of this name. Raises Unavailable."""


class Configuration:
    """Says which of our meters goes to which of Stripe's."""

    def __init__(self, db: Database, finder: MeterFinder, clock: Clock, rules: SendRules) -> None:
        self._db = db
        self._finder = finder
        self._clock = clock
        self._rules = rules

    async def set_meter(
        self, code: str, event_name: str, sends_from: datetime | None
    ) -> StripeMeter:
        """Let a meter's hours go to the meter at Stripe whose events have this name.

        Hours from the one of `sends_from` on (None: the running hour, or what it was) are sent,
        those of the last 35 days that have usage already too. Another name is another meter at
        Stripe: there they are told again. Raises NotFound `meter_not_found`, Conflict
        `stripe_meter_unsuitable`, `stripe_meter_missing`, `stripe_meter_differs`,
        `stripe_meter_taken`, `needs_usage_in_postgresql`, Unavailable.
        """
        now = self._clock()
        async with self._db.transaction(WRITER) as conn:
            meter = await catalog.get_meter(conn, code)
        formula = _need_formula(meter)
        there = await self._finder.find(event_name)
        if there is None:
            raise Conflict(
                "stripe_meter_missing", "Stripe has no active meter whose events have this name."
            )
        if there.formula != formula:
            raise Conflict(
                "stripe_meter_differs",
                f"That meter at Stripe has the formula {there.formula}; this one needs {formula}.",
            )
        start = None if sends_from is None else max(sends_from, now - PAST_MAX)
        async with self._db.transaction(WRITER) as conn:
            return await self._save(conn, meter, there, start, now)

    async def _save(
        self,
        conn: Connection,
        meter: Meter,
        there: GatewayMeter,
        start: datetime | None,
        now: datetime,
    ) -> StripeMeter:
        sync = await store.lock_sync(conn)
        if await store.is_name_taken(conn, there.event_name, meter.meter_id):
            raise Conflict("stripe_meter_taken", "Another meter goes to that one at Stripe.")
        before = await store.find_meter(conn, meter.meter_id)
        saved = StripeMeter(
            meter_id=meter.meter_id,
            event_name=there.event_name,
            reference=there.reference,
            formula=FORMULAS[meter.aggregation],
            customer_key=there.customer_key,
            value_key=there.value_key,
            sends_from=_hour_of(start or (before.sends_from if before else now)),
            created_at=before.created_at if before else now,
        )
        if not await store.meters(conn):
            # Nobody looked since the last meter was taken away: what came is in the hours below.
            await store.move_mark(conn, max(sync.upto, await horizon(conn)))
        await store.save_meter(conn, saved)
        await looking.note_all(conn, meter, saved, now, self._rules)
        return saved


async def remove_meter(conn: Connection, code: str) -> None:
    """Send nothing more of a meter; what Stripe has stays. The writer's scope.

    Raises NotFound `meter_not_found`, `stripe_meter_not_found`.
    """
    meter = await catalog.get_meter(conn, code)
    await store.lock_sync(conn)
    if not await store.drop_meter(conn, meter.meter_id):
        raise unknown("stripe_meter")


async def codes(conn: Connection) -> dict[UUID, str]:
    """Return what all meters are called here."""
    return {meter.meter_id: meter.code for meter in await catalog.list_meters(conn)}


async def list_meters(conn: Connection) -> tuple[tuple[Meter, StripeMeter], ...]:
    """Return which meters go where; the staff's scope."""
    return tuple((await looking.configured(conn)).values())


async def sync_state(conn: Connection, now: datetime) -> SyncState:
    """Return how sending goes; the staff's scope."""
    return SyncState(
        sync=await store.read_sync(conn),
        waiting=await events_store.waiting(conn),
        hours_count=await store.hours_count(conn),
        unnamed_count=await store.unnamed_count(conn, now - REPORTS_SHOWN),
    )


async def backlog(conn: Connection) -> tuple[Waiting, ...]:
    """Return how many events are not done, by status, and since when; the staff's scope."""
    return await events_store.waiting(conn)


async def list_events(
    conn: Connection, request: PageRequest, status: EventStatus | None, account_id: UUID | None
) -> Page[ToldEvent]:
    """Return what Stripe was told or is to be, newest first; the staff's scope."""
    rows = await events_store.list_events(conn, status, account_id, request.limit, request.offset)
    total = await events_store.count_events(conn, status, account_id)
    return Page(items=rows, total=total, request=request, next_cursor=None)


async def decide(
    conn: Connection, event_id: UUID, decision: Decision, reason: str, now: datetime
) -> ToldEvent:
    """Follow a person who looked at an event that Stripe refused or that is held.

    `counted`: Stripe counts it. `not_counted`: it does not; what its hour lacks is told in a new
    event. `settled`: it was dealt with in another way, and stands for its part of the hour. The
    writer's scope. Raises NotFound, Conflict `stripe_meter_event_decided`.
    """
    event = await events_store.lock_event(conn, event_id)
    if event is None:
        raise unknown("stripe_meter_event")
    after = decided(event, decision, now)
    if after is None:
        raise Conflict(
            "stripe_meter_event_decided",
            f"An event that is {event.status} can not be said to be {decision}.",
        )
    await events_store.move(conn, event, after)
    await events_store.decide(conn, event, decision, reason, now)
    # Only where its meter still goes to Stripe is the hour looked at again.
    if await store.find_meter(conn, event.meter_id) is not None:
        hour = HourRow(event.account_id, event.meter_id, event.hour, now)
        await store.note_hours(conn, [hour])
    return after


async def on_customer_linked(conn: Connection, account_id: UUID, now: datetime) -> None:
    """Send what waited for the account's customer at Stripe; the writer's scope."""
    await events_store.unpark(conn, account_id, now)


async def hours_changed(
    conn: Connection, account_id: UUID, keys: Sequence[UUID], now: datetime
) -> None:
    """Look at the hours of these events again.

    For corrections, in the transaction that voids them; the writer's scope.
    """
    meters = await looking.configured(conn)
    if not meters:
        return
    events = await walk.events_by_keys(conn, account_id, keys)
    hours = {UsedHour(account_id, event.event_type, _hour_of(event.at)) for event in events}
    await looking.note_hours(conn, meters, hours, now, SendRules())


def _need_formula(meter: Meter) -> Formula:
    formula = formula_of(meter)
    if formula is None:
        how = f"recurring {meter.aggregation}" if meter.recurring else meter.aggregation
        raise Conflict(
            "stripe_meter_unsuitable",
            f"Hours of a {how} meter can not be added up; only those of {', '.join(FORMULAS)} can.",
        )
    return formula


def _hour_of(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
