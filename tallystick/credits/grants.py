"""Giving credits, and taking back what is unspent of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from msgspec.structs import replace

from tallystick.credits import account_store, grant_store
from tallystick.credits.burn import lapsed, usable
from tallystick.credits.model import Allocation, Grant, NewGrant, Source
from tallystick.credits.watch import save_and_watch
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import new_id, show
from tallystick.ledger import service as ledger
from tallystick.ledger.model import (
    CREDIT,
    CREDITS,
    CREDITS_ISSUED,
    CREDITS_TRANSFERRED,
    CREDITS_USED,
    Entry,
    Posting,
)

log = structlog.get_logger()

PRIORITY_MAX: Final = 32_000
GIVEN_BY: Final[dict[Source, str]] = {"refund": CREDITS_USED, "transfer": CREDITS_TRANSFERRED}
"""Which account of the house gives; all others are issued anew."""


async def grant(
    conn: Connection, account_id: UUID, new: NewGrant, *, key: str, at: datetime
) -> Grant:
    """Give credits within the open transaction; the same key gives them once.

    They pay back first what the account owes by an overdraft. Raises BadInput for instants or a
    priority that can not be; Conflict `credit_key_conflict` for a key that gave something else.
    """
    _check(new, at)
    state = await account_store.lock(conn, account_id)
    known = await grant_store.by_keys(conn, account_id, [key])
    if known:
        return _same(known[0], new)
    made = _made(account_id, new, key, at)
    paid_back = min(state.owed, usable(made, at))
    made = replace(made, remaining=made.amount - paid_back)
    await grant_store.insert(conn, made, due_at(made))
    if paid_back:
        part = Allocation(made.credit_grant_id, paid_back)
        await grant_store.allocate(conn, account_id, made.ledger_entry_id, part)
    await ledger.post(conn, account_id, _entry(made), ledger_entry_id=made.ledger_entry_id)
    state = replace(state, owed=state.owed - paid_back)
    await save_and_watch(conn, state, at, is_increase=True)
    log.info("credits_granted", account_id=str(account_id), source=new.source, units=new.units)
    return made


async def revoke_unspent(
    conn: Connection,
    account_id: UUID,
    *,
    reference: str,
    source: Source,
    key: str,
    at: datetime,
    units_max: int | None = None,
) -> int:
    """Take back what is unspent of the grants that `reference` caused; return how much that is.

    In 1/100,000 credits, `units_max` at most. The same key takes once and answers the same. What
    has lapsed by `at` is gone already.
    """
    await account_store.lock(conn, account_id)
    found = await grant_store.by_reference(conn, account_id, reference, source)
    return await _revoke(conn, account_id, found, key=key, at=at, units_max=units_max)


async def revoke_granted(
    conn: Connection,
    account_id: UUID,
    grant_keys: Sequence[str],
    *,
    key: str,
    at: datetime,
    units_max: int | None = None,
) -> int:
    """Take back what is unspent of the grants with these keys; else as `revoke_unspent`."""
    await account_store.lock(conn, account_id)
    found = await grant_store.by_keys(conn, account_id, grant_keys)
    return await _revoke(conn, account_id, found, key=key, at=at, units_max=units_max)


async def _revoke(
    conn: Connection,
    account_id: UUID,
    grants: Sequence[Grant],
    *,
    key: str,
    at: datetime,
    units_max: int | None,
) -> int:
    before = [await _taken_before(conn, one, key) for one in grants]
    if any(before):
        return sum(before)
    left = sum(one.amount for one in grants) if units_max is None else units_max
    taken = 0
    for one in grants:
        # What has lapsed is breakage; what is not effective yet is unspent all the same.
        part = min(one.remaining - lapsed(one, at), left - taken)
        if part > 0:
            named = _revocation_key(one, key)
            await take_from(
                conn, one, part, at,
                key=named, kind="credit_revocation", counter_account=CREDITS_ISSUED,
            )  # fmt: skip
            taken += part
    await save_and_watch(conn, await account_store.lock(conn, account_id), at)
    return taken


async def take_from(
    conn: Connection,
    grant: Grant,
    units: int,
    at: datetime,
    *,
    key: str,
    kind: str,
    counter_account: str,
) -> Grant:
    """Take so much from one grant, with its entry; return what is left. The account is locked."""
    entry_id = new_id()
    cap = grant.cap
    if cap is not None and grant.cap_at is not None and at >= grant.cap_at:
        cap = max(cap - units, 0)
    after = replace(grant, remaining=grant.remaining - units, cap=cap)
    await grant_store.save(conn, after, due_at(after))
    await grant_store.allocate(
        conn, grant.account_id, entry_id, Allocation(grant.credit_grant_id, units)
    )
    entry = Entry(
        idempotency_key=f"credits:{key}",
        kind=kind,
        reference=show("credit_grant", grant.credit_grant_id),
        reason=grant.reason,
        at=at,
        postings=(Posting(CREDITS, CREDIT, units), Posting(counter_account, CREDIT, -units)),
    )
    await ledger.post(conn, grant.account_id, entry, ledger_entry_id=entry_id)
    return after


def due_at(grant: Grant) -> datetime | None:
    """Return when the next of the grant lapses; None: never, or nothing is left."""
    if grant.remaining == 0:
        return None
    instants = [at for at in (grant.cap_at, grant.expires_at) if at is not None]
    return min(instants, default=None)


def _made(account_id: UUID, new: NewGrant, key: str, at: datetime) -> Grant:
    return Grant(
        account_id=account_id,
        credit_grant_id=new_id(),
        idempotency_key=key,
        ledger_entry_id=new_id(),
        source=new.source,
        amount=new.units,
        remaining=new.units,
        priority=new.priority,
        effective_at=new.effective_at or at,
        expires_at=new.expires_at,
        cap_at=new.cap_at,
        cap=new.cap_units,
        reference=new.reference,
        reason=new.reason,
        created_at=at,
        refunded_entry_id=new.refunded_entry_id,
        refunded_grant_id=new.refunded_grant_id,
    )


def _entry(grant: Grant) -> Entry:
    giver = GIVEN_BY.get(grant.source, CREDITS_ISSUED)
    return Entry(
        idempotency_key=f"credits:grant:{grant.idempotency_key}",
        kind="credit_grant",
        reference=grant.reference or show("credit_grant", grant.credit_grant_id),
        reason=grant.reason,
        at=grant.created_at,
        postings=(
            Posting(giver, CREDIT, grant.amount),
            Posting(CREDITS, CREDIT, -grant.amount),
        ),
    )


def _check(new: NewGrant, at: datetime) -> None:
    if not -PRIORITY_MAX <= new.priority <= PRIORITY_MAX:
        raise BadInput.field("priority", "out_of_range", f"must be within ±{PRIORITY_MAX}")
    if new.expires_at is not None and new.expires_at <= max(at, new.effective_at or at):
        raise BadInput.field("expires_at", "in_the_past", "must be after now and effective_at")


def _same(known: Grant, new: NewGrant) -> Grant:
    if (known.source, known.amount, known.reference) != (new.source, new.units, new.reference):
        raise key_conflict()
    return known


def key_conflict() -> Conflict:
    """Return the error for a key that was used for another intent."""
    return Conflict(
        "credit_key_conflict",
        "This key was used for something else; another intent needs another key.",
    )


def _revocation_key(grant: Grant, key: str) -> str:
    return f"revoke:{key}:{grant.credit_grant_id}"


async def _taken_before(conn: Connection, grant: Grant, key: str) -> int:
    ledger_key = f"credits:{_revocation_key(grant, key)}"
    found = await ledger.find_entry(conn, grant.account_id, ledger_key)
    postings = found.postings if found else ()
    return sum(one.amount for one in postings if one.ledger_account == CREDITS)
