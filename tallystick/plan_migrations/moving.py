"""One subscription of a migration: when it would be moved, what that changes, and moving it."""

from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from tallystick.accounts.model import Account
from tallystick.catalog.model import PlanVersion
from tallystick.documents.document import Party
from tallystick.invoices.biller import HasMethod, bill_now
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.money.amount import Money
from tallystick.plan_migrations.model import Row, RowState, Wanted
from tallystick.subscriptions import changes, changing
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.lifecycle import need_billable
from tallystick.subscriptions.model import Subscription
from tallystick.subscriptions.terms import fee_period
from tallystick.timeline.walk import Walk, walk_of

DAY: Final = timedelta(days=1)


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription of an account at its present, and the version it comes to."""

    account: Account
    on: Subscription
    before: PlanVersion
    to: PlanVersion
    wanted: Wanted
    now: datetime

    @property
    def at(self) -> datetime:
        """When it would be moved; raises Conflict `notice_too_short`."""
        wanted, earliest = self.wanted, self.now + DAY * self.wanted.notice_days
        if wanted.when == "period_end":
            return fee_period(self.on, self.before, earliest).end
        at = self.now if wanted.when == "now" else wanted.at
        assert at is not None  # noqa: S101 -- `check_wanted` has seen it
        if at < earliest and wanted.force_reason is None:
            raise too_short(wanted)
        return at


def too_short(wanted: Wanted) -> Conflict:
    """Return the refusal of an instant that is nearer than the notice."""
    return Conflict(
        "notice_too_short",
        f"That is less than {wanted.notice_days} days ahead; take a later date, or force it with "
        "a reason.",
    )


def need_movable(on: Subscription, to: PlanVersion) -> None:
    """Refuse what a migration leaves alone.

    Raises Conflict `already_migrated`, `schedule_owned_by_gateway`,
    `subscription_change_scheduled`: what somebody chose is not replaced by what we choose.
    """
    if on.plan_version_id == to.plan_version_id:
        raise Conflict("already_migrated", "The subscription is on that version.")
    if on.schedule_owner != "tallystick":
        raise Conflict(
            "schedule_owned_by_gateway",
            "A gateway renews this subscription; change it there.",
        )
    if on.change_at is not None:
        raise Conflict(
            "subscription_change_scheduled",
            "Another change is scheduled; take it back, or wait until it is done.",
        )


async def foresee(conn: Connection, move: Move) -> Row:
    """Return what moving it would change, by the functions of previews; nothing is written.

    Raises Conflict, BadInput where it can not be moved.
    """
    on, to = move.on, move.to
    need_movable(on, to)
    need_billable(move.account, to)
    walk = await walk_of(conn, move.account, move.now, can_pay=True)
    async for stop in walk.until([on], move.now):
        on = stop.steps[0].step.after
    at = replace(move, on=on).at
    moved = changes.change_terms(on, move.before, to, quantity=None, when=at, now=move.now)
    until = fee_period(on, to, at).end
    return Row(
        account_id=on.account_id,
        subscription_id=on.subscription_id,
        plan_version_id=on.plan_version_id,
        quantity=on.quantity,
        state=RowState.FORESEEN,
        at=at,
        until=until,
        now=await _invoiced(walk, on, until, to.currency),
        then=await _invoiced(walk, moved, until, to.currency),
    )


async def schedule(
    conn: Connection, row: Row, move: Move, seller: Party, has_method: HasMethod
) -> Row:
    """Note the change at the subscription, and bill at once what is due by it.

    Raises Conflict, BadInput where it can not be moved; `subscription_changed` where it is no
    longer on what the preview showed. Nothing is written then if the caller rolls back.
    """
    account_id, named = row.account_id, row.subscription_id
    on = await subscriptions.lock(conn, account_id, named)
    if (on.plan_version_id, on.quantity) != (row.plan_version_id, row.quantity):
        raise Conflict("subscription_changed", "It is on other terms than the preview showed.")
    need_movable(on, move.to)
    need_billable(move.account, move.to)

    async def bill() -> Subscription:
        return await bill_now(
            conn, account_id, named, now=move.now, seller=seller, has_method=has_method
        )

    at = replace(move, on=await bill()).at
    await changing.change_terms(
        conn, account_id, named, plan=move.to, quantity=None, when=at, now=move.now
    )
    after = await bill()
    is_moved = after.plan_version_id == move.to.plan_version_id
    return replace(row, at=at, state=RowState.MOVED if is_moved else RowState.SCHEDULED)


async def take_back(conn: Connection, row: Row, to: PlanVersion, now: datetime) -> Row:
    """Take a scheduled change back, if the subscription still has it."""
    on = await subscriptions.lock(conn, row.account_id, row.subscription_id)
    if on.plan_version_id == to.plan_version_id:
        return replace(row, state=RowState.MOVED)
    if is_waiting(on, row, to):
        await changing.drop_change(conn, row.account_id, row.subscription_id, now)
    return replace(row, state=RowState.CANCELED)


def is_waiting(on: Subscription, row: Row, to: PlanVersion) -> bool:
    """Tell whether the subscription still has the change that the migration noted."""
    return (on.next_plan_version_id, on.change_at) == (to.plan_version_id, row.at)


async def _invoiced(walk: Walk, on: Subscription, until: datetime, currency: str) -> Money:
    """Return what its invoices up to `until` come to for the time before, without credits."""
    total = Money.zero(currency)
    async for stop in walk.until([on], until):
        for line in (one for planned in stop.invoices for one in planned.invoice.lines):
            is_before = line.period_start is None or line.period_start < until
            if is_before and line.kind != "adjustment":
                total += line.amount
    return total
