"""An invoice from all that goes into it, in one order of operations. Pure.

The billing run, previews, the timeline and stories call `build`; there is no second way to a total.

1. Fees and usage, with what is missing to the minimums of prices and plans.
2. Adjustments for usage of closed periods that changed.
3. Coupons, each a line that names what it covers.
4. What earlier invoices carried forward; then credit that they gave back and could not hold. What
   is below zero now is kept for later invoices. What staff wrote on a draft of a period comes
   before them: no coupon lowers it.
5. The least that is asked for: what is less is carried forward, unless nothing comes after it.
6. Tax, rounded once for each rate, on the sum of the lines that it applies to.
7. What is on the account pays (`settlement.py`): credit of credit notes, then prepaid money.

Each line was rounded once before it came here. The subtotal is the sum of the lines, the total the
subtotal plus the taxes; neither is ever below zero.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from tallystick.accounts.model import Account
from tallystick.catalog.model import Meter
from tallystick.catalog.offer_model import Redemption
from tallystick.invoices.adjustments import Adjustment, balance, carried_in, carried_on
from tallystick.invoices.discount_lines import discounted
from tallystick.invoices.flat_lines import share_line
from tallystick.invoices.model import DraftLine, InvoiceDraft
from tallystick.invoices.tax import line_taxes, taxes_on
from tallystick.invoices.usage_lines import usage_lines
from tallystick.money.amount import Money
from tallystick.pricing.charges import Part
from tallystick.pricing.model import FlatPrice
from tallystick.pricing.use import Uses
from tallystick.subscriptions.periods import Period
from tallystick.subscriptions.terms import FlatDue
from tallystick.subscriptions.usage_dues import UsageDue
from tallystick.taxes.model import NO_TAXES, TaxTerms


class Ingredients(msgspec.Struct, frozen=True, kw_only=True):
    """What an invoice is made from, all in `currency`; `at` is the account's present.

    `fees` are the lines of what is due, `late` those of usage that changed. `coupons` are those of
    the account, `written` the lines that staff added, `carried` and `credit` what earlier invoices
    left, oldest first. `least` is the least that an invoice asks for, `terms` those of its taxes;
    `is_final`: no other follows, so nothing is carried.
    """

    account: Account
    currency: str
    period: Period
    at: datetime
    fees: tuple[DraftLine, ...]
    late: tuple[DraftLine, ...] = ()
    written: tuple[DraftLine, ...] = ()
    coupons: tuple[Redemption, ...] = ()
    carried: tuple[Adjustment, ...] = ()
    credit: tuple[Adjustment, ...] = ()
    least: Money | None = None
    terms: TaxTerms = NO_TAXES
    is_final: bool = False


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice, and what making it does to what went into it.

    `coupons` are what is left of those that lower it; `used` is what it takes of each earlier
    invoice's credit or carried amount; `kept` and `carried` are what it leaves to later ones.
    """

    draft: InvoiceDraft
    coupons: tuple[Redemption, ...]
    used: tuple[tuple[UUID, Money], ...]
    kept: Money
    carried: Money


def build(given: Ingredients) -> Built:
    """Return the invoice, in the order that the module's text gives.

    Raises Conflict as `taxes_on` does.
    """
    nothing = Money.zero(given.currency)
    billed = (*given.fees, *given.late)
    lowered = discounted(billed, given.coupons, given.at)
    lines = (*billed, *lowered.lines, *given.written, *carried_in(given.carried, given.at))
    balanced = balance(lines, given.credit, given.currency, given.at)
    lines, subtotal = balanced.lines, _sum(balanced.lines, given.currency)
    carried = nothing
    if given.least is not None and nothing < subtotal < given.least and not given.is_final:
        carried = subtotal
        lines = (*lines, carried_on(carried, given.at))
    return Built(
        draft=draft_of(
            given.account, given.currency, given.period, lines, terms=given.terms, at=given.at
        ),
        coupons=lowered.used,
        used=(*((one.invoice_id, one.left) for one in given.carried), *balanced.used),
        kept=balanced.kept,
        carried=carried,
    )


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
        line_taxes=line_taxes(lines, come_to),
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


def _sum(lines: Iterable[DraftLine], currency: str) -> Money:
    return sum((line.amount for line in lines), Money.zero(currency))
