"""What a plan bills at least for a period, over its fees and all usage together. Pure."""

from collections.abc import Iterator, Sequence

from tallystick.catalog.currencies import commitment
from tallystick.catalog.model import PlanVersion
from tallystick.invoices.derivation import Derivation
from tallystick.invoices.model import DraftLine
from tallystick.invoices.rated_lines import ONCE
from tallystick.money.amount import Money
from tallystick.money.exact import multiply
from tallystick.money.rounding import round_decimal
from tallystick.pricing.charges import Part, bound
from tallystick.pricing.model import ZERO, FlatPrice
from tallystick.pricing.rate import rate
from tallystick.subscriptions.periods import Period
from tallystick.subscriptions.proration import Share, amount_of

CODE = "minimum_commitment"


def commitment_line(
    plan: PlanVersion, period: Period, counted: Money, part: Part | None
) -> Iterator[DraftLine]:
    """Yield the line for what `counted` is short of the plan's commitment, or of a part's share.

    A commitment of 500.00 for 15 of 30 days is 250.00: after 180.00 of fees and usage 70.00 are
    due.
    """
    least = commitment(plan)
    if least is None:
        return
    price = FlatPrice(currency=plan.currency, code=CODE, amount=ZERO, minimum=least)
    step = bound(price, counted, part)
    if step is None:
        return
    yield DraftLine(
        kind="minimum",
        description=f"{plan.plan_name}: up to the commitment",
        price_code=CODE,
        meter_code=None,
        quantity=ONCE,
        unit=None,
        period_start=period.start,
        period_end=period.end,
        amount=round_decimal(step.amount, plan.currency),
        plan_code=plan.plan_code,
        derivation=Derivation(
            kind="commitment",
            plan_version_id=plan.plan_version_id,
            price=price,
            quantity=ONCE,
            period_start=period.start,
            period_end=period.end,
            steps=(step,),
            exact=step.amount,
            currency=plan.currency,
            rounding="half_away_from_zero",
            part=part,
            counted_minor=counted.minor,
        ),
    )


def counted_for(
    plan: PlanVersion, quantity: int, share: Share, usage: Sequence[DraftLine]
) -> Money:
    """Return what counts for the commitment: the fees of that share of the period, and the usage.

    Fees count whenever they are billed, in advance on the invoice before or in arrears on this one.
    """
    total = sum((line.amount for line in usage), Money.zero(plan.currency))
    for price in plan.prices:
        if isinstance(price, FlatPrice) and not share.is_empty:
            whole = multiply(rate(price, ONCE).amount, ONCE * quantity)
            total += amount_of(whole, plan.currency, share)
    return total
