"""From a plan's version and what was used to the lines and sums of an invoice. Pure.

The billing run, previews and what-ifs take what is due one by one (`due_lines`); `build` takes a
whole period of a plan at once.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from tallystick.accounts.model import Account
from tallystick.catalog.model import Meter, PlanVersion
from tallystick.invoices.commitment import commitment_line
from tallystick.invoices.flat_lines import flat_lines, share_line
from tallystick.invoices.model import DraftLine, InvoiceDraft
from tallystick.invoices.tax import taxes_on
from tallystick.invoices.usage_lines import usage_lines
from tallystick.money.amount import Money
from tallystick.pricing.charges import Part
from tallystick.pricing.model import FlatPrice
from tallystick.pricing.use import Uses
from tallystick.subscriptions.periods import Period
from tallystick.subscriptions.terms import FlatDue
from tallystick.subscriptions.usage_dues import UsageDue
from tallystick.taxes.model import NO_TAXES, TaxTerms


def build(
    account: Account,
    plan: PlanVersion,
    meters: Mapping[str, Meter],
    period: Period,
    uses: Uses,
) -> InvoiceDraft:
    """Return the invoice for one period: the lines of each price, in the plan's order.

    `meters` go by their code, `uses` (`metering.price_uses.read_uses`) by the price's. A price has
    a line for each group of its usage; one that was not used has a line with an amount of zero, so
    that the customer sees it. A price with a minimum that is not reached has one more line for
    what is missing. Each line is rounded once, each tax once.

    Raises Conflict for a price whose meter does not exist.
    """
    lines = tuple(_lines(plan, meters, period, uses))
    counted = _sum((line.amount for line in lines), plan.currency)
    lines += tuple(commitment_line(plan, period, counted, None))
    return draft_of(account, plan.currency, period, lines)


def draft_of(
    account: Account,
    currency: str,
    period: Period,
    lines: tuple[DraftLine, ...],
    *,
    terms: TaxTerms = NO_TAXES,
    at: datetime | None = None,
) -> InvoiceDraft:
    """Return the invoice with these lines: their sum, and each tax rounded once on it.

    `terms` are those of its taxes, `at` is when it is issued (None: at the period's end). Raises
    Conflict as `taxes_on` does.
    """
    come_to = taxes_on(lines, account, terms, currency, at or period.end)
    return InvoiceDraft(
        currency=currency,
        period_start=period.start,
        period_end=period.end,
        lines=lines,
        subtotal=come_to.net,
        taxes=come_to.taxes,
        tax=come_to.tax,
        total=come_to.net + come_to.tax,
    )


def due_lines(
    due: FlatDue | UsageDue, meters: Mapping[str, Meter], uses: Uses, part: Part | None = None
) -> Iterator[DraftLine]:
    """Yield the lines of one thing that is due; `uses` are those of its plan in its period.

    `part` is what part of a billing period that is, None: a whole one.
    """
    if isinstance(due, FlatDue):
        yield share_line(due)
        return
    for price in due.plan.prices:
        if not isinstance(price, FlatPrice):
            used = uses.get(price.code, ())
            yield from usage_lines(due.plan, price, meters, due.period, used, part=part)


def _lines(
    plan: PlanVersion,
    meters: Mapping[str, Meter],
    period: Period,
    uses: Uses,
) -> Iterator[DraftLine]:
    for price in plan.prices:
        if isinstance(price, FlatPrice):
            yield from flat_lines(plan, price, period)
        else:
            yield from usage_lines(plan, price, meters, period, uses.get(price.code, ()))


def _sum(amounts: Iterable[Money], currency: str) -> Money:
    return sum(amounts, Money.zero(currency))
