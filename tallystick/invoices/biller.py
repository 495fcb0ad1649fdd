"""Bills one subscription's next step, or all its steps up to now: lines, invoice, on to the next.

The billing run does it for all that are due; a change does it at once, in its own transaction.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain
from typing import Final
from uuid import UUID

import msgspec

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.catalog import service as catalog
from tallystick.catalog.currencies import priced_in
from tallystick.catalog.model import Meter, PlanVersion
from tallystick.documents.document import Party
from tallystick.invoices import adjustment_store
from tallystick.invoices.adjustments import Adjustment, Kept, Kind, balance
from tallystick.invoices.build import draft_of, due_lines
from tallystick.invoices.commitment import commitment_line, counted_for
from tallystick.invoices.finalize import issue_bill
from tallystick.invoices.model import DraftLine
from tallystick.invoices.usage_lines import metered_codes
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import show
from tallystick.metering.price_uses import Days, read_uses
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.bills import Due, Plans, Step, next_step
from tallystick.subscriptions.model import Status, Subscription
from tallystick.subscriptions.periods import zone
from tallystick.subscriptions.terms import FlatDue
from tallystick.subscriptions.usage_dues import CommitmentDue, UsageDue
from tallystick.subscriptions.usage_share import days_of, part_of, usage_share

STEPS_MAX: Final = 400
"""How many bills one change may catch up with; the billing run does the rest."""

HasMethod = Callable[[Connection, UUID], Awaitable[bool]]
"""Tells whether an account has a payment method: asked where a trial ends that depends on it."""


class Book(msgspec.Struct, frozen=True):
    """What the bills of a batch need to know, read in one query for each sort."""

    accounts: dict[UUID, Account]
    plans: dict[UUID, PlanVersion]
    meters: dict[str, Meter]
    with_credit: set[UUID]


class Bill(msgspec.Struct, frozen=True):
    """A step with its lines."""

    step: Step
    lines: tuple[DraftLine, ...]


class Biller:
    """Bills the subscriptions of one transaction, of the writer's scope, at the present `now`."""

    def __init__(
        self,
        conn: Connection,
        now: datetime,
        seller: Party,
        book: Book,
        has_method: HasMethod | None,
    ) -> None:
        self._conn = conn
        self._now = now
        self._seller = seller
        self._book = book
        self._has_method = has_method

    async def draft(self, due: Subscription) -> Bill | None:
        """Return what comes next for the subscription, None when nothing does."""
        following = due.next_plan_version_id
        plans = Plans(
            self._sold(due, due.plan_version_id), self._sold(due, following) if following else None
        )
        step = next_step(due, plans, has_payment_method=await self._can_pay(due))
        if step is None:
            return None
        lines = [
            line
            for one in step.dues
            for line in await lines_of(self._conn, due, one, self._book.meters)
        ]
        return Bill(step, tuple(lines))

    async def issue(self, due: Subscription, bill: Bill) -> Subscription:
        """Issue the invoice, if the step has lines, and move the subscription on."""
        if bill.lines:
            await self._invoice(due, bill)
        return await subscriptions.advance_period(self._conn, due, bill.step)

    async def _invoice(self, due: Subscription, bill: Bill) -> None:
        account = self._book.accounts[due.account_id]
        open_ = await self._open_credit(account)
        balanced = balance(bill.lines, open_, account.currency, self._now)
        draft = draft_of(account, account.currency, bill.step.period, balanced.lines)
        invoice = await issue_bill(
            self._conn,
            account,
            draft,
            subscription_id=due.subscription_id,
            bill_index=due.bill_index,
            seller=self._seller,
            at=self._now,
        )
        if invoice is None:
            return
        await adjustment_store.use(self._conn, due.account_id, balanced.used)
        if not balanced.kept.is_zero():
            kept = Kept(balanced.kept, _kind_of_rest(due, bill.step), self._now)
            await adjustment_store.keep(self._conn, due.account_id, invoice.invoice_id, kept)
            self._book.with_credit.add(due.account_id)

    async def _open_credit(self, account: Account) -> tuple[Adjustment, ...]:
        if account.account_id not in self._book.with_credit:
            return ()
        return await adjustment_store.lock_open(self._conn, account.account_id, account.currency)

    def _sold(self, due: Subscription, plan_version_id: UUID) -> PlanVersion:
        return priced_in(self._book.plans[plan_version_id], due.currency)

    async def _can_pay(self, due: Subscription) -> bool:
        is_asked = due.status is Status.TRIALING and due.trial_end != "bill"
        if not is_asked or self._has_method is None:
            return True
        return await self._has_method(self._conn, due.account_id)


async def lines_of(
    conn: Connection,
    on: Subscription,
    due: Due,
    meters: Mapping[str, Meter],
    totals: Mapping[str, Decimal] | None = None,
) -> tuple[DraftLine, ...]:
    """Return the lines of one thing that is due: the one way from it to an amount.

    `meters` go by code; `totals` are those of the due's period by meter code, if they were read
    already. Raises what `read_uses` does, and Conflict `meter_missing`.
    """
    if isinstance(due, FlatDue):
        return tuple(due_lines(due, meters, {}))
    if isinstance(due, CommitmentDue):
        parts = [await _usage_lines(conn, on, part, meters) for part in due.parts]
        counted = counted_for(due.plan, on.quantity, due.share, list(chain(*parts)))
        return tuple(commitment_line(due.plan, due.period, counted, part_of(due.share)))
    lines = await _usage_lines(conn, on, due, meters, totals)
    if due.plan.usage_interval is not None:
        return lines
    start = max(due.period.start, on.flat_from)
    fees = usage_share(on, due.plan, due.whole, start, due.counts_until)
    counted = counted_for(due.plan, on.quantity, fees, lines)
    return (*lines, *commitment_line(due.plan, due.period, counted, part_of(fees)))


async def _usage_lines(
    conn: Connection,
    on: Subscription,
    due: UsageDue,
    meters: Mapping[str, Meter],
    totals: Mapping[str, Decimal] | None = None,
) -> tuple[DraftLine, ...]:
    uses = await read_uses(
        conn,
        on.account_id,
        due.plan.prices,
        meters,
        start=due.period.start,
        end=due.period.end,
        days=_days(on, due),
        totals=totals,
    )
    part = part_of(usage_share(on, due.plan, due.whole, due.period.start, due.counts_until))
    return tuple(due_lines(due, meters, uses, part))


def _days(on: Subscription, due: UsageDue) -> Days:
    return Days(zone(on.timezone), days_of(due.whole, on.timezone), due.counts_until)


def _kind_of_rest(due: Subscription, step: Step) -> Kind:
    has_ended = step.after.status is Status.CANCELED
    return "refund" if has_ended and due.remainder == "refund" else "credit"


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

    Locks it; the transaction is of the writer's scope. Raises NotFound; Conflict
    `subscription_billing_behind` when that is too much for one transaction, and what keeps it from
    being billed.
    """
    on = await subscriptions.lock(conn, account_id, subscription_id)
    for _ in range(STEPS_MAX):
        if on.next_bill_at is None or on.next_bill_at > now:
            return on
        biller = Biller(conn, now, seller, await read_book(conn, [on]), has_method)
        bill = await biller.draft(on)
        if bill is None:
            return on
        on = await biller.issue(on, bill)
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
    return Book(
        accounts={account_id: found[name] for account_id, name in names.items()},
        plans=plans,
        meters=dict(await catalog.meters_by_codes(conn, codes)),
        with_credit=await adjustment_store.accounts_with_credit(conn, list(names)),
    )
