"""Receiving webhooks: verify, store once, answer. What they mean is worked out afterwards."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

import msgspec
import structlog

from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.payments.events import GatewayCustomerLinked, GatewayReferenceLinked
from tallystick.payments.facts import Delivery, Receipt
from tallystick.payments.gateway import Gateways
from tallystick.webhooks import store

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
        new = await self.keep(gateway_name, [receipt], now)
        log.info(
            "webhook_received",
            gateway=gateway_name,
            event_id=receipt.event_id,
            kind=receipt.kind,
            new=bool(new),
        )

    async def keep(self, gateway_name: str, receipts: Sequence[Receipt], now: datetime) -> int:
        """Store what is not there yet, received or listed alike; return how many those were."""
        new = 0
        async with self._db.own_transaction(WRITER) as conn:
            for receipt in receipts:
                if await store.insert(conn, gateway_name, receipt, now):
                    new += 1
                elif receipt.is_exact:
                    await self._keep_contradiction(conn, gateway_name, receipt, now)
        return new

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
