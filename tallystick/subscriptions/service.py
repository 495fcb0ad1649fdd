"""Beginning, reading and advancing subscriptions."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import structlog
from msgspec.structs import replace

from tallystick.accounts.model import Account
from tallystick.catalog.model import PlanVersion
from tallystick.kernel import outbox
from tallystick.kernel.db import Connection
from tallystick.kernel.due import retry_after
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import new_id, unknown
from tallystick.kernel.outbox import News
from tallystick.subscriptions import lifecycle, store
from tallystick.subscriptions.bills import Step
from tallystick.subscriptions.events import (
    SUBSCRIPTION_CHANGED,
    SUBSCRIPTION_ENDED,
    SUBSCRIPTION_RENEWED,
    SUBSCRIPTION_STARTED,
    PeriodBegan,
)
from tallystick.subscriptions.lifecycle import Start
from tallystick.subscriptions.model import RUNNING, DueCount, Status, Subscription, Terms

log = structlog.get_logger()

LIST_MAX: Final = 100
REASON_CHARS_MAX: Final = 500
PARKED_SHOWN_MAX: Final = 100


async def subscribe(
    conn: Connection,
    account: Account,
    plan_version: PlanVersion,
    at: datetime,
    start: Start | None = None,
) -> Subscription:
    """Put the account on the plan's version, as `start` says; `at` is its present.

    Raises Conflict `already_subscribed` (an account is on a plan once), `plan_not_in_currency`,
    `plan_version_not_active`, `plan_not_billable`, `external_id_taken`; BadInput.
    """
    new = lifecycle.begin(account, plan_version, new_id(), at, start)
    await _insert(conn, new)
    await store.insert_terms(conn, [(new, new.started_at)])
    if new.status not in {Status.PENDING, Status.INCOMPLETE}:
        await tell_started(conn, new)
    return new


async def _insert(conn: Connection, new: Subscription) -> None:
    try:
        async with conn.transaction():
            is_written = await store.insert(conn, new)
    except asyncpg.UniqueViolationError as error:
        raise Conflict(
            "external_id_taken", "Another subscription has this id of the gateway already."
        ) from error
    if not is_written:
        raise already_subscribed()


async def current_subscription(conn: Connection, account_id: UUID) -> Subscription | None:
    """Return what the account is on, None without a subscription.

    Of several it is the one that it has had longest; one that has not begun does not count.
    """
    return await store.find_current(conn, account_id)


async def current_subscriptions(
    conn: Connection, account_ids: Collection[UUID]
) -> dict[UUID, Subscription]:
    """Return the same for these accounts, under the writer's scope."""
    found = await store.current_of(conn, list(account_ids))
    return {subscription.account_id: subscription for subscription in found}


async def billed_until(conn: Connection, account_ids: Collection[UUID]) -> Mapping[UUID, datetime]:
    """Return up to when these accounts are billed, by the subscription that is farthest."""
    return await store.billed_until(conn, list(account_ids))


async def giving_subscriptions(
    conn: Connection, account_ids: Collection[UUID]
) -> dict[UUID, list[Subscription]]:
    """Return by account what is used and billed, with its add-ons, the oldest first.

    One statement, under the writer's scope. What has not begun or has ended is still there until
    its status says so.
    """
    found = await store.in_statuses(conn, list(account_ids), sorted(RUNNING))
    given: dict[UUID, list[Subscription]] = {}
    for one in found:
        given.setdefault(one.account_id, []).append(one)
    return given


async def get_subscription(
    conn: Connection, account_id: UUID, subscription_id: UUID
) -> Subscription:
    """Return one subscription; raises NotFound."""
    found = await store.find(conn, account_id, subscription_id)
    if found is None:
        raise unknown("subscription")
    return found


async def account_of(conn: Connection, subscription_id: UUID) -> UUID:
    """Return whose it is, for staff who name it alone; raises NotFound."""
    found = await store.account_of(conn, subscription_id)
    if found is None:
        raise unknown("subscription")
    return found


async def list_subscriptions(conn: Connection, account_id: UUID) -> tuple[Subscription, ...]:
    """Return the account's hundred newest subscriptions, newest first."""
    return await store.newest(conn, account_id, LIST_MAX)


async def terms_of(conn: Connection, account_id: UUID, subscription_id: UUID) -> tuple[Terms, ...]:
    """Return the plans and quantities that it was on, in order."""
    return await store.terms(conn, account_id, subscription_id)


async def claim_due(
    conn: Connection, now: datetime, wall: datetime, test_clock_id: UUID | None, limit: int
) -> tuple[Subscription, ...]:
    """Return and lock what is to be billed by `now` on that clock (None: on no test clock).

    Each account's first due instant, with all that is due at it: what the account is due later
    waits for the next claim. An account that another worker has begun is left to it; what is
    parked waits for its `bill_retry_at`, which is compared with `wall`. At most `limit`, and what
    is due with the last one. Under the writer's scope.
    """
    due = await store.lock_due(conn, now, wall, test_clock_id, limit)
    if len(due) == limit:
        due = (*due, *await store.lock_due_with(conn, due[-1], wall))
    return _first_of_each(due)


def _first_of_each(due: Iterable[Subscription]) -> tuple[Subscription, ...]:
    """Return what each account is due at its first instant."""
    waiting = sorted((one for one in due if one.next_bill_at is not None), key=_by_instant)
    first: dict[UUID, datetime | None] = {}
    for one in waiting:
        first.setdefault(one.account_id, one.next_bill_at)
    return tuple(one for one in waiting if one.next_bill_at == first[one.account_id])


