"""What falls due with credits: grants that lapse, reservations that run out.

Neither is needed for a right answer: whoever uses credits looks at the instant. The work posts the
breakage and frees the rows.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from msgspec.structs import replace

from tallystick.credits import account_store, grant_store, reservation_store
from tallystick.credits.burn import lapsed
from tallystick.credits.grants import due_at, take_from
from tallystick.credits.model import Grant
from tallystick.credits.reservations import expire_due
from tallystick.credits.watch import save_and_watch
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.due import AccountKind
from tallystick.ledger.model import BREAKAGE

log = structlog.get_logger()

NAME: Final = "credits"
BATCH_MAX: Final = 100


class CreditLapses:
    """The work of the kind `credits`, on account time."""

    def __init__(self, db: Database, *, batch_max: int = BATCH_MAX) -> None:
        self._db = db
        self._batch_max = batch_max

    @property
    def kind(self) -> AccountKind:
        """The work as the worker and the test clocks take it."""
        return AccountKind(NAME, self.run_due, self.next_at)

    async def next_at(self, test_clock_id: UUID) -> datetime | None:
        """Return when something lapses or runs out next on that clock."""
        async with self._db.transaction(WRITER) as conn:
            instants = (
                await grant_store.next_due_at(conn, test_clock_id),
                await reservation_store.next_due_at(conn, test_clock_id),
            )
        return min((at for at in instants if at is not None), default=None)

    async def run_due(self, now: datetime, test_clock_id: UUID | None) -> int:
        """Work on a batch of accounts; return how many grants and reservations that were."""
        handled = 0
        async with self._db.transaction(WRITER) as conn:
            asked = now, test_clock_id, self._batch_max
            lapsing = await grant_store.due_accounts(conn, *asked)
            ending = await reservation_store.due_accounts(conn, *asked)
        for account_id in sorted({*lapsing, *ending}):
            async with self._db.transaction(WRITER) as conn:
                handled += await expire_due(conn, account_id, now)
                handled += await lapse_due(conn, account_id, now)
        return handled


async def lapse_due(conn: Connection, account_id: UUID, now: datetime) -> int:
    """Post the breakage of the account's grants that lapse by `now`; return how many those were."""
    state = await account_store.lock(conn, account_id)
    due = await grant_store.due(conn, account_id, now)
    for one in due:
        await _lapse(conn, one)
    await save_and_watch(conn, state, now)
    return len(due)


async def _lapse(conn: Connection, grant: Grant) -> None:
    """Take what lapses of a grant at its next instant: what is over its cap, or all of it."""
    at = due_at(grant)
    assert at is not None  # noqa: S101 - it was found by that instant
    units = lapsed(grant, at)
    left = grant
    if units:
        left = await take_from(
            conn,
            grant,
            units,
            at,
            key=f"breakage:{grant.credit_grant_id}:{at.isoformat()}",
            kind="credit_breakage",
            counter_account=BREAKAGE,
        )
        log.info("credits_lapsed", account_id=str(grant.account_id), units=units)
    if left.remaining and grant.cap_at is not None:
        left = replace(left, cap_at=None, cap=None)
        await grant_store.save(conn, left, due_at(left))
