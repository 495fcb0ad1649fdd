"""From usage to events for Stripe: which hours changed, and what that means for what was told.

Each step is a part of the sender's transaction, with the row of `stripe_meter_sync` locked: no two
workers look at once, and whoever dies leaves nothing half done.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

import structlog
from msgspec.structs import replace

from tallystick.catalog import service as catalog
from tallystick.catalog.model import Meter
from tallystick.kernel.db import Connection
from tallystick.kernel.ids import new_id
from tallystick.metering import service as metering
from tallystick.metering.model import UsedHour
from tallystick.metering.used_hours import all_hours, new_hours
from tallystick.stripe_meters import events_store, store
from tallystick.stripe_meters.model import (
    HOUR,
    PAST_MAX,
    EventStatus,
    Reason,
    SendRules,
    StripeMeter,
    SyncRow,
    ToldEvent,
)
from tallystick.stripe_meters.rules import Plan, event_time, is_too_old, look_after, plan
from tallystick.stripe_meters.store import HourRow

log = structlog.get_logger()

LOOKS_MAX: Final = 100
"""Hours looked at in one transaction; a millisecond or so each."""
BUSY_AGAIN: Final = timedelta(minutes=5)
"""An hour of which something is on its way is looked at again."""

Configured = Mapping[UUID, tuple[Meter, StripeMeter]]


async def configured(conn: Connection) -> Configured:
    """Return the meters that go to Stripe, by id."""
    ours = {meter.meter_id: meter for meter in await catalog.list_meters(conn)}
    return {one.meter_id: (ours[one.meter_id], one) for one in await store.meters(conn)}


async def note_news(
    conn: Connection, meters: Configured, sync: SyncRow, now: datetime, rules: SendRules
) -> None:
    """Note the hours of events that came since the mark, and move the mark behind them.

    A mark of another server says nothing: all hours that Stripe would still take are looked at
    anew there, and those that were told already come to nothing.
    """
    since = min(one.sends_from for _, one in meters.values())
    types = {meter.event_type for meter, _ in meters.values()}
    news = await new_hours(conn, sync.upto, types, since)
    if news.is_lost:
        log.warning("stripe_meters_mark_set_back")
        for meter, one in meters.values():
            await note_all(conn, meter, one, now, rules)
    await note_hours(conn, meters, news.hours, now, rules)
    if news.upto != sync.upto:
        await store.move_mark(conn, news.upto)


async def note_all(
    conn: Connection, meter: Meter, one: StripeMeter, now: datetime, rules: SendRules
) -> None:
    """Note every hour of a meter that it is to be sent and that Stripe would still take."""
    since = max(one.sends_from, now - PAST_MAX)
    hours = await all_hours(conn, meter, since)
    await note_hours(conn, {one.meter_id: (meter, one)}, hours, now, rules)


async def note_hours(
    conn: Connection,
    meters: Configured,
    hours: Iterable[UsedHour],
    now: datetime,
    rules: SendRules,
) -> None:
    """Let hours be looked at for each meter that counts their events."""
    by_type: dict[str, list[StripeMeter]] = {}
    for meter, one in meters.values():
        by_type.setdefault(meter.event_type, []).append(one)
    rows = [
        HourRow(
            used.account_id,
            one.meter_id,
            used.hour,
            look_after(used.hour, now, rules.lag, rules.late_lag),
        )
        for used in hours
        for one in by_type.get(used.event_type, ())
        if used.hour >= one.sends_from
    ]
    await store.note_hours(conn, rows)


async def look(conn: Connection, meters: Configured, now: datetime) -> int:
    """Look at hours that are due, and write out what Stripe is to be told; return how many."""
    due = await store.take_due_hours(conn, now, LOOKS_MAX)
    for hour in due:
        if hour.meter_id in meters:
            await _look_at(conn, hour, *meters[hour.meter_id], now)
    return len(due)


async def _look_at(
    conn: Connection, due: HourRow, meter: Meter, one: StripeMeter, now: datetime
) -> None:
    read = await metering.hourly_totals(conn, due.account_id, meter, due.hour, due.hour + HOUR)
    total = read[0].quantity if read else None
    events = await events_store.lock_hour(conn, due.account_id, due.meter_id, due.hour)
    told = [event for event in events if event.reference == one.reference]
    wanted = plan(one.formula, total, told, now)
    if wanted.waits:
        await store.note_hours(conn, [replace(due, look_after=now + BUSY_AGAIN)])
        return
    await _carry_out(conn, wanted, _next(due, one, events, now), now)


def _next(due: HourRow, one: StripeMeter, events: Sequence[ToldEvent], now: datetime) -> ToldEvent:
    """Return the hour's next event, without its value."""
    revision = events[-1].revision + 1 if events else 1
    return ToldEvent(
        account_id=due.account_id,
        stripe_meter_event_id=new_id(),
        meter_id=due.meter_id,
        reference=one.reference,
        event_name=one.event_name,
        hour=due.hour,
        revision=revision,
        value=Decimal(0),
        at=event_time(due.hour, revision),
        customer=None,
        status=EventStatus.QUEUED,
        reason=None,
        created_at=now,
        try_after=now,
    )


async def _carry_out(conn: Connection, wanted: Plan, event: ToldEvent, now: datetime) -> None:
    for old in wanted.replace:
        await events_store.move(conn, old, replace(old, status=EventStatus.REPLACED))
    for old in wanted.take_back:
        going = replace(old, status=EventStatus.CANCELING, try_after=now)
        await events_store.move(conn, old, going)
    if wanted.hold is not None:
        value, reason = wanted.hold
        await _hold(conn, replace(event, value=value), reason)
    elif wanted.add is not None and is_too_old(event.at, now):
        await _hold(conn, replace(event, value=wanted.add), Reason.TOO_OLD)
    elif wanted.add is not None:
        await events_store.insert(conn, replace(event, value=wanted.add))


async def _hold(conn: Connection, event: ToldEvent, reason: Reason) -> None:
    """Write an event that nobody sends, for a person to see."""
    await events_store.insert(conn, replace(event, status=EventStatus.HELD, reason=reason))
    log.warning("stripe_meters_held", account_id=event.account_id, hour=event.hour, reason=reason)
