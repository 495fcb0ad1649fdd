"""Where the running period is going: each meter's forecast, and what the invoice would be."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec

from tallystick.alerts.running import Running, spend_of, uses_of
from tallystick.catalog import service as catalog
from tallystick.catalog.model import Meter
from tallystick.kernel.db import Connection
from tallystick.metering import service as metering
from tallystick.metering.forecast import (
    Day,
    Forecast,
    forecast,
    history_start,
    is_additive,
    today_start,
)
from tallystick.metering.usage_report import reported_meters
from tallystick.metering.windows import cut
from tallystick.money.amount import Money
from tallystick.pricing.charges import expected_uses
from tallystick.pricing.use import Uses
from tallystick.subscriptions.periods import zone as zone_of


class SpendRange(msgspec.Struct, frozen=True):
    """The subtotal before tax so far, and at the period's end."""

    so_far: Money
    low: Money
    expected: Money
    high: Money


class MeterOutlook(msgspec.Struct, frozen=True):
    """A meter with what was used of it, and what is expected."""

    meter: Meter
    used: Decimal
    limit: Decimal | None
    forecast: Forecast


class Outlook(msgspec.Struct, frozen=True):
    """The running period's end; `spend` is None without a plan."""

    running: Running
    meters: tuple[MeterOutlook, ...]
    spend: SpendRange | None


async def forecasts(
    conn: Connection,
    running: Running,
    meters: Iterable[Meter],
    totals: Mapping[str, Decimal],
    now: datetime,
) -> dict[str, Forecast]:
    """Return the forecast of each meter by code; `totals` are the running period's."""
    zone = zone_of(running.account.timezone)
    levels = [meter for meter in meters if not is_additive(meter)]
    before = running.previous
    previous: dict[str, Decimal] = {}
    if before is not None and levels:
        previous = await metering.period_totals(
            conn, running.account.account_id, levels, before.start, before.end
        )
    return {
        meter.code: forecast(
            meter,
            used=totals[meter.code],
            days=await _history(conn, running, meter, now, zone) if is_additive(meter) else (),
            previous=previous.get(meter.code),
            start=running.period.start,
            end=running.period.end,
            now=max(now, running.period.start),
            zone=zone,
        )
        for meter in meters
    }


def spend_range(
    running: Running,
    meters: Mapping[str, Meter],
    uses: Uses,
    expected: Mapping[str, Forecast],
) -> SpendRange | None:
    """Rate the forecasts as the invoice rates usage: all meters low, as expected, all high.

    More use may cost less in all where a price is by volume, so the three are put in order. Groups
    are expected to keep their shares.
    """
    plan, period = running.plan, running.period
    so_far = spend_of(running, period, meters, uses)
    if plan is None or so_far is None:
        return None
    rated = [
        spend_of(running, period, meters, expected_uses(plan.prices, uses, quantities))
        for quantities in (
            {code: one.low for code, one in expected.items()},
            {code: one.expected for code, one in expected.items()},
            {code: one.high for code, one in expected.items()},
        )
    ]
    known = [amount for amount in rated if amount is not None]
    by_size = sorted(known, key=lambda amount: amount.minor)
    return SpendRange(so_far, by_size[0], known[1], by_size[-1])


async def outlook(conn: Connection, running: Running, now: datetime) -> Outlook:
    """Return the outlook on every meter of the plan; without a plan, on every meter in use."""
    account_id, period = running.account.account_id, running.period
    everyone = {meter.code: meter for meter in await catalog.list_meters(conn)}
    if running.plan is not None:
        codes = reported_meters(running.plan, running.limits)
        everyone = {code: everyone[code] for code in codes}
    totals = await metering.period_totals(
        conn, account_id, list(everyone.values()), period.start, period.end
    )
    if running.plan is None:
        everyone = {code: meter for code, meter in everyone.items() if totals[code]}
    expected = await forecasts(conn, running, everyone.values(), totals, now)
    uses = await uses_of(conn, running, period, everyone, totals)
    return Outlook(
        running,
        tuple(
            MeterOutlook(meter, totals[code], running.limits.get(code), expected[code])
            for code, meter in everyone.items()
        ),
        spend_range(running, everyone, uses, expected),
    )


async def _history(
    conn: Connection, running: Running, meter: Meter, now: datetime, zone: ZoneInfo
) -> tuple[Day, ...]:
    """Return the whole days before today: of the subscription, else since the first use."""
    start, today = history_start(now, zone), today_start(now, zone)
    if running.began_at is not None:
        start = max(start, today_start(running.began_at - timedelta(microseconds=1), zone))
    found = await metering.windows(
        conn, running.account.account_id, meter, start, today, size="DAY", zone=zone
    )
    used = {window.start: window.quantity for window in found}
    days = [Day(begin, used.get(begin, Decimal(0))) for begin, _ in cut(start, today, "DAY", zone)]
    if running.began_at is None:
        return _since_first_use(days)
    return tuple(day for day in days if day.start >= running.began_at)


def _since_first_use(days: list[Day]) -> tuple[Day, ...]:
    first = next((at for at, day in enumerate(days) if day.quantity), len(days))
    return tuple(days[first:])
