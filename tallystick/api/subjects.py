"""Whose usage a request names: the caller's own account, or what a subject stands for."""

from datetime import datetime

import msgspec

from tallystick.accounts.model import Account, Principal
from tallystick.accounts.policy import account_of
from tallystick.accounts.service import find_by_subjects
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import Database
from tallystick.kernel.errors import BadInput
from tallystick.kernel.ids import show


class Named(msgspec.Struct, frozen=True):
    """An account as the request called it (None: not at all), and that account's present."""

    subject: str | None
    account: Account
    now: datetime


async def named_account(
    db: Database, principal: Principal, subject: str | None, wall: datetime
) -> Named:
    """Return the account of a subject (external id or `acct_...`), or the caller's own.

    Raises BadInput `unknown_subject`, also for another account than the one the caller is bound
    to, and `account_required` when there is neither.
    """
    if subject is None:
        return Named(None, account_of(principal), principal.now(wall))
    own = principal.account
    if own is not None:  # a key's own account is known without asking
        if subject not in {own.external_id, show("account", own.account_id)}:
            raise _unknown()
        return Named(subject, own, principal.now(wall))
    async with db.reading() as conn:
        account = (await find_by_subjects(conn, [subject])).get(subject)
        if account is None:
            raise _unknown()
        return Named(subject, account, await account_now(conn, account.account_id, wall))


def _unknown() -> BadInput:
    return BadInput.field("subject", "unknown_subject", "names no account")
