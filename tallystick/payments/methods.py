"""Saved methods of an account: kept, shown, ordered, removed.

While an account has an active method that a gateway keeps, exactly one is its default. A removed
one never comes back: a gateway does not attach it again either, so news that say it is there are
old.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from tallystick.kernel import outbox
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput, FieldError, NotFound
from tallystick.kernel.ids import new_id, parse, show, unknown
from tallystick.payments import expiry_store
from tallystick.payments import method_store as store
from tallystick.payments.events import (
    PAYMENT_METHOD_REMOVED,
    PAYMENT_METHOD_SAVED,
    PaymentMethodRemoved,
    PaymentMethodSaved,
)
from tallystick.payments.expiry import first_watch
from tallystick.payments.model import PaymentMethod
from tallystick.payments.requests import MethodDescription

MANUAL: Final = "manual"
ACTIVE: Final = "active"
REMOVED: Final = "removed"
_ORDER: Final = "payment_method_ids"


async def list_methods(conn: Connection, account_id: UUID) -> tuple[PaymentMethod, ...]:
    """Return the account's active methods by priority."""
    return tuple(await store.active(conn, account_id))


async def has_method(conn: Connection, account_id: UUID) -> bool:
    """Tell whether the account's default is a method that can be charged, not one it only noted."""
    default = await store.default(conn, account_id)
    return default is not None and default.gateway != MANUAL


async def default_method(conn: Connection, account_id: UUID) -> PaymentMethod | None:
    """Return the method that autopay charges; None without any method."""
    return await store.default(conn, account_id)


async def find_method(conn: Connection, account_id: UUID, name: str) -> PaymentMethod:
    """Return an active method by our id or by the gateway's token; raises NotFound."""
    try:
        return await get_method(conn, account_id, parse("payment_method", name))
    except NotFound:
        # Stripe's tokens begin with `pm_` like our ids do.
        found = await store.find_active_token(conn, account_id, name)
    if found is None:
        raise unknown("payment_method")
    return found


async def method_of(conn: Connection, account_id: UUID, payment_id: UUID) -> PaymentMethod | None:
    """Return what a payment is collected with, active or not; None: nothing that is saved."""
    return await store.find_of_payment(conn, account_id, payment_id)


async def get_method(conn: Connection, account_id: UUID, method_id: UUID) -> PaymentMethod:
    """Return an active method; raises NotFound."""
    found = await store.find(conn, account_id, method_id)
    if found is None or found.status != ACTIVE:
        raise unknown("payment_method")
    return found


async def save(
    conn: Connection, account_id: UUID, gateway: str, described: MethodDescription, now: datetime
) -> PaymentMethod | None:
    """Keep a method as its gateway describes it; the first one becomes the default.

    Known ones are brought up to date. None when it was removed: that is final.
    """
    await store.lock_methods(conn, account_id)
    known = await store.find_by_token(conn, account_id, gateway, described.token)
    if known is not None:
        return await _update(conn, known, described)
    method = _new(account_id, gateway, described, now)
    method = replace(
        method,
        priority=await store.last_priority(conn, account_id) + 1,
        is_default=await store.default(conn, account_id) is None,
    )
    await store.insert(conn, method)
    await expiry_store.set_watch(conn, method, first_watch(method.card))
    told = PaymentMethodSaved(method.payment_method_id)
    await outbox.append(conn, account_id, PAYMENT_METHOD_SAVED, told)
    return method


async def forget(
    conn: Connection, account_id: UUID, gateway: str, described: MethodDescription, now: datetime
) -> None:
    """Follow a gateway that removed a method.

    One that we never saw leaves a removed row too, so that late news of its saving find it.
    """
    await store.lock_methods(conn, account_id)
    known = await store.find_by_token(conn, account_id, gateway, described.token)
    if known is None:
        removed = replace(_new(account_id, gateway, described, now), status=REMOVED)
        await store.insert(conn, removed)
    elif known.status == ACTIVE:
        await _remove(conn, known)


