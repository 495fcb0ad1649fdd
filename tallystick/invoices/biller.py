"""Bills the next steps of subscriptions: lines, invoices, on to what follows.

The billing run does it for all that are due; a change does it at once, in its own transaction.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID

import asyncpg
import msgspec
from msgspec.structs import replace

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.catalog import service as catalog
from tallystick.catalog.currencies import priced_in
from tallystick.catalog.model import Meter, PlanVersion
from tallystick.documents.document import Party
from tallystick.invoices import period_draft_store, store, usage_fees_store
from tallystick.invoices.besides import Besides
from tallystick.invoices.besides_use import lock_besides, use_besides
from tallystick.invoices.billed_fees import BilledFee
from tallystick.invoices.compose import Bill, Composed, Failed, compose_what_can
from tallystick.invoices.dues import FeeOf, came_of
from tallystick.invoices.finalize import issue_all
from tallystick.invoices.grace import parted
from tallystick.invoices.usage_lines import metered_codes
from tallystick.invoices.usage_totals import Used, read_totals
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.metering.archive_model import CORRECTION_WINDOW
from tallystick.metering.many_periods import Totals
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.add_ons import by_subscription
from tallystick.subscriptions.bills import Due, Plans, Step, next_step
from tallystick.subscriptions.model import AttachedAddOn, Status, Subscription
from tallystick.subscriptions.usage_dues import UsageDue
from tallystick.taxes import service as taxes
from tallystick.taxes.model import TaxTerms

STEPS_MAX: Final = 400
"""How many bills one change may catch up with; the billing run does the rest."""

T = TypeVar("T")
HasMethod = Callable[[Connection, UUID], Awaitable[bool]]
"""Tells whether an account has a payment method: asked where a trial ends that depends on it."""


class Book(msgspec.Struct, frozen=True):
    """What the bills of a batch need to know, read in one query for each sort.

    `sold`: the versions of plans as they are sold in a currency.
    """

    accounts: dict[UUID, Account]
    plans: dict[UUID, PlanVersion]
    meters: dict[str, Meter]
    terms: dict[UUID, TaxTerms]
    add_ons: dict[UUID, tuple[AttachedAddOn, ...]]
    sold: dict[tuple[UUID, str], PlanVersion] = {}

    def version(self, plan_version_id: UUID, currency: str) -> PlanVersion:
        """Return a version with the prices of one currency; raises as `priced_in`."""
        key = plan_version_id, currency
        if key not in self.sold:
            self.sold[key] = priced_in(self.plans[plan_version_id], currency)
        return self.sold[key]


class Biller:
    """Bills subscriptions within one transaction, of the writer's scope, at the present `now`.

    `late_window`: how long after its end a closed period whose usage changed is put right; None:
    that is left to the billing run. `has_grace`: a period that ended stays on a draft as long as
    its account or issuer says; else it is issued at once.
    """

    def __init__(
        self,
        conn: Connection,
        now: datetime,
        seller: Party,
        has_method: HasMethod | None,
        ahead: Sequence[FeeOf] = (),
        *,
        to_come: Sequence[BilledFee] = (),
        late_window: timedelta | None = None,
        has_grace: bool = False,
    ) -> None:
        self._conn = conn
        self._now = now
        self._seller = seller
        self._has_method = has_method
        self._ahead = ahead
        self._to_come = to_come
        self._late_window = late_window
        self._has_grace = has_grace

    async def draft(self, due: Subscription, book: Book) -> Bill | None:
        """Return what comes next for the subscription, None when nothing does."""
        step = await self._step(due, book)
        return None if step is None else await self._bill(due, step, book, {})

    async def draft_all(self, due: Sequence[Subscription], book: Book) -> list[Bill | Failed]:
        """Return what comes next for each, or why that can not be billed; usage is read for all.

        Raises asyncpg.PostgresError, after which the transaction is lost.
        """
        steps: list[tuple[Subscription, Step]] = []
        drafted: list[Bill | Failed] = []
        for on in due:
            step = await _or_failed(on, self._step(on, book))
            if isinstance(step, Failed):
                drafted.append(step)
            elif step is not None:
                steps.append((on, step))
        totals = await read_totals(self._conn, steps, book.meters)
        for on, step in steps:
            drafted.append(await _or_failed(on, self._bill(on, step, book, totals)))
        return drafted

    async def issue_one(self, bill: Bill, book: Book) -> Subscription:
        """Issue one bill's invoice and move the subscription on; raises what keeps it from that."""
        after, failed = await self.issue({bill.on.account_id: [bill]}, book)
        for one in failed:
            raise one.error
        return after[0]

    async def issue(
        self, billed: Mapping[UUID, Sequence[Bill]], book: Book
    ) -> tuple[tuple[Subscription, ...], tuple[Failed, ...]]:
        """Issue the invoices over these bills of accounts, and move their subscriptions on.

        A bill that has its invoice gets no other, nor does one that has its draft. What can stand
        on no invoice is returned with its reason, and stays as it was.
        """
        keys = {(whose, bill.key) for whose, bills in billed.items() for bill in bills}
        invoiced = await store.invoiced(self._conn, keys)
        accounts_billed = [book.accounts[whose] for whose in billed]
        besides = await lock_besides(self._conn, accounts_billed, self._now, self._late_window)
        made: list[Composed] = []
        failed: list[Failed] = []
        for whose, bills in billed.items():
            new = [bill for bill in bills if (whose, bill.key) not in invoiced]
            at_once, later = self._parted(new, besides[whose], book)
            account, terms = book.accounts[whose], book.terms[whose]
            done, refused = compose_what_can(account, at_once, besides[whose], self._now, terms)
            made += done
            failed += (*refused, *await self._draft_periods(later, besides[whose], book))
        await self._issue(made)
        stays = {one.on.subscription_id for one in failed}
        billed_now = [
            bill
            for bills in billed.values()
            for bill in bills
            if bill.on.subscription_id not in stays
        ]
        for bill in billed_now:
            if bill.fees and (bill.on.account_id, bill.key) not in invoiced:
                whose = bill.on.account_id
                await usage_fees_store.insert(self._conn, whose, bill.key, bill.fees, self._now)
        steps = [(bill.on, bill.step) for bill in billed_now]
        return await subscriptions.advance_all(self._conn, steps), tuple(failed)

    async def _issue(self, made: Sequence[Composed]) -> None:
        drafts = [(one.account, one.draft) for one in made]
        invoices = await issue_all(self._conn, drafts, seller=self._seller, at=self._now)
        for one, invoice in zip(made, invoices, strict=True):
            await use_besides(self._conn, one, invoice.invoice_id, self._now)

    def _parted(
        self, bills: Sequence[Bill], besides: Besides, book: Book
    ) -> tuple[Sequence[Bill], Sequence[Bill]]:
        if not self._has_grace or not besides.grace:
            return bills, ()
        plans = [book.version(one.on.plan_version_id, one.on.currency) for one in bills]
        return parted(tuple(zip(bills, plans, strict=True)), besides.grace, self._now)

    async def _draft_periods(
        self, bills: Sequence[Bill], besides: Besides, book: Book
    ) -> Sequence[Failed]:
        """Write the drafts over these bills of one account; nothing is used up by them."""
        if not bills:
            return ()
        account = book.accounts[bills[0].on.account_id]
        until = bills[0].step.at + besides.grace
        # One over nothing is drafted too: what comes late may make something of it.
        shown, terms = replace(besides, skips_zero=False), book.terms[account.account_id]
        drafted, failed = compose_what_can(account, bills, shown, until, terms)
        was = {
            one.key: replace(one.on, add_ons=book.add_ons.get(one.on.subscription_id, ()))
            for one in bills
        }
        for one in drafted:
            of_draft = {key: was[key] for key in one.draft.bills}
            await period_draft_store.insert(
                self._conn, account.account_id, one.draft, of_draft, finalize_at=until, at=self._now
            )
        return failed

    async def _step(self, due: Subscription, book: Book) -> Step | None:
        plan, following = book.version(due.plan_version_id, due.currency), due.next_plan_version_id
        plans = Plans(plan, book.version(following, due.currency) if following else None)
        on = replace(due, add_ons=book.add_ons.get(due.subscription_id, ()))
        return next_step(on, plans, has_payment_method=await self._can_pay(due))

    async def _bill(
        self, on: Subscription, step: Step, book: Book, totals: Mapping[Used, Totals]
    ) -> Bill:
        came = [
            await came_of(
                self._conn,
                on,
                due,
                book.meters,
                ahead=self._ahead,
                to_come=self._to_come,
                totals=totals.get((on.account_id, due.period))
                if isinstance(due, UsageDue)
                else None,
            )
            for due in step.dues
        ]
        return Bill(
            on=on,
            step=step,
            lines=tuple(line for one in came for line in one.lines),
            fees=tuple(fee for one in came for fee in one.fees),
            plan_name=book.plans[on.plan_version_id].plan_name,
        )

    async def _can_pay(self, due: Subscription) -> bool:
        is_asked = due.status is Status.TRIALING and due.trial_end != "bill"
        if not is_asked or self._has_method is None:
            return True
        return await self._has_method(self._conn, due.account_id)


