"""What a change would invoice, now and next; nothing is written and nothing is locked.

The change is the same pure function that the change itself calls (`lifecycle.begin`, `changes`),
and what is billed of it is walked ahead as the billing run will go.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec

from tallystick.accounts.model import Account
from tallystick.catalog import service as catalog
from tallystick.catalog.model import PlanVersion
from tallystick.kernel.db import Connection
from tallystick.kernel.ids import new_id, unknown
from tallystick.payments import methods
from tallystick.subscriptions import changes, lifecycle
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.changes import When
from tallystick.subscriptions.lifecycle import Start
from tallystick.subscriptions.model import Remainder, Status, Subscription
from tallystick.subscriptions.sold import plan_of
from tallystick.timeline.walk import PlannedInvoice, Walk, walk_of

NEXT_STEPS_MAX: Final = 24
"""Steps that bill nothing (a trial by the day) are passed over up to so many."""


class Subscribe(msgspec.Struct, frozen=True, kw_only=True):
    """The account begins a plan as it is sold now."""

    plan: str
    start: Start = Start()


class ChangeTerms(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription comes to another plan or quantity (None: as it is)."""

    subscription_id: UUID | None = None
    plan: str | None = None
    quantity: int | None = None
    when: When | None = None


class Cancel(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription ends: now, at an instant, or (None) with what is paid for."""

    subscription_id: UUID | None = None
    when: Literal["now"] | datetime | None = None
    remainder: Remainder | None = None


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription rests."""

    subscription_id: UUID | None = None
    resumes_at: datetime | None = None


class Resume(msgspec.Struct, frozen=True, kw_only=True):
    """A paused subscription goes on, or one that was to end stays."""

    subscription_id: UUID | None = None


class Reactivate(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription that has ended begins again."""

    subscription_id: UUID | None = None


class Nothing(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing changes: what comes anyway."""

    subscription_id: UUID | None = None


Asked = Subscribe | ChangeTerms | Cancel | Pause | Resume | Reactivate | Nothing


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What would be billed at once, what the next invoice would be, and the subscription then.

    `next` has usage as far as it is known by now; None: nothing more would come.
    """

    now: tuple[PlannedInvoice, ...]
    next: PlannedInvoice | None
    subscription: Subscription
    plan: PlanVersion


async def preview(conn: Connection, account: Account, asked: Asked, now: datetime) -> Preview:
    """Return what `asked` would do at `now`, the account's present.

    Raises what the change itself would raise: NotFound, BadInput, Conflict.
    """
    can_pay = await methods.default_method(conn, account.account_id) is not None
    walk = await walk_of(conn, account, now, can_pay=can_pay)
    billed: list[PlannedInvoice] = []
    if isinstance(asked, Subscribe):
        on = await _begun(conn, account, asked, now)
    else:
        was = await _subscription(conn, account, asked.subscription_id)
        was = await _bill_up_to(walk, was, now, billed)
        on = await _changed(conn, was, asked, now)
    on = await _bill_up_to(walk, on, now, billed)
    return Preview(
        now=tuple(billed),
        next=await _next_invoice(walk, on, await _due_with(conn, on)),
        subscription=on,
        plan=await plan_of(conn, on),
    )


async def _begun(
    conn: Connection, account: Account, asked: Subscribe, now: datetime
) -> Subscription:
    plan = await catalog.current_plan_version(conn, asked.plan)
    begun = lifecycle.begin(account, plan, new_id(), now, asked.start)
    await _need_free(conn, begun)
    return begun


async def _need_free(conn: Connection, begun: Subscription) -> None:
    """Raise Conflict where the account is on the plan already, as the books would."""
    for one in await subscriptions.list_subscriptions(conn, begun.account_id):
        if one.plan_id == begun.plan_id and one.status is not Status.CANCELED:
            raise subscriptions.already_subscribed()


async def _changed(
    conn: Connection, was: Subscription, asked: Asked, now: datetime
) -> Subscription:
    plan = await plan_of(conn, was)
    match asked:
        case ChangeTerms():
            to = await catalog.current_plan_version(conn, asked.plan) if asked.plan else plan
            return changes.change_terms(
                was, plan, to, quantity=asked.quantity, when=asked.when, now=now
            )
        case Cancel():
            return _ended(was, plan, asked, now)
        case Pause():
            return changes.pause(was, plan, now, asked.resumes_at)
        case Resume():
            go_on = changes.resume if was.status is Status.PAUSED else changes.keep
            return go_on(was, plan, now)
        case Reactivate():
            begun = changes.reactivate(was, plan, now)
            await _need_free(conn, begun)
            return begun
        case _:
            return was


def _ended(was: Subscription, plan: PlanVersion, asked: Cancel, now: datetime) -> Subscription:
    if asked.when is None:
        return changes.cancel_at_period_end(was, plan, now, asked.remainder)
    if asked.when == "now":
        return changes.cancel_now(was, plan, now, asked.remainder)
    return changes.end_at(was, plan, asked.when, now, asked.remainder)


async def _subscription(
    conn: Connection, account: Account, subscription_id: UUID | None
) -> Subscription:
    """Return the one that is named, or the one that the account has."""
    account_id = account.account_id
    if subscription_id is not None:
        return await subscriptions.get_subscription(conn, account_id, subscription_id)
    current = await subscriptions.current_subscription(conn, account_id)
    if current is None:
        raise unknown("subscription")
    return current


async def _bill_up_to(
    walk: Walk, on: Subscription, now: datetime, billed: list[PlannedInvoice]
) -> Subscription:
    """Walk all that is due by `now`, and return the subscription behind it."""
    async for stop in walk.until([on], now):
        billed += stop.invoices
        on = stop.steps[0].step.after
    changes.require_settled(on, now)
    return on


async def _due_with(conn: Connection, on: Subscription) -> list[Subscription]:
    """Return what else of the account is due at the instant at which this one is due next."""
    known = await subscriptions.list_subscriptions(conn, on.account_id)
    return [
        one
        for one in known
        if one.next_bill_at is not None
        and one.next_bill_at == on.next_bill_at
        and one.subscription_id != on.subscription_id
    ]


async def _next_invoice(
    walk: Walk, on: Subscription, others: Sequence[Subscription]
) -> PlannedInvoice | None:
    """Return the next invoice that bills `on`, with what else of the account is due then."""
    standing = {one.subscription_id: one for one in (on, *others)}
    for _ in range(NEXT_STEPS_MAX):
        stop = await walk.next(list(standing.values()))
        if stop is None:
            return None
        for planned in stop.invoices:
            if on.subscription_id in planned.subscription_ids:
                return planned
        standing |= {one.was.subscription_id: one.step.after for one in stop.steps}
    return None
