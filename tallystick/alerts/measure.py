"""Reads what is watched: as much as the thresholds ask for, from the functions of the invoice."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from tallystick.alerts.model import Credits, Measured, Watched
from tallystick.alerts.outlook import forecasts, spend_range
from tallystick.alerts.running import Running, spend_of, uses_of
from tallystick.catalog import service as catalog
from tallystick.catalog.model import Meter
from tallystick.credits import service as credit_service
from tallystick.credits.amounts import to_credits
from tallystick.credits.debit_store import UsageFilter
from tallystick.invoices.usage_lines import metered_codes
from tallystick.kernel.db import Connection
from tallystick.metering import service as metering
from tallystick.metering.forecast import Forecast
from tallystick.pricing.use import Uses
from tallystick.subscriptions.periods import Period


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be read."""

    meters: frozenset[str] = frozenset()
    forecast_meters: frozenset[str] = frozenset()
    is_spend: bool = False
    is_spend_forecast: bool = False
    is_credits: bool = False


def needs_of(watched: Iterable[Watched]) -> Needs:
    """Return what these thresholds need to be read; pure."""
    meters: dict[str, set[str]] = {"actual": set(), "forecast": set()}
    watches = set()
    for one in watched:
        if one.meter_code is not None:
            meters[one.basis].add(one.meter_code)
        watches.add((one.watch, one.basis))
    return Needs(
        meters=frozenset(meters["actual"]),
        forecast_meters=frozenset(meters["forecast"]),
        is_spend=("spend", "actual") in watches,
        is_spend_forecast=("spend", "forecast") in watches,
        is_credits=("credits", "actual") in watches,
    )


async def measure(
    conn: Connection, running: Running, period: Period, needs: Needs, now: datetime
) -> Measured:
    """Return what there is in one of the account's periods; forecasts of the running one only."""
    is_running = period == running.period
    account_id, plan = running.account.account_id, running.plan
    codes = {*needs.meters, *needs.forecast_meters}
    if plan is not None and (needs.is_spend or needs.is_spend_forecast):
        codes |= metered_codes(plan)
    meters = await catalog.meters_by_codes(conn, codes)
    totals = await metering.period_totals(
        conn, account_id, list(meters.values()), period.start, period.end
    )
    uses: Uses = {}
    if needs.is_spend or needs.is_spend_forecast:
        uses = await uses_of(conn, running, period, meters, totals)
    found = Measured(
        period=period,
        quantities=totals,
        limits=running.limits,
        spend=_minor(running, period, meters, uses) if needs.is_spend else None,
        currency=plan.currency if plan else running.account.currency,
    )
    if not is_running:
        return found
    own = await _credits(conn, running, now) if needs.is_credits else None
    expected: dict[str, Forecast] = {}
    if needs.forecast_meters or needs.is_spend_forecast:
        foreseen = [meters[code] for code in sorted(_foreseen(running, needs) & meters.keys())]
        expected = await forecasts(conn, running, foreseen, totals, now)
    spend = spend_range(running, meters, uses, expected) if needs.is_spend_forecast else None
    return msgspec.structs.replace(
        found,
        credits=own,
        quantity_forecasts=expected,
        spend_forecast=None if spend is None else spend.expected.minor,
    )


def _foreseen(running: Running, needs: Needs) -> frozenset[str]:
    """Return the codes of the meters whose forecast is needed."""
    if needs.is_spend_forecast and running.plan is not None:
        return needs.forecast_meters | metered_codes(running.plan)
    return needs.forecast_meters


def _minor(running: Running, period: Period, meters: dict[str, Meter], uses: Uses) -> int | None:
    spend = spend_of(running, period, meters, uses)
    return None if spend is None else spend.minor


async def _credits(conn: Connection, running: Running, now: datetime) -> Credits:
    account_id, period = running.account.account_id, running.period
    wanted = UsageFilter(since=period.start, until=period.end)
    balance = await credit_service.balance(conn, account_id, now)
    given = running.plan.credits if running.plan else None
    return Credits(
        used=to_credits(await credit_service.used(conn, account_id, wanted)),
        included=given.amount if given else None,
        left=to_credits(balance.available),
    )
