"""Selling add-ons and coupons, and giving coupons to accounts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from tallystick.catalog import offer_store as store
from tallystick.catalog.discounts import redeem, refuse_redemption
from tallystick.catalog.features import features_by_codes
from tallystick.catalog.offer_checks import check_add_on, check_coupon
from tallystick.catalog.offer_model import AddOn, Coupon, NewAddOn, NewCoupon, Redemption
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import new_id, unknown


async def create_add_on(conn: Connection, new: NewAddOn, now: datetime) -> AddOn:
    """Sell an add-on from now on, in place of what its code was sold as before.

    Raises BadInput naming every field that can not be taken.
    """
    checked = check_add_on(new, await features_by_codes(conn, new.features))
    await store.lock_code(conn, "add_on", checked.code)
    await store.retire_add_on(conn, checked.code, now)
    return await store.insert_add_on(conn, new_id(), checked, now)


async def retire_add_on(conn: Connection, code: str, now: datetime) -> AddOn:
    """Sell an add-on no more; raises NotFound `add_on_not_found`."""
    await store.lock_code(conn, "add_on", code)
    retired = await store.retire_add_on(conn, code, now)
    if retired is None:
        raise unknown("add_on")
    return retired


async def list_add_ons(conn: Connection) -> tuple[AddOn, ...]:
    """Return the add-ons that are sold, by code."""
    return await store.add_ons(conn)


async def sold_add_on(conn: Connection, code: str) -> AddOn:
    """Return what is sold under this code; raises NotFound `add_on_not_found`."""
    found = await store.add_on(conn, code)
    if found is None:
        raise unknown("add_on")
    return found


async def create_coupon(conn: Connection, new: NewCoupon, now: datetime) -> Coupon:
    """Let a coupon be redeemed from now on; who redeemed an earlier version keeps that one.

    Raises BadInput naming every field that can not be taken.
    """
    checked = check_coupon(new)
    await store.lock_code(conn, "coupon", checked.code)
    await store.retire_coupon(conn, checked.code, now)
    return await store.insert_coupon(conn, new_id(), checked, now)


async def retire_coupon(conn: Connection, code: str, now: datetime) -> Coupon:
    """Let a coupon be redeemed no more; raises NotFound `coupon_not_found`."""
    await store.lock_code(conn, "coupon", code.upper())
    retired = await store.retire_coupon(conn, code.upper(), now)
    if retired is None:
        raise unknown("coupon")
    return retired


async def list_coupons(conn: Connection) -> tuple[Coupon, ...]:
    """Return the coupons that can be redeemed, by code."""
    return await store.coupons(conn)


async def redeem_coupon(
    conn: Connection, account_id: UUID, currency: str, code: str, at: datetime
) -> Redemption:
    """Give the account the coupon, at `at` (its present); `currency` is the account's.

    Under the writer's scope, which alone counts the redemptions of all accounts. Raises NotFound
    `coupon_not_found`, Conflict `coupon_not_valid`, `coupon_used_up`, `coupon_redeemed`,
    `coupon_currency_differs`.
    """
    coupon = await store.lock_coupon(conn, code.upper())
    if coupon is None:
        raise unknown("coupon")
    all_count, own_count = await store.count_redemptions(conn, coupon.code, account_id)
    refuse_redemption(coupon, currency, at, all_count=all_count, own_count=own_count)
    made = redeem(coupon, account_id, new_id(), currency, at)
    await store.insert_redemption(conn, made)
    return made


async def end_redemption(
    conn: Connection, account_id: UUID, redemption_id: UUID, at: datetime
) -> None:
    """Let the account's coupon lower nothing more.

    Raises NotFound `coupon_redemption_not_found`, Conflict `coupon_redemption_ended`.
    """
    if await store.end_redemption(conn, account_id, redemption_id, at):
        return
    if redemption_id in {one.redemption_id for one in await store.redemptions(conn, account_id)}:
        raise Conflict("coupon_redemption_ended", "The account's coupon has ended already.")
    raise unknown("coupon_redemption")


async def list_redemptions(conn: Connection, account_id: UUID) -> tuple[Redemption, ...]:
    """Return the account's coupons, oldest first, also those that have ended."""
    return await store.redemptions(conn, account_id)


async def open_redemptions(
    conn: Connection, account_ids: Sequence[UUID]
) -> Mapping[UUID, tuple[Redemption, ...]]:
    """Return the coupons that can lower invoices of these accounts, oldest first; many at once."""
    return _by_account(await store.open_redemptions(conn, account_ids, lock=False))


async def lock_redemptions(
    conn: Connection, account_ids: Sequence[UUID]
) -> Mapping[UUID, tuple[Redemption, ...]]:
    """Return the same, locked until the transaction ends: for who issues the invoices."""
    return _by_account(await store.open_redemptions(conn, account_ids, lock=True))


async def use_redemptions(conn: Connection, account_id: UUID, left: Sequence[Redemption]) -> None:
    """Keep what an invoice left of the account's coupons (`discounts.after_invoice`)."""
    if left:
        await store.use_redemptions(conn, account_id, left)


async def give_back(conn: Connection, account_id: UUID, taken: Mapping[UUID, int]) -> None:
    """Give coupons back what an invoice that is void took of them: minor units by redemption."""
    if taken:
        await store.give_back(conn, account_id, taken)


def _by_account(found: Iterable[Redemption]) -> Mapping[UUID, tuple[Redemption, ...]]:
    grouped: dict[UUID, list[Redemption]] = {}
    for one in found:
        grouped.setdefault(one.account_id, []).append(one)
    return {account_id: tuple(own) for account_id, own in grouped.items()}
