"""Bills the next steps of subscriptions: lines, invoices, on to what follows.

The billing run does it for all that are due; a change does it at once, in its own transaction.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.catalog import service as catalog
from tallystick.catalog.currencies import priced_in
from tallystick.catalog.model import Meter, PlanVersion
from tallystick.documents.document import Party
from tallystick.invoices import store, usage_fees_store
from tallystick.invoices.besides import Besides
from tallystick.invoices.besides_use import asked_by, lock_besides, use_besides
from tallystick.invoices.compose import Bill, Composed, compose
from tallystick.invoices.dues import FeeOf, came_of
from tallystick.invoices.finalize import issue
from tallystick.invoices.usage_lines import metered_codes
from tallystick.issuers.service import find_issuer_of
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import show
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.bills import Plans, next_step
from tallystick.subscriptions.model import Status, Subscription
from tallystick.taxes import service as taxes
from tallystick.taxes.model import TaxTerms

STEPS_MAX: Final = 400
"""How many bills one change may catch up with; the billing run does the rest."""

HasMethod = Callable[[Connection, UUID], Awaitable[bool]]
"""Tells whether an account has a payment method: asked where a trial ends that depends on it."""


class Book(msgspec.Struct, frozen=True):
    """What the bills of a batch need to know, read in one query for each sort."""

    accounts: dict[UUID, Account]
    plans: dict[UUID, PlanVersion]
    meters: dict[str, Meter]
    terms: dict[UUID, TaxTerms]


class Biller:
    """Bills subscriptions within one transaction, of the writer's scope, at the present `now`."""

    def __init__(
        self,
        conn: Connection,
        now: datetime,
        seller: Party,
        has_method: HasMethod | None,
        ahead: Sequence[FeeOf] = (),
    ) -> None:
        self._conn = conn
        self._now = now
        self._seller = seller
        self._has_method = has_method
        self._ahead = ahead

    async def draft(self, due: Subscription, book: Book) -> Bill | None:
        """Return what comes next for the subscription, None when nothing does."""
        plan, following = _sold(book, due, due.plan_version_id), due.next_plan_version_id
        plans = Plans(plan, _sold(book, due, following) if following else None)
        step = next_step(due, plans, has_payment_method=await self._can_pay(due))
        if step is None:
            return None
        came = [await came_of(self._conn, due, one, book.meters, self._ahead) for one in step.dues]
        return Bill(
            on=due,
            step=step,
            lines=tuple(line for one in came for line in one.lines),
            fees=tuple(fee for one in came for fee in one.fees),
            plan_name=plan.plan_name,
        )

    async def issue(
        self, account: Account, bills: Sequence[Bill], terms: TaxTerms
    ) -> tuple[Subscription, ...]:
        """Issue the invoices over these bills of an account, and move its subscriptions on.

        `terms` are those of its taxes. A bill that has its invoice gets no other.
        """
        keys = [(account.account_id, bill.key) for bill in bills]
        invoiced = await store.invoiced(self._conn, keys)
        new = [bill for bill in bills if (account.account_id, bill.key) not in invoiced]
        if any(bill.lines for bill in new):
            besides = await self._besides(account)
            for one in compose(account, new, besides, self._now, terms):
                await self._issue(one)
        for bill in new:
            account_id = bill.on.account_id
            await usage_fees_store.insert(self._conn, account_id, bill.key, bill.fees, self._now)
        return tuple(
            [await subscriptions.advance_period(self._conn, bill.on, bill.step) for bill in bills]
        )

    async def _issue(self, one: Composed) -> None:
        invoice = await issue(self._conn, one.account, one.draft, seller=self._seller, at=self._now)
        await use_besides(self._conn, one, invoice.invoice_id, self._now)

    async def _besides(self, account: Account) -> Besides:
        found = await lock_besides(self._conn, [account.account_id])
        return asked_by(found[account.account_id], await find_issuer_of(self._conn, account))

    async def _can_pay(self, due: Subscription) -> bool:
        is_asked = due.status is Status.TRIALING and due.trial_end != "bill"
        if not is_asked or self._has_method is None:
            return True
        return await self._has_method(self._conn, due.account_id)


def _sold(book: Book, due: Subscription, plan_version_id: UUID) -> PlanVersion:
    return priced_in(book.plans[plan_version_id], due.currency)


async def bill_now(
    conn: Connection,
    account_id: UUID,
    subscription_id: UUID,
    *,
    now: datetime,
    seller: Party,
    has_method: HasMethod | None = None,
) -> Subscription:
    """Bill all that is due by `now` (the account's present) and return the subscription.

    By itself: what else of the account is due is left to the run, which bills it together.
    Locks it; the transaction is of the writer's scope. Raises NotFound; Conflict
    `subscription_billing_behind` when that is too much for one transaction, and what keeps it from
    being billed.
    """
    on = await subscriptions.lock(conn, account_id, subscription_id)
    biller = Biller(conn, now, seller, has_method)
    for _ in range(STEPS_MAX):
        if on.next_bill_at is None or on.next_bill_at > now:
            return on
        book = await read_book(conn, [on])
        bill = await biller.draft(on, book)
        if bill is None:
            return on
        account, terms = book.accounts[account_id], book.terms[account_id]
        (on,) = await biller.issue(account, [bill], terms)
    raise Conflict(
        "subscription_billing_behind",
        "Much of what is due is not billed yet; try again when the worker has done so.",
    )


async def read_book(conn: Connection, due: Sequence[Subscription]) -> Book:
    """Return what the bills of these subscriptions need to know."""
    names = {each.account_id: show("account", each.account_id) for each in due}
    found = await accounts.find_by_subjects(conn, list(names.values()))
    wanted = {each.plan_version_id for each in due} | {
        each.next_plan_version_id for each in due if each.next_plan_version_id
    }
    plans = {one: await catalog.get_plan_version(conn, one) for one in sorted(wanted)}
    codes = {code for plan in plans.values() for code in metered_codes(plan)}
    billed = {account_id: found[name] for account_id, name in names.items()}
    return Book(
        accounts=billed,
        plans=plans,
        meters=dict(await catalog.meters_by_codes(conn, codes)),
        terms=await taxes.read_terms(conn, billed.values()),
    )