async def drop_detached(conn: Connection, account_id: UUID, gateway: str, token: str) -> bool:
    """Remove a method that its gateway shows without an owner; False when it is not active here.

    No row is left for one that we never saw: it may only be on its way to its owner.
    """
    await store.lock_methods(conn, account_id)
    known = await store.find_by_token(conn, account_id, gateway, token)
    if known is None or known.status != ACTIVE:
        return False
    await _remove(conn, known)
    return True


async def drop_customer(
    conn: Connection, account_id: UUID, gateway: str, token: str, now: datetime
) -> None:
    """Follow a gateway that deleted the account's customer, and all its methods with it.

    The next method that is saved there makes a new customer.
    """
    await store.lock_methods(conn, account_id)
    if not await store.unlink(conn, account_id, gateway, token, now):
        return
    for method in await store.active(conn, account_id):
        if method.gateway == gateway:
            await _remove(conn, method)


async def remove(conn: Connection, account_id: UUID, method_id: UUID) -> None:
    """Remove a method; the gateway is told through the outbox. Raises NotFound."""
    await store.lock_methods(conn, account_id)
    method = await get_method(conn, account_id, method_id)
    await _remove(conn, method)
    told = PaymentMethodRemoved(method.payment_method_id, method.gateway, method.token)
    await outbox.append(conn, account_id, PAYMENT_METHOD_REMOVED, told)


async def set_default(conn: Connection, account_id: UUID, method_id: UUID) -> PaymentMethod:
    """Make a method the only default; raises NotFound."""
    await store.lock_methods(conn, account_id)
    method = await get_method(conn, account_id, method_id)
    await store.set_default(conn, method)
    return replace(method, is_default=True)


async def set_priorities(
    conn: Connection, account_id: UUID, names: Sequence[str]
) -> tuple[PaymentMethod, ...]:
    """Order the methods, named by our ids or the gateways' tokens: the first gets priority 1.

    All active ones must be named, once; raises BadInput. The default stays what it is: it is
    charged first, and the others follow by priority.
    """
    await store.lock_methods(conn, account_id)
    active = await store.active(conn, account_id)
    ordered = in_order(active, names)
    for place, method in enumerate(ordered, 1):
        await store.set_priority(conn, method, place)
    return await list_methods(conn, account_id)


def in_order(active: Sequence[PaymentMethod], names: Sequence[str]) -> list[PaymentMethod]:
    """Return the methods in the order of these names; raises BadInput unless all are there once."""
    by_name = {method.token: method for method in active}
    by_name |= {show("payment_method", method.payment_method_id): method for method in active}
    errors = [
        FieldError(
            f"{_ORDER}[{at}]", "unknown_payment_method", "names no payment method of the account"
        )
        for at, name in enumerate(names)
        if name not in by_name
    ]
    if errors:
        raise BadInput("validation_failed", "The order can not be used.", errors=errors)
    ordered = [by_name[name] for name in names]
    named = {method.payment_method_id for method in ordered}
    if len(ordered) != len(active) or len(named) != len(active):
        raise BadInput.field(_ORDER, "incomplete", "must name every payment method once")
    return ordered


async def _update(
    conn: Connection, known: PaymentMethod, described: MethodDescription
) -> PaymentMethod | None:
    if known.status == REMOVED:
        return None
    shown = replace(known, type=described.type, card=described.card, bank=described.bank)
    if shown != known:
        await store.show(conn, shown)
    if shown.card != known.card:
        await expiry_store.set_watch(conn, shown, first_watch(shown.card))
    return shown


async def _remove(conn: Connection, method: PaymentMethod) -> None:
    """Remove a method; if it was the default, the next by priority is from now on.

    One that the account only noted becomes the default when a person makes it so.
    """
    await store.remove(conn, method)
    left = [one for one in await store.active(conn, method.account_id) if one.gateway != MANUAL]
    if method.is_default and left:
        await store.set_default(conn, left[0])


def _new(
    account_id: UUID, gateway: str, described: MethodDescription, now: datetime
) -> PaymentMethod:
    return PaymentMethod(
        account_id=account_id,
        payment_method_id=new_id(),
        gateway=gateway,
        token=described.token,
        type=described.type,
        card=described.card,
        bank=described.bank,
        priority=1,
        is_default=False,
        status=ACTIVE,
        created_at=now,
    )