def _by_instant(one: Subscription) -> tuple[datetime, UUID, UUID]:
    return one.next_bill_at or one.period_end, one.account_id, one.subscription_id


async def due_count(conn: Connection, now: datetime) -> DueCount:
    """Return how many are due by `now`, on no test clock; under the writer's scope or staff's."""
    return await store.due_count(conn, now)


async def parked(conn: Connection) -> tuple[Subscription, ...]:
    """Return the hundred that were due first and could not be billed, with `bill_error`.

    Of all accounts, those on test clocks too. Under the staff's scope.
    """
    return await store.parked(conn, PARKED_SHOWN_MAX)


async def due_after(
    conn: Connection, now: datetime, after: UUID, limit: int
) -> tuple[Subscription, ...]:
    """Return what would be billed next by `now` for the accounts behind `after`, not locked.

    As `claim_due` does: each account's first due instant. Under the staff's scope.
    """
    return _first_of_each(await store.due_after(conn, now, after, limit))


async def next_due_at(conn: Connection, test_clock_id: UUID) -> datetime | None:
    """Return the earliest instant at which a subscription on that clock is billed.

    What is parked does not count: it would hide everything that comes after it.
    """
    return await store.next_due_at(conn, test_clock_id)


async def claim_standing(
    conn: Connection, now: datetime, test_clock_id: UUID | None, limit: int
) -> tuple[Subscription, ...]:
    """Return and lock those whose standing is to be looked at by `now` on that clock."""
    return await store.lock_standing(conn, now, test_clock_id, limit)


async def next_standing_at(conn: Connection, test_clock_id: UUID) -> datetime | None:
    """Return when the next standing on that clock is to be looked at."""
    return await store.next_standing_at(conn, test_clock_id)


async def find_by_external_id(
    conn: Connection, schedule_owner: str, external_id: str
) -> Subscription | None:
    """Return what a gateway renews under its id, whosever it is; the writer's scope."""
    return await store.find_by_external_id(conn, schedule_owner, external_id)


async def tell_ended(conn: Connection, now: Subscription) -> None:
    """Tell that nothing more is billed of it."""
    await outbox.append_all(conn, [_news(SUBSCRIPTION_ENDED, now)])


async def advance_all(
    conn: Connection, steps: Sequence[tuple[Subscription, Step]]
) -> tuple[Subscription, ...]:
    """Note that what was due was billed: on to what follows, which listeners are told of.

    Raises as `save`.
    """
    await save_all(conn, [(was, step.after) for was, step in steps])
    begun = [
        (step.after, step.at) for was, step in steps if _terms_of(was) != _terms_of(step.after)
    ]
    await store.insert_terms(conn, begun)
    news = [_news(kind, step.after) for was, step in steps for kind in _told(was, step)]
    await outbox.append_all(conn, news)
    return tuple(replace(step.after, revision=was.revision + 1) for was, step in steps)


def _told(was: Subscription, step: Step) -> Iterator[str]:
    """Yield what listeners are told of a step."""
    after = step.after
    if _terms_of(was) != _terms_of(after):
        yield SUBSCRIPTION_CHANGED
    elif was.status is Status.PENDING:
        yield SUBSCRIPTION_STARTED
    elif step.has_begun:
        yield SUBSCRIPTION_RENEWED
    if after.status is Status.CANCELED and after.next_bill_at is None:
        yield SUBSCRIPTION_ENDED


def _terms_of(on: Subscription) -> tuple[UUID, int]:
    return on.plan_version_id, on.quantity


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
    return await save(conn, subscription, parked)


def _news(kind: str, now: Subscription) -> News:
    return News(now.account_id, kind, PeriodBegan(now.subscription_id, now.period_index))


async def tell_started(conn: Connection, now: Subscription) -> None:
    """Tell that its first period begins."""
    await outbox.append_all(conn, [_news(SUBSCRIPTION_STARTED, now)])


async def lock(conn: Connection, account_id: UUID, subscription_id: UUID) -> Subscription:
    """Return one subscription and lock its row until the transaction ends; raises NotFound."""
    found = await store.lock(conn, account_id, subscription_id)
    if found is None:
        raise unknown("subscription")
    return found


async def save(conn: Connection, was: Subscription, after: Subscription) -> Subscription:
    """Write what became of it.

    Raises Conflict `subscription_changed` if it is no longer as it `was`, `already_subscribed` if
    the account is on the new plan already.
    """
    async with conn.transaction():
        await save_all(conn, [(was, after)])
    return replace(after, revision=was.revision + 1)


async def save_all(conn: Connection, moves: Sequence[tuple[Subscription, Subscription]]) -> None:
    """Write what became of each, or of none; raises as `save`, and the transaction is lost then."""
    try:
        written = await store.save_all(conn, moves)
    except asyncpg.UniqueViolationError as error:
        raise already_subscribed() from error
    if len(written) < len(moves):
        raise Conflict(
            "subscription_changed", "The subscription was changed meanwhile; read it again."
        )


def already_subscribed() -> Conflict:
    """Return the error of an account that comes to a plan which it is on."""
    return Conflict(
        "already_subscribed",
        "The account has a subscription to this plan; change it, or cancel it before you begin "
        "another.",
    )
