"""Tells that a card expires, or has expired, each once, on wall time."""

from datetime import datetime
from typing import Final

from tallystick.kernel import outbox
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.due import WallKind
from tallystick.payments import expiry_store
from tallystick.payments.events import (
    PAYMENT_METHOD_EXPIRED,
    PAYMENT_METHOD_EXPIRING,
    PaymentMethodExpired,
    PaymentMethodExpiring,
)
from tallystick.payments.expiry import watched
from tallystick.payments.model import PaymentMethod

BATCH_MAX: Final = 100


class ExpiryWatch:
    """Looks at cards when something is to be told of them (`payment_methods.watch_at`)."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def kind(self) -> WallKind:
        """Return this as work for the worker."""
        return WallKind("card_expiry", self.run_due)

    async def run_due(self, now: datetime) -> int:
        """Tell of one batch of cards; return how many those were."""
        async with self._db.transaction(WRITER) as conn:
            due = await expiry_store.lock_due(conn, now, BATCH_MAX)
            for method in due:
                await _tell(conn, method, now)
        return len(due)


async def _tell(conn: Connection, method: PaymentMethod, now: datetime) -> None:
    found = watched(method.card, now)
    await expiry_store.set_watch(conn, method, found.watch_at)
    whose, named = method.account_id, method.payment_method_id
    if found.days == 0:
        told = PaymentMethodExpired(named)
        await outbox.append(conn, whose, PAYMENT_METHOD_EXPIRED, told)
    elif found.days is not None:
        soon = PaymentMethodExpiring(named, found.days)
        await outbox.append(conn, whose, PAYMENT_METHOD_EXPIRING, soon)
