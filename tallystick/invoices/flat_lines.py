"""The lines of prices that do not depend on usage. Pure."""

from collections.abc import Iterator
from decimal import Decimal

from msgspec.structs import replace

from tallystick.catalog.model import PlanVersion
from tallystick.invoices.derivation import Derivation
from tallystick.invoices.model import DraftLine, LineKind
from tallystick.invoices.rated_lines import ONCE, PriceLines, charge_line
from tallystick.pricing.charges import charges
from tallystick.pricing.model import FlatPrice, Step
from tallystick.pricing.rate import rate
from tallystick.pricing.use import Use
from tallystick.subscriptions.periods import Period
from tallystick.subscriptions.proration import amount_of, exact_share
from tallystick.subscriptions.terms import FlatDue


def flat_lines(plan: PlanVersion, price: FlatPrice, period: Period) -> Iterator[DraftLine]:
    """Yield the line of a fee for the whole period."""
    common = PriceLines(
        plan=plan,
        price=price,
        period=period,
        kind="subscription",
        description=_description(plan, price),
    )
    for charge in charges(price, [Use(quantity=ONCE)]):
        yield charge_line(common, charge)


def share_line(due: FlatDue) -> DraftLine:
    """Return the line of a share of a flat price; one that gives back is below zero."""
    if due.share.is_whole and due.quantity == 1 and due.name is None:
        (line,) = flat_lines(due.plan, due.price, due.part)
        return line
    quantity = Decimal(due.quantity)
    rated = rate(due.price, quantity)
    whole = rated.amount * quantity
    return DraftLine(
        kind=_kind(due),
        description=_share_description(due),
        price_code=due.price.code,
        meter_code=None,
        quantity=quantity,
        unit=None,
        period_start=due.part.start,
        period_end=due.part.end,
        amount=amount_of(whole, due.price.currency, due.share),
        plan_code=due.plan.plan_code,
        derivation=Derivation(
            kind="share",
            plan_version_id=due.plan.plan_version_id,
            price=due.price,
            quantity=quantity,
            period_start=due.part.start,
            period_end=due.part.end,
            steps=tuple(_times(step, quantity) for step in rated.steps),
            exact=exact_share(whole, due.share),
            currency=due.price.currency,
            rounding="half_away_from_zero",
            share=due.share,
        ),
    )


def _kind(due: FlatDue) -> LineKind:
    if due.part.start == due.part.end:  # an add-on that is billed once
        return "one_off"
    return "subscription" if due.share.is_whole else "proration"


def _times(step: Step, quantity: Decimal) -> Step:
    return replace(step, amount=step.amount * quantity)


def _share_description(due: FlatDue) -> str:
    name = due.name or _description(due.plan, due.price)
    if due.share.sign < 0:
        return f"{name}: unused, given back"
    if due.share.unit != "day" or due.share.is_whole:
        return name
    return f"{name}: {due.share.end - due.share.start} of {due.share.whole} days"


def _description(plan: PlanVersion, price: FlatPrice) -> str:
    """Return the plan's name; the price's code only tells several fees apart."""
    fee_count = sum(isinstance(one, FlatPrice) for one in plan.prices)
    return plan.plan_name if fee_count == 1 else f"{plan.plan_name}: {price.code}"
