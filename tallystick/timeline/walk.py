"""Walking ahead: the bills that follow from how a subscription stands, none of them written.

The same steps as the billing run (`Biller.draft`, `balance`, `draft_of`), over values instead of
rows: what it will do is what is shown, as far as usage is known by now.
"""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tallystick.accounts.model import Account
from tallystick.documents.document import Party
from tallystick.invoices import service as invoices
from tallystick.invoices.adjustments import Adjustment, balance
from tallystick.invoices.biller import Bill, Biller, Book, read_book
from tallystick.invoices.build import draft_of
from tallystick.invoices.model import InvoiceDraft
from tallystick.kernel.db import Connection
from tallystick.kernel.ids import new_id
from tallystick.money.amount import Money
from tallystick.subscriptions.bills import Step
from tallystick.subscriptions.model import Status, Subscription

STEPS_MAX: Final = 400
_NOBODY: Final = Party("")


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A step ahead, and the invoice that it would make; None: nothing would be billed.

    `plan` and `plan_after` are the codes of the plans before and behind it.
    """

    was: Subscription
    step: Step
    invoice: InvoiceDraft | None
    plan: str
    plan_after: str


class Walk:
    """One account's way ahead, in a transaction that writes nothing.

    `can_pay`: whether a trial that ends finds a payment method.
    """

    def __init__(
        self, conn: Connection, account: Account, credit: Iterable[Adjustment], *, can_pay: bool
    ) -> None:
        self._conn = conn
        self._account = account
        self._credit = list(credit)
        self._can_pay = can_pay
        self._book: Book | None = None

    async def next(self, on: Subscription) -> Planned | None:
        """Return what comes next, with usage as it is known by now; None when nothing does."""
        at = on.next_bill_at
        if at is None:
            return None
        book = await self._known(on)
        biller = Biller(self._conn, at, _NOBODY, book, self._has_method)
        bill = await biller.draft(on)
        if bill is None:
            return None
        invoice = self._invoice(on, bill, at) if bill.lines else None
        return Planned(
            was=on,
            step=bill.step,
            invoice=invoice,
            plan=book.plans[on.plan_version_id].plan_code,
            plan_after=book.plans[bill.step.after.plan_version_id].plan_code,
        )

    async def until(self, on: Subscription, end: datetime) -> AsyncIterator[Planned]:
        """Yield what comes up to `end`, that instant included; 400 steps at most."""
        for _ in range(STEPS_MAX):
            if on.next_bill_at is None or on.next_bill_at > end:
                return
            planned = await self.next(on)
            if planned is None:
                return
            yield planned
            on = planned.step.after

    def _invoice(self, on: Subscription, bill: Bill, at: datetime) -> InvoiceDraft:
        balanced = balance(bill.lines, self._credit, self._account.currency, at)
        self._take(dict(balanced.used))
        is_refunded = bill.step.after.status is Status.CANCELED and on.remainder == "refund"
        if not balanced.kept.is_zero() and not is_refunded:
            self._credit.append(
                Adjustment(invoice_id=new_id(), number="to come", left=balanced.kept)
            )
        currency = self._account.currency
        return draft_of(self._account, currency, bill.step.period, balanced.lines)

    def _take(self, used: dict[UUID, Money]) -> None:
        nothing = Money.zero(self._account.currency)
        self._credit = [
            replace(one, left=one.left - used.get(one.invoice_id, nothing)) for one in self._credit
        ]

    async def _known(self, on: Subscription) -> Book:
        """Return what the next bill needs to know, read when a plan is new on the way."""
        wanted = {on.plan_version_id, on.next_plan_version_id} - {None}
        if self._book is None or not wanted <= set(self._book.plans):
            self._book = await read_book(self._conn, [on])
        return self._book

    async def _has_method(self, _conn: Connection, _account_id: UUID) -> bool:
        return self._can_pay


async def walk_of(conn: Connection, account: Account, *, can_pay: bool) -> Walk:
    """Return the way ahead of an account, with the credit that it has from earlier invoices."""
    open_ = await invoices.open_credit(conn, account.account_id, account.currency)
    return Walk(conn, account, open_, can_pay=can_pay)
