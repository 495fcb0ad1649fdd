"""Tells when little is left, once for each crossing.

Debits do the same inside the database; this is for whatever else moves credits.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from tallystick.credits import account_store
from tallystick.credits.account_store import State
from tallystick.credits.events import CREDITS_LOW, CREDITS_TOP_UP_DUE, CreditsFell
from tallystick.credits.model import Balance
from tallystick.kernel import outbox
from tallystick.kernel.db import Connection


async def save_and_watch(
    conn: Connection, state: State, at: datetime, *, is_increase: bool = False
) -> Balance:
    """Write the locked row, and tell the outbox of thresholds that were crossed by now.

    After an increase that leaves too little, another top-up is due.
    """
    await account_store.save(conn, state)
    balance = await account_store.balance(conn, state.account_id, at)
    if is_increase:
        state = msgspec.structs.replace(state, is_top_up_due=False)
    after = watched(state, balance.available)
    for kind in crossed(state, after):
        fell = CreditsFell(balance.available)
        await outbox.append(conn, state.account_id, kind, fell)
    await account_store.save(conn, after)
    return balance


def watched(state: State, available: int) -> State:
    """Return the row with what is true of it now."""
    return msgspec.structs.replace(
        state,
        is_low=state.alert_below is not None and available < state.alert_below,
        is_top_up_due=state.top_up_below is not None and available < state.top_up_below,
    )


def crossed(was: State, now: State) -> Iterator[str]:
    """Yield the kind of each event that tells of a threshold newly crossed."""
    if now.is_low and not was.is_low:
        yield CREDITS_LOW
    if now.is_top_up_due and not was.is_top_up_due:
        yield CREDITS_TOP_UP_DUE
