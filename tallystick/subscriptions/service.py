"""Beginning, ending and advancing subscriptions."""

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from msgspec.structs import replace

from tallystick.accounts.model import Account
from tallystick.catalog.model import PlanVersion
from tallystick.kernel import outbox
from tallystick.kernel.db import Connection
from tallystick.kernel.due import retry_after
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import new_id, unknown
from tallystick.subscriptions import lifecycle, store
from tallystick.subscriptions.events import (
    SUBSCRIPTION_RENEWED,
    SUBSCRIPTION_STARTED,
    PeriodBegan,
)
from tallystick.subscriptions.model import Subscription

log = structlog.get_logger()

LIST_MAX: Final = 100
REASON_CHARS_MAX: Final = 500


async def subscribe(
    conn: Connection, account: Account, plan_version: PlanVersion, at: datetime
) -> Subscription:
    """Put the account on the plan's version from `at` (its present) on.

    Its periods are anchored to that instant's day in the account's time zone. Raises Conflict
    `already_subscribed`, `plan_currency_differs`, `plan_not_billable`.
    """
    new = lifecycle.begin(account, plan_version, new_id(), at)
    if not await store.insert(conn, new):
        raise Conflict(
            "already_subscribed",
            "The account has an active subscription; cancel it before you begin another.",
        )
    await _tell(conn, SUBSCRIPTION_STARTED, new)
    return new


async def current_subscription(conn: Connection, account_id: UUID) -> Subscription | None:
    """Return the account's active subscription, None without one."""
    return await store.find_active(conn, account_id)


async def current_subscriptions(
    conn: Connection, account_ids: Collection[UUID]
) -> dict[UUID, Subscription]:
    """Return the active subscriptions of these accounts, under the writer's scope."""
    found = await store.active_of(conn, list(account_ids))
    return {subscription.account_id: subscription for subscription in found}


async def get_subscription(
    conn: Connection, account_id: UUID, subscription_id: UUID
) -> Subscription:
    """Return one subscription; raises NotFound."""
    found = await store.find(conn, account_id, subscription_id)
    if found is None:
        raise unknown("subscription")
    return found


async def list_subscriptions(conn: Connection, account_id: UUID) -> tuple[Subscription, ...]:
    """Return the account's hundred newest subscriptions, newest first."""
    return await store.newest(conn, account_id, LIST_MAX)


async def cancel_now(
    conn: Connection, account_id: UUID, subscription_id: UUID, at: datetime
) -> Subscription:
    """End the subscription at `at`; the next billing run bills what was used until then.

    A flat price is due whole. Raises NotFound, Conflict `subscription_not_active`.
    """
    was = await _lock(conn, account_id, subscription_id)
    return await _save(conn, was, lifecycle.cancel_now(was, at))


async def cancel_at_period_end(
    conn: Connection,
    account_id: UUID,
    subscription_id: UUID,
    plan_version: PlanVersion,
    at: datetime,
) -> Subscription:
    """Let the subscription run until the end of the period that contains `at`, and then end.

    `plan_version` is the one it is on. Raises NotFound, Conflict `subscription_not_active`.
    """
    was = await _lock(conn, account_id, subscription_id)
    return await _save(conn, was, lifecycle.cancel_at_period_end(was, plan_version, at))


async def claim_due(
    conn: Connection, now: datetime, wall: datetime, test_clock_id: UUID | None, limit: int
) -> tuple[Subscription, ...]:
    """Return and lock what is to be billed by `now` on that clock (None: on no test clock).

    What another worker has locked is left to it; what is parked waits for its `bill_retry_at`,
    which is compared with `wall`. Under the writer's scope.
    """
    return await store.lock_due(conn, now, wall, test_clock_id, limit)


async def next_due_at(conn: Connection, test_clock_id: UUID) -> datetime | None:
    """Return the earliest instant at which a subscription on that clock is billed.

    What is parked does not count: it would hide everything that comes after it.
    """
    return await store.next_due_at(conn, test_clock_id)


async def advance_period(
    conn: Connection, subscription: Subscription, plan_version: PlanVersion
) -> Subscription:
    """Note that the claimed subscription's period was billed: on to the next one, or to its end."""
    after = await _save(conn, subscription, lifecycle.after_billing(subscription, plan_version))
    if after.next_bill_at is not None:
        await _tell(conn, SUBSCRIPTION_RENEWED, after)
    return after


async def park(
    conn: Connection, subscription: Subscription, reason: str, wall: datetime
) -> Subscription:
    """Put a claimed subscription that can not be billed aside, with the reason, for a while."""
    try_count = subscription.bill_try_count + 1
    parked = replace(
        subscription,
        bill_error=reason[:REASON_CHARS_MAX],
        bill_try_count=try_count,
        bill_retry_at=retry_after(wall, try_count),
    )
    log.error(
        "subscription_parked",
        account_id=str(subscription.account_id),
        subscription_id=str(subscription.subscription_id),
        reason=parked.bill_error,
        try_count=try_count,
    )
    return await _save(conn, subscription, parked)


async def _tell(conn: Connection, kind: str, now: Subscription) -> None:
    began = PeriodBegan(now.subscription_id, now.period_index)
    await outbox.append(conn, now.account_id, kind, began)


async def _lock(conn: Connection, account_id: UUID, subscription_id: UUID) -> Subscription:
    found = await store.lock(conn, account_id, subscription_id)
    if found is None:
        raise unknown("subscription")
    return found


async def _save(conn: Connection, was: Subscription, after: Subscription) -> Subscription:
    if not await store.save(conn, was, after):
        raise Conflict(
            "subscription_changed", "The subscription was changed meanwhile; read it again."
        )
    return after
