"""Walking ahead: the bills that follow from how subscriptions stand, none of them written.

The same steps as the billing run (`Biller.draft`, `compose`), over values instead of rows: what it
will do is what is shown, as far as usage is known by now.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tallystick.accounts.model import Account
from tallystick.documents.document import Party
from tallystick.invoices.adjustments import Adjustment
from tallystick.invoices.besides import Besides, after
from tallystick.invoices.besides_use import read_besides
from tallystick.invoices.billed_fees import BilledFee, fees_to_come
from tallystick.invoices.biller import Biller, Book, read_book
from tallystick.invoices.compose import Bill, Composed, compose
from tallystick.invoices.dues import FeeOf
from tallystick.invoices.late_usage import read_late
from tallystick.invoices.model import InvoiceDraft
from tallystick.kernel.db import Connection
from tallystick.kernel.ids import new_id
from tallystick.metering.archive_model import CORRECTION_WINDOW
from tallystick.money.amount import Money
from tallystick.subscriptions.bills import Step
from tallystick.subscriptions.model import Subscription
from tallystick.subscriptions.usage_dues import UsageDue

STEPS_MAX: Final = 400
"""How far each subscription is walked."""
_NOBODY: Final = Party("")


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step ahead; `plan` and `plan_after` are the codes of the plans before and behind it."""

    was: Subscription
    step: Step
    plan: str
    plan_after: str


class PlannedInvoice(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice that would be issued at `at` over these steps.

    `has_usage`: usage up to then comes on top of what is known by now.
    """

    at: datetime
    invoice: InvoiceDraft
    steps: tuple[PlannedStep, ...]
    has_usage: bool

    @property
    def subscription_ids(self) -> tuple[UUID, ...]:
        """Whose bills it is for."""
        return tuple(bill.subscription_id for bill in self.invoice.bills)


class Stop(msgspec.Struct, frozen=True):
    """All that comes at one instant: a step of each subscription that is due, and the invoices."""

    at: datetime
    steps: tuple[PlannedStep, ...]
    invoices: tuple[PlannedInvoice, ...]


class Walk:
    """One account's way ahead, in a transaction that writes nothing.

    `can_pay`: whether a trial that ends finds a payment method.
    """

    def __init__(
        self, conn: Connection, account: Account, besides: Besides, *, can_pay: bool
    ) -> None:
        self._conn = conn
        self._account = account
        self._besides = besides
        self._can_pay = can_pay
        self._book: Book | None = None
        self._fees: list[FeeOf] = []
        self._to_come: list[BilledFee] = []

    async def next(self, on: Sequence[Subscription]) -> Stop | None:
        """Return what comes first for these subscriptions; None when nothing does.

        Usage is as it is known by now.
        """
        at = min((one.next_bill_at for one in on if one.next_bill_at), default=None)
        if at is None:
            return None
        due = [one for one in on if one.next_bill_at == at]
        book = await self._known(due)
        biller = Biller(
            self._conn, at, _NOBODY, self._has_method, self._fees, to_come=self._to_come
        )
        bills = [bill for one in due if (bill := await biller.draft(one, book)) is not None]
        self._fees += [(bill.on.subscription_id, fee) for bill in bills for fee in bill.fees]
        if not bills:
            return None
        terms = book.terms[self._account.account_id]
        steps = {bill.on.subscription_id: _planned(bill, book) for bill in bills}
        made = compose(self._account, bills, self._besides, at, terms)
        for one in made:
            self._settle(one)
            self._to_come += fees_to_come(one.draft)
        found = tuple(_invoice(at, one.draft, steps) for one in made)
        return Stop(at, tuple(steps.values()), found)

    async def until(self, on: Sequence[Subscription], end: datetime) -> AsyncIterator[Stop]:
        """Yield what comes up to `end`, that instant included, in order of time."""
        standing = {one.subscription_id: one for one in on}
        taken = dict.fromkeys(standing, 0)
        while (stop := await self._next_by(list(standing.values()), end)) is not None:
            yield stop
            for one in stop.steps:
                named = one.was.subscription_id
                standing[named] = one.step.after
                taken[named] += 1
                if taken[named] == STEPS_MAX:
                    del standing[named]

    async def _next_by(self, on: Sequence[Subscription], end: datetime) -> Stop | None:
        soon = [one for one in on if one.next_bill_at is not None and one.next_bill_at <= end]
        return await self.next(soon)

    def _settle(self, made: Composed) -> None:
        left = after(self._besides, made.coupons, made.used, made.changes)
        if not made.kept.is_zero() and made.kind_of_kept == "credit":
            left = replace(left, credit=(*left.credit, _to_come(made.kept)))
        if not made.carried.is_zero():
            left = replace(left, carried=(*left.carried, _to_come(made.carried)))
        self._besides = left

    async def _known(self, on: Sequence[Subscription]) -> Book:
        """Return what the next bills need to know, read when a plan is new on the way."""
        wanted = {one.plan_version_id for one in on}
        wanted |= {one.next_plan_version_id for one in on if one.next_plan_version_id}
        if self._book is None or not wanted <= set(self._book.plans):
            self._book = await read_book(self._conn, on)
        return self._book

    async def _has_method(self, _conn: Connection, _account_id: UUID) -> bool:
        return self._can_pay


def _to_come(left: Money) -> Adjustment:
    return Adjustment(invoice_id=new_id(), number="to come", left=left)


def _planned(bill: Bill, book: Book) -> PlannedStep:
    return PlannedStep(
        was=bill.on,
        step=bill.step,
        plan=book.plans[bill.on.plan_version_id].plan_code,
        plan_after=book.plans[bill.step.after.plan_version_id].plan_code,
    )


def _invoice(at: datetime, draft: InvoiceDraft, steps: dict[UUID, PlannedStep]) -> PlannedInvoice:
    billed = tuple(steps[bill.subscription_id] for bill in draft.bills)
    has_usage = any(isinstance(due, UsageDue) for one in billed for due in one.step.dues)
    return PlannedInvoice(at=at, invoice=draft, steps=billed, has_usage=has_usage)


async def walk_of(conn: Connection, account: Account, now: datetime, *, can_pay: bool) -> Walk:
    """Return the way ahead of an account from `now`, its present.

    With its coupons, what earlier invoices left, and usage that changed since it was billed.
    """
    late = await read_late(conn, [account.account_id], now, CORRECTION_WINDOW)
    return Walk(conn, account, await read_besides(conn, account, late), can_pay=can_pay)
