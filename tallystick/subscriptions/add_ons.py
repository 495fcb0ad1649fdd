"""Add-ons of subscriptions: put on, taken off, and what of them is due at once. The dues are pure.

An add-on of each period is billed with the plan's fees, in advance or in arrears as they are, and
for the days on which it was there. What is billed at once is the difference for the time that was
paid in advance already; one that is billed once is billed when it is put on.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tallystick.catalog.model import PlanVersion
from tallystick.catalog.offer_model import AddOn
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import new_id, unknown
from tallystick.subscriptions import add_on_store as store
from tallystick.subscriptions.bills import Step, billed
from tallystick.subscriptions.lifecycle import QUANTITY_MAX
from tallystick.subscriptions.model import RUNNING, AttachedAddOn, Status, Subscription
from tallystick.subscriptions.periods import Period
from tallystick.subscriptions.proration import Share, stops_to_count
from tallystick.subscriptions.terms import (
    FlatDue,
    add_on_billing,
    add_on_dues,
    fee_period,
    price_of,
)

_MICROSECOND: Final = timedelta(microseconds=1)
_ONCE: Final = Share("period", 0, 1, 1)
_TAKES: Final = RUNNING | {Status.PENDING, Status.PAUSED}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """How an add-on is put on: so many, from `starts_at` (None: now) to before `ends_at`."""

    quantity: int = 1
    starts_at: datetime | None = None
    ends_at: datetime | None = None


async def put_on(
    conn: Connection, on: Subscription, add_on: AddOn, asked: Asked, now: datetime
) -> AttachedAddOn:
    """Give a locked subscription an add-on, in the version that is sold now.

    Raises BadInput for what can not be, Conflict `add_on_not_in_currency` where it has no price in
    the subscription's currency, `subscription_not_active` where that has ended or not begun.
    """
    _check(on, add_on, asked, now)
    made = AttachedAddOn(
        account_id=on.account_id,
        subscription_add_on_id=new_id(),
        subscription_id=on.subscription_id,
        add_on_id=add_on.add_on_id,
        code=add_on.code,
        name=add_on.name,
        charge=add_on.charge,
        amount=add_on.amounts[on.currency],
        features=add_on.features,
        quantity=asked.quantity,
        starts_at=asked.starts_at or now,
        ends_at=asked.ends_at,
        attached_at=now,
    )
    await store.insert(conn, made)
    return made


async def find(conn: Connection, account_id: UUID, named: UUID) -> AttachedAddOn:
    """Return an add-on and lock it; raises NotFound `subscription_add_on_not_found`."""
    found = await store.lock(conn, account_id, named)
    if found is None:
        raise unknown("subscription_add_on")
    return found


async def take_off(
    conn: Connection, was: AttachedAddOn, at: datetime | None, now: datetime
) -> AttachedAddOn:
    """Let an add-on end at `at`, None: now.

    Raises BadInput for the past, Conflict `add_on_ended` when it ends before that anyway.
    """
    ends_at = at or now
    if ends_at < now:
        raise BadInput.field("at", "in_the_past", "must not lie in the past.")
    if was.ends_at is not None and was.ends_at <= ends_at:
        raise Conflict("add_on_ended", "The add-on ends before that; there is nothing to take off.")
    ended = replace(was, ends_at=max(ends_at, was.starts_at))
    assert ended.ends_at is not None  # noqa: S101 -- set in the line above
    await store.end(conn, was.account_id, was.subscription_add_on_id, ended.ends_at)
    return ended


async def list_add_ons(conn: Connection, account_id: UUID) -> tuple[AttachedAddOn, ...]:
    """Return the add-ons that the account's subscriptions have or had, the oldest first."""
    return await store.of_accounts(conn, [account_id])


async def by_subscription(
    conn: Connection, account_ids: Collection[UUID]
) -> dict[UUID, tuple[AttachedAddOn, ...]]:
    """Return the add-ons of these accounts' subscriptions."""
    found: dict[UUID, tuple[AttachedAddOn, ...]] = {}
    for one in await store.of_accounts(conn, account_ids):
        found[one.subscription_id] = (*found.get(one.subscription_id, ()), one)
    return found


def step_of(on: Subscription, dues: tuple[FlatDue, ...], at: datetime) -> Step:
    """Return the step that bills these dues by themselves."""
    return Step(at=at, period=dues[0].part, dues=dues, after=billed(on))


def due_when_put_on(
    on: Subscription, plan: PlanVersion, add_on: AttachedAddOn
) -> tuple[FlatDue, ...]:
    """Return what is due at once: all of what is billed once, or what fees are paid ahead for."""
    if add_on.charge == "once":
        return (_once(on, plan, add_on),)
    paid = _paid_ahead(on, plan)
    if paid is None:
        return ()
    whole = fee_period(on, plan, paid.end - _MICROSECOND)
    return tuple(add_on_dues(on, plan, add_on, whole=whole, part=paid))


def due_when_taken_off(
    on: Subscription, plan: PlanVersion, was: AttachedAddOn, ends_at: datetime
) -> tuple[FlatDue, ...]:
    """Return what was paid ahead and is given back."""
    paid = _paid_ahead(on, plan)
    if paid is None:
        return ()
    unused = max(paid.start, stops_to_count(plan.proration, ends_at, on.timezone))
    whole = fee_period(on, plan, paid.end - _MICROSECOND)
    part = Period(min(unused, paid.end), paid.end)
    return tuple(add_on_dues(on, plan, was, whole=whole, part=part, sign=-1))


def _once(on: Subscription, plan: PlanVersion, add_on: AttachedAddOn) -> FlatDue:
    at = Period(add_on.starts_at, add_on.starts_at)
    return FlatDue(
        plan=plan,
        price=price_of(on, plan, add_on),
        quantity=add_on.quantity,
        whole=at,
        part=at,
        share=_ONCE,
        name=add_on.name,
    )


def _paid_ahead(on: Subscription, plan: PlanVersion) -> Period | None:
    if add_on_billing(plan) == "in_arrears" or on.advance_until is None:
        return None
    return Period(min(on.flat_from, on.advance_until), on.advance_until)


def _check(on: Subscription, add_on: AddOn, asked: Asked, now: datetime) -> None:
    if not 1 <= asked.quantity <= QUANTITY_MAX:
        raise BadInput.field("quantity", "out_of_range", f"must be from 1 to {QUANTITY_MAX}.")
    if asked.starts_at is not None and asked.starts_at < now:
        raise BadInput.field("starts_at", "in_the_past", "must not lie in the past.")
    if asked.ends_at is not None and asked.ends_at <= (asked.starts_at or now):
        raise BadInput.field("ends_at", "before_start", "must be after the start.")
    if on.status not in _TAKES:
        raise Conflict(
            "subscription_not_active",
            f"The subscription is {on.status}; an add-on needs one that is in use.",
        )
    if on.currency not in add_on.amounts:
        raise Conflict(
            "add_on_not_in_currency",
            f"The add-on is sold in {', '.join(sorted(add_on.amounts))}, the subscription is "
            f"billed in {on.currency}; choose another one.",
        )
