"""From the bills of an account to its invoices: which stand together, and what each comes to. Pure.

What the billing run writes and what a walk ahead shows is composed here, by the same function.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tallystick.accounts.model import Account
from tallystick.catalog.offer_model import Redemption
from tallystick.invoices.adjustments import Kind
from tallystick.invoices.besides import Besides, after
from tallystick.invoices.build import Built, Ingredients, build
from tallystick.invoices.model import BillKey, DraftLine, InvoiceDraft
from tallystick.invoices.usage_fees import Fee
from tallystick.invoices.usage_lines_model import UsageChange
from tallystick.money.amount import Money
from tallystick.subscriptions.bills import Step
from tallystick.subscriptions.model import Status, Subscription
from tallystick.subscriptions.periods import Period
from tallystick.taxes.model import TaxTerms


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a subscription and its lines; `plan_name` is that of the plan before the step.

    `fees` are what it bills of usage as it comes, among the lines or for a later invoice.
    """

    on: Subscription
    step: Step
    lines: tuple[DraftLine, ...]
    plan_name: str
    fees: tuple[Fee, ...] = ()

    @property
    def key(self) -> BillKey:
        """Which bill of which subscription it is: it is invoiced once."""
        return BillKey(self.on.subscription_id, self.on.bill_index)

    @property
    def is_refunded(self) -> bool:
        """Whether what it gives back is to be paid out instead of being taken off later."""
        return self.step.after.status is Status.CANCELED and self.on.remainder == "refund"

    @property
    def is_last(self) -> bool:
        """Whether the subscription has ended, and nothing more of it will be billed."""
        return self.step.after.status is Status.CANCELED and self.step.after.next_bill_at is None


class Failed(msgspec.Struct, frozen=True):
    """A subscription that can not be billed, and why."""

    on: Subscription
    error: Exception


class Composed(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice to be issued, what it uses up, and what it leaves to later ones.

    `used` is what it takes of which earlier invoice, `coupons` what is left of those that lower it,
    `changes` the usage that it puts right. `kept` and `carried` are zero or more, in the invoice's
    currency.
    """

    account: Account
    draft: InvoiceDraft
    used: tuple[tuple[UUID, Money], ...]
    coupons: tuple[Redemption, ...]
    changes: tuple[UsageChange, ...]
    kept: Money
    kind_of_kept: Kind
    carried: Money


def compose(
    account: Account, bills: Sequence[Bill], besides: Besides, at: datetime, terms: TaxTerms
) -> tuple[Composed, ...]:
    """Return the invoices over the bills of one account that are due at one instant.

    `besides` is what they take besides what is due, the first one first; `at` is the account's
    present, `terms` are those of its taxes. Bills without lines have no invoice. Raises Conflict as
    `taxes_on` does.
    """
    made: list[Composed] = []
    for together in _together(bills):
        built = build(_ingredients(account, together, besides, at, terms))
        if besides.skips_zero and all(line.amount.is_zero() for line in built.draft.lines):
            continue
        made.append(_composed(account, together, besides, built))
        besides = after(besides, built.coupons, built.used, made[-1].changes)
    return tuple(made)


def compose_what_can(
    account: Account, bills: Sequence[Bill], besides: Besides, at: datetime, terms: TaxTerms
) -> tuple[tuple[Composed, ...], tuple[Failed, ...]]:
    """Return the same, and the bills that can stand on no invoice, each with its reason.

    Where they can not be put together each is tried by itself.
    """
    try:
        return compose(account, bills, besides, at, terms), ()
    except Exception as error:  # noqa: BLE001 -- whatever is wrong with one, others are billed
        if len(bills) == 1:
            return (), (Failed(bills[0].on, error),)
    made: list[Composed] = []
    failed: list[Failed] = []
    for bill in bills:
        alone, refused = compose_what_can(account, [bill], besides, at, terms)
        for one in alone:
            besides = after(besides, one.coupons, one.used, one.changes)
        made += alone
        failed += refused
    return tuple(made), tuple(failed)


def compose_late(
    account: Account, besides: Besides, at: datetime, terms: TaxTerms
) -> tuple[Composed, ...]:
    """Return the invoices over nothing but usage that changed, one for each currency.

    No other follows them, so nothing is carried. Raises Conflict as `taxes_on` does.
    """
    made: list[Composed] = []
    for currency in sorted({line.amount.currency for line in besides.late}):
        late = [one.derivation for one in besides.late_in(currency)]
        period = Period(min(one.period_start for one in late), max(one.period_end for one in late))
        built = build(replace(_taking(account, besides, currency, at, terms), period=period))
        is_empty = all(line.amount.is_zero() for line in built.draft.lines)
        if not (is_empty and besides.skips_zero):
            made.append(_composed(account, (), besides, built))
        changes = besides.changes_in(currency)
        besides = after(besides, built.coupons, built.used, changes)
    return tuple(made)


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


def _ingredients(
    account: Account, bills: Sequence[Bill], besides: Besides, at: datetime, terms: TaxTerms
) -> Ingredients:
    lines = tuple(_lines(bills))
    return replace(
        _taking(account, besides, lines[0].amount.currency, at, terms),
        period=_span(bills),
        fees=lines,
        is_final=all(bill.is_last for bill in bills),
    )


def _taking(
    account: Account, besides: Besides, currency: str, at: datetime, terms: TaxTerms
) -> Ingredients:
    """Return what an invoice in this currency takes besides what is due; it is the last one."""
    return Ingredients(
        account=account,
        currency=currency,
        period=Period(at, at),
        at=at,
        fees=(),
        late=besides.late_in(currency),
        written=besides.written,
        coupons=besides.coupons,
        carried=tuple(one for one in besides.carried if one.left.currency == currency),
        credit=tuple(one for one in besides.credit if one.left.currency == currency),
        least=besides.least(currency),
        terms=terms,
        is_final=True,
    )


def _composed(account: Account, bills: Sequence[Bill], besides: Besides, built: Built) -> Composed:
    return Composed(
        account=account,
        draft=replace(built.draft, bills=tuple(bill.key for bill in bills)),
        used=built.used,
        coupons=built.coupons,
        changes=besides.changes_in(built.draft.currency),
        kept=built.kept,
        kind_of_kept="refund" if any(bill.is_refunded for bill in bills) else "credit",
        carried=built.carried,
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
