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
from tallystick.payments.attempts import Attempts, Recorded
from tallystick.payments.gateway import Gateways
from tallystick.payments.lifecycle import LEASE, LIVE_ATTEMPTS
from tallystick.payments.model import Attempt
from tallystick.payments.unclear import SHOWN_MAX, SWEEP_EVERY, Unclear

log = structlog.get_logger()

BATCH_MAX: Final = 10


class Found(msgspec.Struct, frozen=True):
    """The oldest unclear charges, a hundred at most, and how many there are."""

    oldest: tuple[Unclear, ...]
    total: int


class Sweep:
    """Asks about unclear charges when their day is over, and when somebody wants to know."""

    def __init__(self, db: Database, gateways: Gateways, tries: Attempts, clock: Clock) -> None:
        self._db = db
        self._gateways = gateways
        self._tries = tries
        self._clock = clock

    def kind(self) -> WallKind:
        """Return the sweep as work for the worker: for each charge after an hour, then daily."""
        return WallKind("payments_sweep", self.run_due)

    async def run_due(self, now: datetime) -> int:
        """Ask about one batch of charges whose turn it is; return how many those were."""
        usable = self._gateways.usable()
        async with self._db.own_transaction(WRITER) as conn:
            due = await unclear_store.lease_sweep(conn, now, SWEEP_EVERY, usable, BATCH_MAX)
        for failure in await asyncio.gather(*map(self._look, due), return_exceptions=True):
            if isinstance(failure, BaseException):
                log.error("payment_sweep_failed", exc_info=failure)
        return len(due)

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
        """Ask about one payment now, for a person; outside any transaction.

        Raises Conflict `payment_is_clear` when nothing is under way, Unavailable without the
        gateway.
        """
        async with self._db.own_transaction(WRITER) as conn:
            last = await attempt_store.last(conn, account_id, payment_id)
        if last is None or last.outcome not in LIVE_ATTEMPTS:
            raise Conflict("payment_is_clear", "Nothing of this payment is under way.")
        self._gateways.get(last.gateway)
        await self._look(last)

    async def unclear(self) -> Found:
        """Return what is unclear now, over all accounts, the oldest first."""
        now, names = self._clock(), self._gateways.names()
        async with self._db.own_transaction(STAFF) as conn:
            oldest = await unclear_store.page(conn, now, names, SHOWN_MAX)
            total = await unclear_store.count(conn, now, names)
        return Found(tuple(oldest), total)

    async def _look(self, attempt: Attempt) -> None:
        recording = await self._tries.look(attempt)
        if recording.result is not Recorded.APPLIED:
            log.warning(
                "payment_unclear",
                account_id=str(attempt.account_id),
                payment_attempt_id=str(attempt.payment_attempt_id),
                gateway=attempt.gateway,
                outcome=attempt.outcome,
                code=recording.problem or attempt.code,
                since=attempt.created_at.isoformat(),
            )