async def _or_failed(on: Subscription, work: Awaitable[T]) -> T | Failed:
    try:
        return await work
    except asyncpg.PostgresError:
        raise
    except Exception as error:  # noqa: BLE001 -- whatever is wrong with one, others are billed
        return Failed(on, error)


def _of(totals: Mapping[Used, Totals], on: Subscription, due: Due) -> Totals | None:
    return totals.get((on.account_id, due.period)) if isinstance(due, UsageDue) else None


async def bill_now(
    conn: Connection,
    account_id: UUID,
    subscription_id: UUID,
    *,
    now: datetime,
    seller: Party,
    has_method: HasMethod | None = None,
    late_window: timedelta | None = CORRECTION_WINDOW,
) -> Subscription:
    """Bill all that is due by `now` (the account's present) and return the subscription.

    By itself, with what changed of usage that was billed: what else of the account is due is left
    to the run, which bills it together.
    Locks it; the transaction is of the writer's scope. Raises NotFound; Conflict
    `subscription_billing_behind` when that is too much for one transaction, and what keeps it from
    being billed.
    """
    on = await subscriptions.lock(conn, account_id, subscription_id)
    biller = Biller(conn, now, seller, has_method, late_window=late_window)
    for _ in range(STEPS_MAX):
        if on.next_bill_at is None or on.next_bill_at > now:
            return on
        book = await read_book(conn, [on])
        bill = await biller.draft(on, book)
        if bill is None:
            return on
        on = await biller.issue_one(bill, book)
    raise Conflict(
        "subscription_billing_behind",
        "Much of what is due is not billed yet; try again when the worker has done so.",
    )


async def read_book(conn: Connection, due: Sequence[Subscription]) -> Book:
    """Return what the bills of these subscriptions need to know."""
    wanted = {each.plan_version_id for each in due} | {
        each.next_plan_version_id for each in due if each.next_plan_version_id
    }
    plans = {one: await catalog.get_plan_version(conn, one) for one in sorted(wanted)}
    codes = {code for plan in plans.values() for code in metered_codes(plan)}
    billed = await accounts.accounts_by_ids(conn, {each.account_id for each in due})
    return Book(
        accounts=billed,
        plans=plans,
        meters=dict(await catalog.meters_by_codes(conn, codes)),
        terms=await taxes.read_terms(conn, billed.values()),
        add_ons=await by_subscription(conn, list(billed)),
    )
