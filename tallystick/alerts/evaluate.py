"""Looks at one account: what is reached is written down and told, in one transaction, once."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import structlog

from tallystick.alerts import store
from tallystick.alerts.crossing import crossings, watched_of
from tallystick.alerts.events import USAGE_ALERT_FIRED, alert_fired
from tallystick.alerts.measure import measure, needs_of
from tallystick.alerts.model import Crossing, Measured, UsageAlert, Watched
from tallystick.alerts.running import Running, running_of
from tallystick.alerts.store import Fired
from tallystick.kernel import outbox
from tallystick.kernel.db import Connection
from tallystick.kernel.ids import new_id
from tallystick.money.exact import canonical
from tallystick.subscriptions.periods import Period

log = structlog.get_logger()


async def evaluate(conn: Connection, account_id: UUID, now: datetime) -> tuple[UsageAlert, ...]:
    """Tell what is reached at `now` (the account's present) and was not told yet; return that.

    Looks at the running period and the one before, so that what was used in a period's last second,
    or came late, is told too; forecasts and credits are of the running one only.
    """
    watched = tuple(
        watched_of(await store.rules(conn, account_id), await store.budgets(conn, account_id))
    )
    if not watched:
        return ()
    running = await running_of(conn, account_id, now)
    told: list[UsageAlert] = []
    for period in (running.previous, running.period):
        if period is not None:
            told += await _evaluate(conn, running, period, watched, now)
    return tuple(told)


async def _evaluate(
    conn: Connection, running: Running, period: Period, watched: Sequence[Watched], now: datetime
) -> list[UsageAlert]:
    """Do so for one period, and read no more than what is still to be told needs."""
    fired = await store.fired(conn, running.account.account_id, period.start)
    waiting = [
        one
        for one in watched
        if one.created_at < period.end
        and Fired(one.source_id, one.basis, one.threshold) not in fired
        and (period == running.period or (one.basis == "actual" and one.watch != "credits"))
    ]
    if not waiting:
        return []
    measured = await measure(conn, running, period, needs_of(waiting), now)
    alerts = [_alert(running, measured, crossing, now) for crossing in crossings(waiting, measured)]
    return [alert for alert in alerts if await _tell(conn, alert)]


async def _tell(conn: Connection, alert: UsageAlert) -> bool:
    if not await store.fire(conn, alert):
        return False
    await outbox.append(conn, alert.account_id, USAGE_ALERT_FIRED, alert_fired(alert))
    log.info(
        "usage_alert_fired",
        account_id=str(alert.account_id),
        usage_alert_id=str(alert.usage_alert_id),
        source_id=str(alert.source_id),
    )
    return True


def _alert(running: Running, measured: Measured, crossing: Crossing, now: datetime) -> UsageAlert:
    watched = crossing.watched
    limit: Decimal | None = crossing.limit
    return UsageAlert(
        account_id=running.account.account_id,
        usage_alert_id=new_id(),
        source_id=watched.source_id,
        source=watched.source,
        name=watched.name,
        basis=watched.basis,
        watch=watched.watch,
        meter_code=watched.meter_code,
        unit=watched.unit,
        threshold=watched.threshold,
        period_start=measured.period.start,
        period_end=measured.period.end,
        quantity=canonical(crossing.quantity),
        limit_quantity=None if limit is None else canonical(limit),
        currency=measured.currency if watched.watch == "spend" else None,
        fired_at=now,
    )
