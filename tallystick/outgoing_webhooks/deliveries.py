"""Deliveries: looked at, and sent again."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput
from tallystick.kernel.ids import unknown
from tallystick.kernel.paging import After, Page, PageRequest, make_page
from tallystick.outgoing_webhooks import delivery_store, endpoints, queue_store
from tallystick.outgoing_webhooks.model import (
    Delivery,
    DeliveryFilter,
    DeliveryTry,
    Replay,
    Replayed,
)

REPLAY_MAX: Final = 10_000
"""So many deliveries one replay sends again, and as many it makes."""
KEPT: Final = timedelta(days=90)


class DeliveryLog(msgspec.Struct, frozen=True):
    """A delivery with what was sent (None before the first try) and what each try brought."""

    delivery: Delivery
    body: bytes | None
    tries: tuple[DeliveryTry, ...]


async def list_deliveries(
    conn: Connection, wanted: DeliveryFilter, request: PageRequest
) -> Page[Delivery]:
    """List deliveries, newest first."""
    rows = await delivery_store.page(conn, wanted, request)
    total = await delivery_store.count(conn, wanted)
    return make_page(
        rows, total, request, lambda one: After(one.created_at, one.webhook_delivery_id)
    )


async def read_log(conn: Connection, owner: UUID, delivery_id: UUID) -> DeliveryLog:
    """Return one delivery with its tries; raises NotFound `webhook_delivery_not_found`."""
    found = await delivery_store.find(conn, owner, delivery_id)
    if found is None:
        raise unknown("webhook_delivery")
    body = await delivery_store.body(conn, owner, delivery_id)
    return DeliveryLog(found, body, await delivery_store.tries(conn, owner, delivery_id))


async def owner_of(conn: Connection, delivery_id: UUID) -> UUID:
    """Return whose endpoint it goes to, for staff; raises NotFound."""
    found = await delivery_store.owner(conn, delivery_id)
    if found is None:
        raise unknown("webhook_delivery")
    return found


async def replay_one(conn: Connection, owner: UUID, delivery_id: UUID, now: datetime) -> Delivery:
    """Send one delivery now, whatever came of it before: same id, same body. Raises NotFound.

    The receiver knows it by its `webhook-id` if it has it already.
    """
    found = await delivery_store.send_again(conn, owner, delivery_id, now)
    if found is None:
        raise unknown("webhook_delivery")
    return found


async def replay_range(
    conn: Connection, owner: UUID, endpoint_id: UUID, wanted: Replay, now: datetime
) -> Replayed:
    """Send what an endpoint missed in a time range, up to REPLAY_MAX of each sort, oldest first.

    Raises NotFound, or BadInput naming `until`.
    """
    if wanted.until <= wanted.since:
        raise BadInput.field("until", "out_of_range", "must be after since")
    endpoint = await endpoints.get(conn, owner, endpoint_id)
    again = await delivery_store.send_range_again(conn, endpoint, wanted, now, REPLAY_MAX)
    made = await delivery_store.make_missing(conn, endpoint, wanted, now, REPLAY_MAX)
    return Replayed(again, made, more=REPLAY_MAX in (again, made))


async def waiting(conn: Connection) -> tuple[int, datetime | None]:
    """Return how many deliveries wait, and when the oldest one's event happened."""
    return await queue_store.waiting(conn)


async def forget_old(conn: Connection, now: datetime) -> int:
    """Drop up to 1,000 deliveries that ended more than 90 days ago."""
    return await delivery_store.forget_old(conn, now - KEPT)


def _position(delivery: Delivery) -> After:
    return After(delivery.created_at, delivery.webhook_delivery_id)
