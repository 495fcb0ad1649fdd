"""Which account lives by which test clock. Time never runs backwards for an account."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.kernel import test_clocks
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import show, unknown
from tallystick.kernel.test_clocks import ACCOUNTS_MAX, TestClock
from tallystick.ledger import service as ledger
from tallystick.subscriptions import service as subscriptions


async def attach(
    conn: Connection, test_clock_id: UUID, account_ids: Sequence[UUID], wall: datetime
) -> None:
    """Put accounts on a clock that stands, all or none; under the writer's scope.

    One that is there already stays. What became due on the way to the clock's present is done
    then. Raises NotFound; Conflict `test_clock_advancing` for the clock, or the one an account
    comes from, `test_clock_full`, `account_ahead_of_clock`.
    """
    wanted = sorted(set(account_ids))
    before = [await accounts.get_account(conn, account_id) for account_id in wanted]
    clock = await _lock_clocks(conn, test_clock_id, before)
    for account_id in wanted:
        account = await accounts.lock_account(conn, account_id)
        if account.test_clock_id != test_clock_id:
            await _need_past(conn, account, clock.now_at, wall)
            await accounts.set_test_clock(conn, account_id, test_clock_id)
    if await accounts.count_on_clock(conn, test_clock_id) > ACCOUNTS_MAX:
        raise Conflict(
            "test_clock_full", f"A test clock takes {ACCOUNTS_MAX:,} accounts; make another one."
        )


async def detach(conn: Connection, test_clock_id: UUID, account_id: UUID, wall: datetime) -> None:
    """Let an account live by wall time again; under the writer's scope.

    What became due between the clock's present and now is done then. Raises NotFound, Conflict
    `test_clock_advancing`, `account_ahead_of_clock` when the account has a future behind it.
    """
    await test_clocks.lock_ready(conn, test_clock_id)
    account = await accounts.lock_account(conn, account_id)
    if account.test_clock_id != test_clock_id:
        raise unknown("account")
    await _need_past(conn, account, wall, wall)
    await accounts.set_test_clock(conn, account_id, None)


async def _lock_clocks(
    conn: Connection, test_clock_id: UUID, moving: Sequence[Account]
) -> TestClock:
    """Lock the clock and those that accounts come from, in one order; none of them may move."""
    await test_clocks.live(conn, test_clock_id)
    left = {account.test_clock_id for account in moving} - {None, test_clock_id}
    found = [await test_clocks.get(conn, one) for one in left if one is not None]
    standing = {one.test_clock_id for one in found if one.deleted_at is None}
    locked = [await test_clocks.lock_ready(conn, one) for one in sorted({test_clock_id, *standing})]
    return next(one for one in locked if one.test_clock_id == test_clock_id)


async def _need_past(conn: Connection, account: Account, at: datetime, wall: datetime) -> None:
    """Raise Conflict if anything of the account is dated after `at`."""
    present = await account_now(conn, account.account_id, wall)
    if at >= present:
        return
    booked = await ledger.latest_entry_at(conn, account.account_id)
    known = await subscriptions.list_subscriptions(conn, account.account_id)
    dated = [*(one.started_at for one in known), *([booked] if booked else [])]
    if dated and max(dated) > at:
        raise Conflict(
            "account_ahead_of_clock",
            f"{show('account', account.account_id)} has entries or subscriptions after "
            f"{at:%Y-%m-%dT%H:%M:%SZ}; time can not run backwards for it. "
            "Use a clock that is ahead of them, or another account.",
        )
