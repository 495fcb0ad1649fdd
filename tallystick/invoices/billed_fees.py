"""What an earlier invoice billed of a flat price that is given back now, and coupons took. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tallystick.invoices.derivation import Derivation
from tallystick.invoices.discount_back import DiscountBack, with_share
from tallystick.invoices.model import DraftLine, InvoiceDraft
from tallystick.money.amount import Money
from tallystick.pricing.rate import rate
from tallystick.subscriptions.periods import Period
from tallystick.subscriptions.proration import amount_of


class BilledFee(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an issued invoice over (a share of) a flat price, and what coupons took off it.

    `invoice_id` None: the invoice is still to come. `start` is where its share of the period
    begins, in the share's units.
    """

    invoice_id: UUID | None
    number: str
    subscription_id: UUID
    plan_version_id: UUID
    price_code: str
    period: Period
    start: int
    billed_minor: int
    taken_minor: int


def gives_back(line: DraftLine) -> bool:
    """Tell whether a line gives back a share of what a plan or an add-on costs."""
    share = line.derivation.share
    is_sold = line.derivation.plan_version_id is not None
    return share is not None and share.sign < 0 and is_sold and not line.amount.is_zero()


def fees_to_come(draft: InvoiceDraft) -> Iterator[BilledFee]:
    """Yield what an invoice that is only foreseen would bill of flat prices."""
    taken: Counter[int] = Counter()
    for line in draft.lines:
        for part in line.derivation.coupon.covered if line.derivation.coupon else ():
            taken[part.position] += part.taken_minor
    for position, line in enumerate(draft.lines, start=1):
        its = line.derivation
        if line.meter_code or line.amount.minor <= 0 or its.plan_version_id is None:
            continue
        if line.subscription_id is not None:
            yield BilledFee(
                invoice_id=None,
                number="to come",
                subscription_id=line.subscription_id,
                plan_version_id=its.plan_version_id,
                price_code=line.price_code,
                period=Period(its.period_start, its.period_end),
                start=its.share.start if its.share else 0,
                billed_minor=line.amount.minor,
                taken_minor=taken[position],
            )


def billed_by(
    line: DraftLine, subscription_id: UUID, known: Iterable[BilledFee]
) -> BilledFee | None:
    """Return what billed the time that the line gives back: of `known` the last, else the later."""
    its, found = line.derivation, None
    for one in known:
        is_same = (one.subscription_id, one.plan_version_id, one.price_code) == (
            subscription_id,
            its.plan_version_id,
            line.price_code,
        )
        holds = one.period.start <= its.period_start and its.period_end <= one.period.end
        if is_same and holds and (found is None or one.period.start >= found.period.start):
            found = one
    return found


def less_discount(line: DraftLine, fee: BilledFee | None) -> DraftLine:
    """Return a line that gives back, less what coupons took off the same part of the fee."""
    if fee is None or not fee.taken_minor:
        return line
    was = DiscountBack(
        invoice_id=fee.invoice_id,
        number=fee.number,
        billed_minor=fee.billed_minor,
        taken_minor=fee.taken_minor,
        until_minor=_until(line.derivation, fee),
    )
    return without_discount(line, was)


def without_discount(line: DraftLine, was: DiscountBack) -> DraftLine:
    """Return a line below zero less the share of the discount on what it gives back."""
    back = with_share(was, -line.amount.minor)
    return replace(
        line,
        amount=line.amount + Money(back.back_minor, line.amount.currency),
        derivation=replace(line.derivation, discount=back),
    )


def _until(its: Derivation, fee: BilledFee) -> int:
    """Return up to where the fee was billed when the part that is given back ends."""
    if its.share is None or its.period_end >= fee.period.end:
        return fee.billed_minor
    whole = rate(its.price, its.quantity).amount * its.quantity
    return amount_of(whole, its.currency, replace(its.share, start=fee.start, sign=1)).minor
