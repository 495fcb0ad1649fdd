"""From the bills of an account to its invoices: which stand together, and what each comes to. Pure.

What the billing run writes and what a walk ahead shows is composed here, by the same function.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tallystick.accounts.model import Account
from tallystick.invoices.adjustments import Adjustment, Kind, balance
from tallystick.invoices.build import draft_of
from tallystick.invoices.model import BillKey, DraftLine, InvoiceDraft
from tallystick.money.amount import Money
from tallystick.subscriptions.bills import Step
from tallystick.subscriptions.model import Status, Subscription
from tallystick.subscriptions.periods import Period
from tallystick.taxes.model import TaxTerms


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a subscription and its lines; `plan_name` is that of the plan before the step."""

    on: Subscription
    step: Step
    lines: tuple[DraftLine, ...]
    plan_name: str

    @property
    def key(self) -> BillKey:
        """Which bill of which subscription it is: it is invoiced once."""
        return BillKey(self.on.subscription_id, self.on.bill_index)

    @property
    def is_refunded(self) -> bool:
        """Whether what it gives back is to be paid out instead of being taken off later."""
        return self.step.after.status is Status.CANCELED and self.on.remainder == "refund"


class Composed(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice to be issued, what it takes of which adjustment, and what of it is kept.

    `kept` is zero or more, in the invoice's currency.
    """

    account: Account
    draft: InvoiceDraft
    used: tuple[tuple[UUID, Money], ...]
    kept: Money
    kind_of_kept: Kind


def compose(
    account: Account,
    bills: Sequence[Bill],
    open_: Sequence[Adjustment],
    at: datetime,
    terms: TaxTerms,
) -> tuple[Composed, ...]:
    """Return the invoices over the bills of one account that are due at one instant.

    `open_` is what can be taken off, oldest first; `at` is the account's present, `terms` are
    those of its taxes. Bills without lines have no invoice. Raises Conflict as `taxes_on` does.
    """
    made: list[Composed] = []
    left = list(open_)
    for together in _together(bills):
        one = _composed(account, together, left, at, terms)
        left = taken_off(left, one.used)
        made.append(one)
    return tuple(made)


def taken_off(open_: Iterable[Adjustment], used: Iterable[tuple[UUID, Money]]) -> list[Adjustment]:
    """Return what is left of adjustments when an invoice has taken its part."""
    taken = dict(used)
    return [
        replace(one, left=one.left - taken[one.invoice_id]) if one.invoice_id in taken else one
        for one in open_
    ]


def _together(bills: Sequence[Bill]) -> Iterable[Sequence[Bill]]:
    """Return the bills of each invoice, in the order in which the subscriptions were made.

    One for each currency; alone stands what asks for its own invoice, and what is paid back when
    it has ended: of a refund nobody wants a part to pay for another subscription.
    """
    groups: dict[object, list[Bill]] = {}
    for bill in sorted(bills, key=lambda one: (one.on.created_at, one.on.subscription_id)):
        if bill.lines:
            is_alone = bill.on.invoice_separately or bill.is_refunded
            alone = bill.on.subscription_id if is_alone else None
            groups.setdefault((bill.lines[0].amount.currency, alone), []).append(bill)
    return groups.values()


def _composed(
    account: Account,
    bills: Sequence[Bill],
    open_: Sequence[Adjustment],
    at: datetime,
    terms: TaxTerms,
) -> Composed:
    lines = tuple(_lines(bills))
    currency = lines[0].amount.currency
    can_take = [one for one in open_ if one.left.currency == currency]
    balanced = balance(lines, can_take, currency, at)
    draft = draft_of(account, currency, _span(bills), balanced.lines, terms=terms, at=at)
    return Composed(
        account=account,
        draft=replace(draft, bills=tuple(bill.key for bill in bills)),
        used=balanced.used,
        kept=balanced.kept,
        kind_of_kept="refund" if bills[0].is_refunded else "credit",
    )


def _lines(bills: Sequence[Bill]) -> Iterator[DraftLine]:
    """Yield each line with the subscription that it bills; of several, under its plan's name."""
    for bill in bills:
        heading = bill.plan_name if len(bills) > 1 else None
        for line in bill.lines:
            yield replace(line, subscription_id=bill.on.subscription_id, heading=heading)


def _span(bills: Sequence[Bill]) -> Period:
    """Return from the first period's start to the last one's end."""
    periods = [bill.step.period for bill in bills]
    return Period(min(one.start for one in periods), max(one.end for one in periods))
