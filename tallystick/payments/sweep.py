"""The sweep: what is unclear for long, or was parked, is asked about again, and named for a person.

It asks as every look does: by the gateway's own name of the charge, with the charge's own key while
the gateway keeps keys, or by searching. It never charges with another key.
"""

import asyncio
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import structlog

from tallystick.kernel.clock import Clock
from tallystick.kernel.db import STAFF, WRITER, Database
from tallystick.kernel.due import WallKind
from tallystick.kernel.errors import Conflict
from tallystick.payments import attempt_store, unclear_store
from tallystick.payments.attempts import Attempts, Recorded, Recording
from tallystick.payments.gateway import Gateways
from tallystick.payments.lifecycle import LEASE, LIVE_ATTEMPTS
from tallystick.payments.model import Attempt
from tallystick.payments.refund_model import RefundAttempt
from tallystick.payments.refunds import Refunds
from tallystick.payments.unclear import SHOWN_MAX, SWEEP_EVERY, Unclear

log = structlog.get_logger()

BATCH_MAX: Final = 10


class Found(msgspec.Struct, frozen=True):
    """The oldest of what is unclear, a hundred at most, and how much there is."""

    oldest: tuple[Unclear, ...]
    total: int


class Sweep:
    """Asks about what is unclear when its day is over, and when somebody wants to know."""

    def __init__(
        self, db: Database, gateways: Gateways, tries: Attempts, refunds: Refunds, clock: Clock
    ) -> None:
        self._db = db
        self._gateways = gateways
        self._tries = tries
        self._refunds = refunds
        self._clock = clock

    def kind(self) -> WallKind:
        """Return the sweep as work for the worker: after an hour, then daily."""
        return WallKind("payments_sweep", self.run_due)

    async def run_due(self, now: datetime) -> int:
        """Ask about one batch whose turn it is; return how many those were."""
        due = now, SWEEP_EVERY, self._gateways.usable(), BATCH_MAX
        async with self._db.own_transaction(WRITER) as conn:
            charges = await unclear_store.lease_charges(conn, *due)
            refunds = await unclear_store.lease_refunds(conn, *due)
        looks = [*map(self._look, charges), *map(self._look_at_refund, refunds)]
        for failure in await asyncio.gather(*looks, return_exceptions=True):
            if isinstance(failure, BaseException):
                log.error("payment_sweep_failed", exc_info=failure)
        return len(looks)

    async def run_all(self) -> int:
        """Ask about all now, not only those whose turn it is; return how many that were."""
        now = self._clock()
        async with self._db.own_transaction(WRITER) as conn:
            await unclear_store.hasten(conn, now, LEASE)
        done = 0
        while handled := await self.run_due(now):
            done += handled
        return done

    async def look_again(self, account_id: UUID, payment_id: UUID) -> None:
        """Ask about a payment and its refunds now, for a person; outside any transaction.

        Raises Conflict `payment_is_clear` when nothing is under way, Unavailable without the
        gateway.
        """
        async with self._db.own_transaction(WRITER) as conn:
            last = await attempt_store.last(conn, account_id, payment_id)
            refunds = await unclear_store.refunds_of(conn, account_id, payment_id)
        charges = [last] if last is not None and last.outcome in LIVE_ATTEMPTS else []
        if not charges and not refunds:
            raise Conflict("payment_is_clear", "Nothing of this payment is under way.")
        for name in {one.gateway for one in charges} | {one.gateway for one in refunds}:
            self._gateways.get(name)
        await asyncio.gather(*map(self._look, charges), *map(self._look_at_refund, refunds))

    async def unclear(self) -> Found:
        """Return what is unclear now, over all accounts, the oldest first."""
        now, names = self._clock(), self._gateways.names()
        async with self._db.own_transaction(STAFF) as conn:
            oldest = await unclear_store.page(conn, now, names, SHOWN_MAX)
            total = await unclear_store.count(conn, now, names)
        return Found(tuple(oldest), total)

    async def _look(self, attempt: Attempt) -> None:
        _say(attempt, await self._tries.look(attempt))

    async def _look_at_refund(self, attempt: RefundAttempt) -> None:
        _say(attempt, await self._refunds.look(attempt))


def _say(attempt: Attempt | RefundAttempt, recording: Recording) -> None:
    if recording.result is Recorded.APPLIED:
        return
    log.warning(
        "payment_unclear",
        account_id=str(attempt.account_id),
        payment_id=str(attempt.payment_id),
        gateway=attempt.gateway,
        outcome=attempt.outcome,
        code=recording.problem or attempt.code,
        since=attempt.created_at.isoformat(),
    )
