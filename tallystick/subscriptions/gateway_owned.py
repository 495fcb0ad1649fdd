"""Subscriptions that a gateway renews by itself: handed over to it, ended, and moved by its word.

Nothing is billed here; each locks nothing and writes the row that the caller has locked.
"""

from datetime import datetime

from msgspec.structs import replace

from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput
from tallystick.subscriptions import service
from tallystick.subscriptions.lifecycle import next_status
from tallystick.subscriptions.model import Event, ScheduleOwner, Status, Subscription


async def hand_over(
    conn: Connection, on: Subscription, owner: ScheduleOwner, external_id: str
) -> Subscription:
    """Let a gateway renew it from now on, under its id: our billing run leaves it alone."""
    after = replace(on, schedule_owner=owner, external_id=external_id, next_bill_at=None)
    return await service.save(conn, on, after)


async def end_with_period(conn: Connection, on: Subscription) -> Subscription:
    """Let it end with what is paid for; again, or after its end, that changes nothing."""
    if on.status is Status.CANCELED or on.cancel_at_period_end:
        return on
    status = next_status(on.status, Event.CANCEL_LATER)
    after = replace(on, status=status, cancel_at_period_end=True, ends_at=on.period_end)
    return await service.save(conn, on, after)


async def run_until(conn: Connection, on: Subscription, until: datetime) -> Subscription:
    """Let its period last until then, and go on after that, also when it had ended.

    Raises BadInput for a time before the period begins.
    """
    if until <= on.period_start:
        raise BadInput.field("period", "period_reversed", "must end after it begins")
    status = on.status
    if status is Status.CANCELED:
        status = next_status(status, Event.REACTIVATE)
    after = replace(
        on,
        status=status,
        period_end=until,
        cancel_at_period_end=False,
        ends_at=None,
        next_bill_at=None,
    )
    return after if after == on else await service.save(conn, on, after)
