"""The due work of payments, for the worker."""

import asyncio
from datetime import datetime
from typing import Final

import structlog

from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.due import AccountKind, WallKind
from tallystick.payments import attempt_store
from tallystick.payments.attempts import Attempts
from tallystick.payments.collect import Collector
from tallystick.payments.gateway import Gateways
from tallystick.payments.lifecycle import LEASE
from tallystick.payments.refunds import Refunds

log = structlog.get_logger()

LOOKS_MAX: Final = 10


def payments_kind(collector: Collector) -> AccountKind:
    """Return the kind that charges due payments, on account time."""
    return AccountKind("payments", collector.run_due, collector.next_at)


def attempts_kind(resolver: "Resolver") -> WallKind:
    """Return the kind that finds out about open attempts, on wall time."""
    return WallKind("attempts", resolver.run_due)


def refund_kinds(refunds: Refunds) -> tuple[WallKind, WallKind]:
    """Return the kinds that carry refunds out and find out about them, on wall time."""
    return (
        WallKind("refunds", refunds.begin_due),
        WallKind("refund_attempts", refunds.look_due),
    )


class Resolver:
    """Looks what became of attempts without an answer; it never charges with another key."""

    def __init__(self, db: Database, gateways: Gateways, tries: Attempts) -> None:
        self._db = db
        self._gateways = gateways
        self._tries = tries

    async def run_due(self, now: datetime) -> int:
        """Look at one batch of attempts whose answer is overdue; return how many those were."""
        async with self._db.own_transaction(WRITER) as conn:
            due = await attempt_store.lease_due(
                conn, now, LEASE, self._gateways.usable(), LOOKS_MAX
            )
        looks = [self._tries.look(attempt) for attempt in due]
        for failure in await asyncio.gather(*looks, return_exceptions=True):
            if isinstance(failure, BaseException):
                # The lease runs out, and it is looked at again.
                log.error("payment_look_failed", exc_info=failure)
        return len(due)
