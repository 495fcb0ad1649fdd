"""Receiving webhooks: verify, store once, answer. What they mean is worked out afterwards."""

import hashlib
from datetime import datetime

import msgspec
import structlog

from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.errors import NotFound
from tallystick.kernel.paging import Page, PageRequest
from tallystick.payments.events import GatewayCustomerLinked, GatewayReferenceLinked
from tallystick.payments.facts import Delivery, Receipt
from tallystick.payments.gateway import Gateways
from tallystick.webhooks import store
from tallystick.webhooks.model import InboxRow, InboxStatus

log = structlog.get_logger()


class Inbox:
    """What gateways told us, each event once."""

    def __init__(self, db: Database, gateways: Gateways) -> None:
        self._db = db
        self._gateways = gateways

    async def receive(self, gateway_name: str, delivery: Delivery, now: datetime) -> None:
        """Verify and store an event; `now` is wall time. When it returns, the event is safe.

        Raises BadInput `invalid_signature` or `invalid_payload` (answer 400), NotFound for a
        gateway that does not exist, Unavailable for one that is not configured.
        """
        gateway = self._gateways.get(gateway_name)
        receipt = await gateway.verify_webhook(delivery, now)
        async with self._db.own_transaction(WRITER) as conn:
            new = await store.insert(conn, gateway_name, receipt, now)
            if not new and receipt.is_exact:
                await self._keep_contradiction(conn, gateway_name, receipt, now)
        log.info(
            "webhook_received",
            gateway=gateway_name,
            event_id=receipt.event_id,
            kind=receipt.kind,
            new=new,
        )

    async def on_customer_linked(self, linked: GatewayCustomerLinked, now: datetime) -> None:
        """Try again what was parked because nobody knew this customer."""
        async with self._db.transaction(WRITER) as conn:
            await store.wake_parked(conn, linked.gateway, linked.token, now)

    async def on_reference_linked(self, linked: GatewayReferenceLinked, now: datetime) -> None:
        """Try again what was parked because nobody knew this charge or subscription."""
        async with self._db.transaction(WRITER) as conn:
            await store.wake_parked(conn, linked.gateway, linked.reference, now)

    async def _keep_contradiction(
        self, conn: Connection, gateway_name: str, receipt: Receipt, now: datetime
    ) -> None:
        """Put an event aside for a person that says something else than the one of its id."""
        if await store.is_same(conn, gateway_name, receipt):
            return
        event_id = f"{receipt.event_id}#{hashlib.sha256(receipt.body).hexdigest()[:16]}"
        other = msgspec.structs.replace(receipt, event_id=event_id)
        if await store.insert_parked(conn, gateway_name, other, "event_differs", now):
            log.error("webhook_contradicts", gateway=gateway_name, event_id=event_id)


async def list_events(
    conn: Connection, status: InboxStatus | None, request: PageRequest
) -> Page[InboxRow]:
    """Return received events, newest first, by page; under the staff's scope."""
    rows = await store.page(conn, status, request.limit, request.offset)
    total = await store.count(conn, status)
    return Page(items=tuple(rows), total=total, request=request, next_cursor=None)


async def retry_event(conn: Connection, gateway: str, event_id: str, now: datetime) -> None:
    """Handle an unfinished event now, under the writer's scope; raises NotFound."""
    if not await store.retry(conn, gateway, event_id, now):
        raise NotFound("webhook_event_not_found", "There is no such unfinished event.")
