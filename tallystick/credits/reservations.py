"""Holding credits for an operation whose use is known when it ends."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from tallystick.credits import account_store, reservation_store
from tallystick.credits.debits import insufficient
from tallystick.credits.grants import key_conflict
from tallystick.credits.model import Debited, Reservation, ReservationStatus
from tallystick.credits.service import CreditService, Deduct, check
from tallystick.credits.watch import save_and_watch
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import new_id, unknown

SECONDS_MAX: Final = 7 * 86_400
SECONDS_DEFAULT: Final = 900


async def reserve(
    conn: Connection, credits_: CreditService, wanted: Deduct, *, seconds: int
) -> Reservation:
    """Hold credits for `seconds` within the open transaction; the same key holds them once.

    What is held can not be spent by others, and is free again when the time is over, whether or not
    a worker ran. Raises PaymentRequired `insufficient_credits`, BadInput, Conflict
    `credit_key_conflict`.
    """
    check(wanted)
    if not 1 <= seconds <= SECONDS_MAX:
        raise BadInput.field("ttl_seconds", "out_of_range", f"must be from 1 to {SECONDS_MAX}")
    state = await account_store.lock(conn, wanted.account_id)
    known = await reservation_store.find_by_key(conn, wanted.account_id, wanted.key)
    debit = await credits_.priced_on(conn, wanted)
    if known is not None:
        if not _is_same(known, wanted, debit.units):
            raise key_conflict()
        return known
    balance = await account_store.balance(conn, wanted.account_id, wanted.at)
    if debit.units > balance.spendable:
        raise insufficient(debit.units, balance.spendable)
    made = Reservation(
        account_id=wanted.account_id,
        credit_reservation_id=new_id(),
        idempotency_key=wanted.key,
        amount=debit.units,
        operation=wanted.operation,
        model=wanted.model,
        quantity=wanted.quantity,
        status=ReservationStatus.ACTIVE,
        expires_at=wanted.at + timedelta(seconds=seconds),
        settled_key=None,
        created_at=wanted.at,
    )
    await reservation_store.insert(conn, made)
    held = replace(state, reserved=state.reserved + made.amount)
    await save_and_watch(conn, held, wanted.at)
    return made


async def settle(
    conn: Connection, credits_: CreditService, reservation_id: UUID, wanted: Deduct
) -> Debited:
    """End a reservation with what was really used, less or more than was held.

    What was not used is free again. Raises NotFound; Conflict `reservation_not_active` when it was
    released, ran out, or was settled under another key; else as `deduct`, and then it stays active.
    """
    state = await account_store.lock(conn, wanted.account_id)
    found = await get_reservation(conn, wanted.account_id, reservation_id)
    if found.status is ReservationStatus.SETTLED and found.settled_key == wanted.key:
        return await credits_.deduct_within(conn, wanted)
    _need_active(found, wanted.at)
    ended = replace(found, status=ReservationStatus.SETTLED, settled_key=wanted.key)
    await reservation_store.end(conn, ended)
    await account_store.save(conn, replace(state, reserved=state.reserved - found.amount))
    answer = await credits_.deduct_within(conn, wanted)
    await _watch(conn, wanted.account_id, wanted.at)
    return answer


async def release(
    conn: Connection, account_id: UUID, reservation_id: UUID, at: datetime
) -> Reservation:
    """End a reservation without using anything; again changes nothing.

    Raises NotFound; Conflict `reservation_not_active` when it was settled or ran out.
    """
    state = await account_store.lock(conn, account_id)
    found = await get_reservation(conn, account_id, reservation_id)
    if found.status is ReservationStatus.RELEASED:
        return found
    _need_active(found, at)
    ended = replace(found, status=ReservationStatus.RELEASED)
    await reservation_store.end(conn, ended)
    await save_and_watch(conn, replace(state, reserved=state.reserved - found.amount), at)
    return ended


async def expire_due(conn: Connection, account_id: UUID, now: datetime) -> int:
    """Write down which of the account's reservations ran out by `now`; return how many."""
    state = await account_store.lock(conn, account_id)
    due = await reservation_store.expired(conn, account_id, now)
    for one in due:
        await reservation_store.end(conn, replace(one, status=ReservationStatus.EXPIRED))
    held = state.reserved - sum(one.amount for one in due)
    await save_and_watch(conn, replace(state, reserved=held), now)
    return len(due)


async def get_reservation(conn: Connection, account_id: UUID, reservation_id: UUID) -> Reservation:
    """Return one reservation; raises NotFound."""
    found = await reservation_store.find(conn, account_id, reservation_id)
    if found is None:
        raise unknown("credit_reservation")
    return found


async def _watch(conn: Connection, account_id: UUID, at: datetime) -> None:
    await save_and_watch(conn, await account_store.lock(conn, account_id), at)


def _is_same(known: Reservation, wanted: Deduct, units: int) -> bool:
    """Tell whether both say the same; a price may have changed between the first and a retry."""
    said = (known.operation, known.model, known.quantity)
    is_priced = wanted.credits is None
    return said == (wanted.operation, wanted.model, wanted.quantity) and (
        is_priced or known.amount == units
    )


def _need_active(found: Reservation, at: datetime) -> None:
    if found.status is not ReservationStatus.ACTIVE:
        raise Conflict("reservation_not_active", f"The reservation is {found.status}.")
    if at >= found.expires_at:
        raise Conflict("reservation_not_active", "The reservation ran out; deduct without it.")
