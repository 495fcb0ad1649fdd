"""What is to come for an account: invoices, ends of trials, changes, expiries, retries. Read only.

Subscriptions are walked ahead step by step, as the billing run will go; what else is due is read
where its instant stands. Amounts of invoices are what is known by now: usage that is still to come
is not in them.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal
from uuid import UUID

import msgspec

from tallystick.accounts.model import Account
from tallystick.credits import service as credits_
from tallystick.credits.amounts import to_credits
from tallystick.credits.model import Grant
from tallystick.kernel.db import Connection
from tallystick.kernel.paging import LIMIT_MAX, PageRequest
from tallystick.money.amount import Money
from tallystick.payments import methods
from tallystick.payments import service as payments
from tallystick.payments.model import Payment, PaymentStatus
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.model import Status, Subscription
from tallystick.subscriptions.periods import Period
from tallystick.timeline.walk import PlannedInvoice, Stop, walk_of

ITEMS_MAX: Final = 500

Kind = Literal[
    "invoice",
    "trial_end",
    "subscription_start",
    "subscription_change",
    "subscription_pause",
    "subscription_resume",
    "subscription_end",
    "credits_rollover",
    "credits_expire",
    "payment_attempt",
]


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to come at `at` (UTC, the account's time).

    An invoice has its period, and its total as far as it is known; `has_usage`: usage up to `at`
    comes on top; one over several subscriptions has no plan. Credits say how many would go by then
    if none were used.
    """

    at: datetime
    kind: Kind
    subscription_ids: tuple[UUID, ...] = ()
    period: Period | None = None
    total: Money | None = None
    has_usage: bool = False
    plan_code: str | None = None
    credit_grant_id: UUID | None = None
    credits: Decimal | None = None
    payment_id: UUID | None = None
    invoice_id: UUID | None = None

    @property
    def subscription_id(self) -> UUID | None:
        """The one subscription that it is about; None: it is about several, or none."""
        return self.subscription_ids[0] if len(self.subscription_ids) == 1 else None


async def timeline(
    conn: Connection, account: Account, now: datetime, end: datetime
) -> tuple[Item, ...]:
    """Return what is to come for the account up to `end`, in order; 500 things at most.

    What is due already and not done yet stands first, at its own instant. `now` is the account's
    present.
    """
    found = [
        *await _of_subscriptions(conn, account, now, end),
        *_of_credits(await credits_.live_grants(conn, account.account_id), now),
        *await _of_payments(conn, account),
    ]
    coming = sorted((one for one in found if one.at <= end), key=_order)
    return tuple(coming[:ITEMS_MAX])


async def _of_subscriptions(
    conn: Connection, account: Account, now: datetime, end: datetime
) -> list[Item]:
    can_pay = await methods.default_method(conn, account.account_id) is not None
    walk = await walk_of(conn, account, now, can_pay=can_pay)
    on = await subscriptions.list_subscriptions(conn, account.account_id)
    found: list[Item] = []
    async for stop in walk.until(on[::-1], end):
        found += stop_shown(stop)
        if len(found) >= ITEMS_MAX:
            break
    return found


def stop_shown(stop: Stop) -> Iterator[Item]:
    """Yield what is ahead to people: what becomes of each subscription, and the invoices."""
    for one in stop.steps:
        for kind in _turns(one.was, one.step.after):
            yield Item(
                at=stop.at,
                kind=kind,
                subscription_ids=(one.was.subscription_id,),
                plan_code=one.plan_after,
            )
    for planned in stop.invoices:
        yield _invoice(planned)


def _invoice(planned: PlannedInvoice) -> Item:
    draft, plans = planned.invoice, {one.plan for one in planned.steps}
    assert draft.period_start is not None  # noqa: S101 -- what subscriptions are billed has one
    assert draft.period_end is not None  # noqa: S101
    return Item(
        at=planned.at,
        kind="invoice",
        subscription_ids=planned.subscription_ids,
        plan_code=plans.pop() if len(plans) == 1 else None,
        period=Period(draft.period_start, draft.period_end),
        total=draft.total,
        has_usage=planned.has_usage,
    )


def _turns(was: Subscription, after: Subscription) -> Iterator[Kind]:
    """Yield what becomes of the subscription in one step."""
    if was.status is Status.PENDING and after.status is not Status.PENDING:
        yield "subscription_start"
    if was.status is Status.TRIALING and after.status is not Status.TRIALING:
        yield "trial_end"
    terms = (was.plan_version_id, was.quantity), (after.plan_version_id, after.quantity)
    if terms[0] != terms[1]:
        yield "subscription_change"
    if was.status is Status.PAUSED and after.status is not Status.PAUSED:
        yield "subscription_resume"
    if after.status is Status.PAUSED and after.paused_at == was.next_bill_at:
        yield "subscription_pause"
    if after.status is Status.CANCELED and after.next_bill_at is None:
        yield "subscription_end"


def _of_credits(grants: Iterable[Grant], now: datetime) -> Iterator[Item]:
    for grant in grants:
        left = grant.remaining
        if grant.cap_at is not None and grant.cap_at > now and left > (grant.cap or 0):
            yield _credits("credits_rollover", grant, grant.cap_at, left - (grant.cap or 0))
            left = grant.cap or 0
        if grant.expires_at is not None and grant.expires_at > now and left:
            yield _credits("credits_expire", grant, grant.expires_at, left)


def _credits(kind: Kind, grant: Grant, at: datetime, units: int) -> Item:
    named = grant.credit_grant_id
    return Item(at=at, kind=kind, credit_grant_id=named, credits=to_credits(units))


async def _of_payments(conn: Connection, account: Account) -> list[Item]:
    """Return what will be tried: the newest hundred payments are looked at."""
    newest = PageRequest(limit=LIMIT_MAX)
    found = await payments.list_payments(conn, account.account_id, newest)
    return [item for one in found.items for item in _attempt(one)]


def _attempt(payment: Payment) -> Iterator[Item]:
    if payment.status is PaymentStatus.PENDING and payment.next_attempt_at is not None:
        yield Item(
            at=payment.next_attempt_at,
            kind="payment_attempt",
            payment_id=payment.payment_id,
            invoice_id=payment.invoice_id,
            total=payment.amount,
        )


def _order(item: Item) -> tuple[datetime, str, str]:
    named = (*item.subscription_ids, item.credit_grant_id, item.payment_id)
    return item.at, item.kind, str(next((one for one in named if one is not None), ""))
