"""What `/metrics` tells of webhooks, in both directions, and of usage on its way to Stripe."""

from datetime import datetime
from typing import Final

import asyncpg

from tallystick.api.edge import Waiting
from tallystick.api.services import Services
from tallystick.kernel.db import STAFF
from tallystick.kernel.errors import Unavailable
from tallystick.outgoing_webhooks import deliveries
from tallystick.stripe_meters import service as stripe_meters
from tallystick.webhooks import desk

OUT: Final = "out"
"""The label of webhooks that we send, where received ones name their gateway."""


async def waiting_webhooks(services: Services) -> tuple[Waiting, ...]:
    """Return what waits; nothing while the database is away, so no old figure stays."""
    try:
        async with services.db.transaction(STAFF) as conn:
            received = await desk.backlog(conn)
            count, oldest_at = await deliveries.waiting(conn)
    except (Unavailable, asyncpg.PostgresError, OSError):
        return ()
    now = services.clock()
    told = [
        Waiting(one.gateway, one.state, one.count, _age(one.oldest_at, now)) for one in received
    ]
    if oldest_at is not None:
        told.append(Waiting(OUT, "waiting", count, _age(oldest_at, now)))
    return tuple(told)


async def waiting_meter_events(services: Services) -> tuple[tuple[str, int, float], ...]:
    """Return the usage that is not done at Stripe; nothing while the database is away."""
    try:
        async with services.db.transaction(STAFF) as conn:
            waiting = await stripe_meters.backlog(conn)
    except (Unavailable, asyncpg.PostgresError, OSError):
        return ()
    now = services.clock()
    return tuple((one.status, one.count, _age(one.oldest_at, now)) for one in waiting)


def _age(at: datetime, now: datetime) -> float:
    return max((now - at).total_seconds(), 0.0)
