"""What the usage of an account comes to where events at some instants have a part in it."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from tallystick.catalog import service as catalog
from tallystick.corrections.effect import Reading, Watched, is_touched, touched_lines
from tallystick.invoices.usage_changes import issued_usage_lines, rate_again
from tallystick.kernel.db import Connection
from tallystick.metering import service as metering
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.happening import present_use
from tallystick.subscriptions.periods import Period
from tallystick.subscriptions.sold import plan_of


async def watch(
    conn: Connection,
    account_id: UUID,
    event_types: Collection[str],
    instants: Sequence[datetime],
    now: datetime,
) -> Watched:
    """Return what events of these types at these instants may have a part in.

    `now` is the account's present. Periods that are not billed yet are the one that is billed next
    and the one that runs.
    """
    meters = {one.code: one for one in await catalog.meters_of_events(conn, event_types, ())}
    lines = await issued_usage_lines(conn, account_id, list(meters), min(instants))
    subscription = await subscriptions.current_subscription(conn, account_id)
    periods: set[Period] = set()
    if subscription is not None:
        plan = await plan_of(conn, subscription)
        periods = {subscription.period, present_use(subscription, plan, now).period}
    return Watched(
        meters=meters,
        lines=touched_lines(lines, meters, instants),
        subscription_id=subscription.subscription_id if subscription else None,
        open=tuple(
            period
            for period in sorted(periods, key=lambda period: period.start)
            if is_touched(period, meters.values(), instants)
        ),
    )


async def read(conn: Connection, account_id: UUID, watched: Watched) -> Reading:
    """Return the usage of each open period, and what billed lines come to, at this moment."""
    meters = list(watched.meters.values())
    return Reading(
        open={
            period: await metering.period_totals(conn, account_id, meters, period.start, period.end)
            for period in watched.open
        },
        billed=await rate_again(conn, account_id, watched.lines, watched.meters),
    )
