"""Giving back what a debit took, and adjusting what is there."""

from collections import Counter
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from tallystick.credits import account_store, debit_store, grant_store
from tallystick.credits.amounts import to_units
from tallystick.credits.burn import burn_order
from tallystick.credits.debits import debit_within
from tallystick.credits.grants import grant, key_conflict
from tallystick.credits.model import (
    PRIORITY_DEFAULT,
    Allocation,
    Debit,
    Debited,
    Grant,
    NewGrant,
    UsageRow,
)
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict, NotFound
from tallystick.kernel.ids import show

ADJUSTMENT = "adjustment"


class Slice(msgspec.Struct, frozen=True):
    """So much of a refund goes back as what came from this grant (None: from the overdraft)."""

    origin: Grant | None
    units: int


async def refund(
    conn: Connection,
    account_id: UUID,
    debit_key: str,
    *,
    key: str,
    at: datetime,
    units: int | None = None,
) -> tuple[Grant, ...]:
    """Give back a debit, or `units` of it; the same key gives back once.

    Each part comes back with the priority and the expiry of the grant that it was taken from, the
    last taken first; what would have expired by `at` does not come back. An overdraft is paid back
    first. Raises NotFound `credit_debit_not_found`, Conflict `refund_exceeds_debit`.
    """
    await account_store.lock(conn, account_id)
    debit = await debit_store.find(conn, account_id, debit_key, "usage")
    if debit is None:
        raise NotFound("credit_debit_not_found", "There is no such debit of credits.")
    entry_id = debit.ledger_entry_id
    before = await grant_store.refunds_of(conn, account_id, entry_id)
    known = tuple(one for one in before if one.idempotency_key.startswith(f"refund:{key}:"))
    if known:
        return known
    parts = await grant_store.allocations(conn, account_id, entry_id)
    origins = await grant_store.by_ids(conn, account_id, [one.credit_grant_id for one in parts])
    given = []
    for number, one in enumerate(slices(debit, parts, origins, before, units)):
        new = _refunded(debit, one)
        if new.expires_at is None or new.expires_at > at:
            named = f"refund:{key}:{number}"
            given.append(await grant(conn, account_id, new, key=named, at=at))
    return tuple(given)


def slices(
    debit: UsageRow,
    parts: tuple[Allocation, ...],
    origins: dict[UUID, Grant],
    before: tuple[Grant, ...],
    units: int | None,
) -> tuple[Slice, ...]:
    """Return in which parts to give back `units` (None: all that is left) of a debit. Pure."""
    returned: Counter[UUID | None] = Counter()
    for one in before:
        returned[one.refunded_grant_id] += one.amount
    overdrawn = debit.credits - sum(part.units for part in parts)
    taken = sorted(parts, key=lambda part: burn_order(origins[part.credit_grant_id]), reverse=True)
    left = [Slice(None, overdrawn - returned[None])] + [
        Slice(origins[part.credit_grant_id], part.units - returned[part.credit_grant_id])
        for part in taken
    ]
    wanted = sum(one.units for one in left) if units is None else units
    if wanted > sum(one.units for one in left):
        raise Conflict("refund_exceeds_debit", "So much was not taken, or was given back already.")
    found = []
    for slice_ in left:
        part = min(slice_.units, wanted)
        if part > 0:
            found.append(Slice(slice_.origin, part))
            wanted -= part
    return tuple(found)


async def adjust(
    conn: Connection, account_id: UUID, amount: Decimal, *, reason: str, key: str, at: datetime
) -> Grant | Debited:
    """Add credits (as a manual grant) or, below zero, take them; the same key does so once.

    Raises PaymentRequired `insufficient_credits` for more than can be spent, BadInput, Conflict
    `credit_key_conflict` for a key that adjusted something else.
    """
    units = to_units(abs(amount))
    await account_store.lock(conn, account_id)
    if amount > 0:
        if await debit_store.find(conn, account_id, f"adjust:{key}", "adjustment"):
            raise key_conflict()
        new = NewGrant(source="manual", units=units, reason=reason)
        return await grant(conn, account_id, new, key=f"adjust:{key}", at=at)
    if await grant_store.by_keys(conn, account_id, [f"adjust:{key}"]):
        raise key_conflict()
    debit = Debit(
        account_id=account_id,
        key=f"adjust:{key}",
        at=at,
        kind="adjustment",
        operation=ADJUSTMENT,
        units=units,
        description=reason,
    )
    return await debit_within(conn, debit)


def _refunded(debit: UsageRow, one: Slice) -> NewGrant:
    origin = one.origin
    return NewGrant(
        source="refund",
        units=one.units,
        reference=show("ledger_entry", debit.ledger_entry_id),
        reason=f"Refund of {debit.operation}",
        refunded_entry_id=debit.ledger_entry_id,
        refunded_grant_id=origin.credit_grant_id if origin else None,
        priority=origin.priority if origin else PRIORITY_DEFAULT,
        expires_at=origin.expires_at if origin else None,
    )
