"""Credits from one account to another."""

from datetime import datetime
from uuid import UUID

from tallystick.credits import account_store, grant_store
from tallystick.credits.debits import debit_within
from tallystick.credits.grants import grant
from tallystick.credits.model import Debit, Grant, NewGrant
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput
from tallystick.kernel.ids import show

TRANSFER = "transfer"


async def transfer(
    conn: Connection,
    from_account: UUID,
    to_account: UUID,
    units: int,
    *,
    key: str,
    at: datetime,
    reason: str = "",
) -> tuple[Grant, ...]:
    """Move credits in burn order; they keep priority and expiry. The same key moves them once.

    An overdraft can not be moved. Needs the writer's scope. Raises PaymentRequired
    `insufficient_credits`, BadInput for a transfer to itself.
    """
    if from_account == to_account:
        raise BadInput.field("to_account", "same_account", "must be another account")
    for account_id in sorted((from_account, to_account)):
        await account_store.lock(conn, account_id)
    name = f"transfer:{show('account', from_account)}:{key}"
    debit = Debit(
        account_id=from_account,
        key=f"transfer:{show('account', to_account)}:{key}",
        at=at,
        kind="transfer",
        operation=TRANSFER,
        units=units,
        description=reason,
    )
    answer = await debit_within(conn, debit)
    parts = await grant_store.allocations(conn, from_account, answer.ledger_entry_id)
    if sum(part.units for part in parts) < units:
        raise BadInput.field("credits", "overdraft_not_movable", "is more than there is to move")
    ids = [part.credit_grant_id for part in parts]
    origins = await grant_store.by_ids(conn, from_account, ids)
    moved: list[Grant] = []
    for part in sorted(parts, key=lambda one: one.credit_grant_id):
        origin = origins[part.credit_grant_id]
        new = NewGrant(
            source="transfer",
            units=part.units,
            priority=origin.priority,
            expires_at=origin.expires_at,
            reference=show("account", from_account),
            reason=reason,
        )
        numbered = f"{name}:{len(moved)}"
        moved.append(await _moved(conn, to_account, new, numbered, at))
    return tuple(moved)


async def _moved(
    conn: Connection, account_id: UUID, new: NewGrant, key: str, at: datetime
) -> Grant:
    """Grant it, or return what was granted then: by now it may have expired."""
    known = await grant_store.by_keys(conn, account_id, [key])
    return known[0] if known else await grant(conn, account_id, new, key=key, at=at)
