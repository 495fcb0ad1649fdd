"""From a plan's version and what was used to the lines and sums of an invoice. Pure.

Preview, simulation and the billing run all call `build`; there is no second way to an amount.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Literal

import msgspec

from tallystick.accounts.model import Account
from tallystick.catalog.model import Meter, PlanVersion
from tallystick.invoices.derivation import Derivation, missing_to_minimum, rated_amount
from tallystick.invoices.model import DraftLine, InvoiceDraft, LineKind
from tallystick.invoices.tax import taxes_on
from tallystick.kernel.errors import Conflict
from tallystick.money.amount import Money
from tallystick.pricing.model import FlatPrice, Price, Rated
from tallystick.pricing.rate import rate
from tallystick.subscriptions.periods import Period

ONCE = Decimal(1)
UNUSED = Decimal(0)


class _Item(msgspec.Struct, frozen=True):
    """One price with what it is charged for."""

    plan: PlanVersion
    price: Price
    meter: Meter | None
    period: Period
    quantity: Decimal
    rated: Rated


def build(
    account: Account,
    plan: PlanVersion,
    meters: Mapping[str, Meter],
    period: Period,
    totals: Mapping[str, Decimal],
) -> InvoiceDraft:
    """Return the invoice for one period: a line for each price, in the plan's order.

    `meters` and `totals` go by meter code; a meter without a total was not used, and its line
    stays with an amount of zero, so that the customer sees it. A price with a minimum that is not
    reached has a second line for what is missing. Each line is rounded once, each tax once.

    Raises Conflict for a price whose meter does not exist.
    """
    lines = tuple(
        line
        for price in plan.prices
        for line in _lines(_item(plan, price, meters, period, totals), plan)
    )
    subtotal = _sum((line.amount for line in lines), plan.currency)
    taxes = taxes_on(subtotal, account)
    tax = _sum((Money(one.amount_minor, plan.currency) for one in taxes), plan.currency)
    return InvoiceDraft(
        currency=plan.currency,
        period_start=period.start,
        period_end=period.end,
        lines=lines,
        subtotal=subtotal,
        taxes=taxes,
        tax=tax,
        total=subtotal + tax,
    )


def metered_codes(plan: PlanVersion) -> frozenset[str]:
    """Return the codes of the meters whose totals the plan's prices need."""
    return frozenset(
        price.meter
        for price in plan.prices
        if price.meter is not None and not isinstance(price, FlatPrice)
    )


def _item(
    plan: PlanVersion,
    price: Price,
    meters: Mapping[str, Meter],
    period: Period,
    totals: Mapping[str, Decimal],
) -> _Item:
    if isinstance(price, FlatPrice):
        return _Item(plan, price, None, period, ONCE, rate(price, ONCE))
    meter = meters.get(price.meter or "")
    if meter is None:
        raise Conflict(
            "meter_missing",
            f"Price {price.code} of plan {plan.plan_code} needs the meter {price.meter}, which "
            "does not exist; create it.",
        )
    quantity = totals.get(meter.code, UNUSED)
    return _Item(plan, price, meter, period, quantity, rate(price, quantity))


def _lines(item: _Item, plan: PlanVersion) -> Iterator[DraftLine]:
    kind: LineKind = "usage" if item.meter else "subscription"
    billed = rated_amount(item.rated)
    name = _description(item, plan)
    yield _line(item, kind, name, billed, _derivation(item, "rated", item.rated.amount))
    missing = missing_to_minimum(item.price, billed)
    if not missing.is_zero():
        derivation = _derivation(item, "minimum", missing.to_decimal())
        yield _line(item, "minimum", f"{name}: up to the minimum", missing, derivation)


def _line(
    item: _Item, kind: LineKind, description: str, amount: Money, derivation: Derivation
) -> DraftLine:
    return DraftLine(
        kind=kind,
        description=description,
        price_code=item.price.code,
        meter_code=item.meter.code if item.meter else None,
        quantity=ONCE if kind == "minimum" else item.quantity,
        unit=item.meter.unit if item.meter and kind == "usage" else None,
        period_start=item.period.start,
        period_end=item.period.end,
        amount=amount,
        derivation=derivation,
    )


def _derivation(item: _Item, kind: Literal["rated", "minimum"], exact: Decimal) -> Derivation:
    return Derivation(
        kind=kind,
        plan_version_id=item.plan.plan_version_id,
        price=item.price,
        quantity=item.quantity,
        period_start=item.period.start,
        period_end=item.period.end,
        steps=item.rated.steps,
        exact=exact,
        currency=item.rated.currency,
        rounding="half_away_from_zero",
    )


def _description(item: _Item, plan: PlanVersion) -> str:
    """Return the meter's name, or the plan's; the price's code only tells several fees apart."""
    if item.meter:
        return item.meter.name
    fee_count = sum(isinstance(price, FlatPrice) for price in plan.prices)
    return plan.plan_name if fee_count == 1 else f"{plan.plan_name}: {item.price.code}"


def _sum(amounts: Iterable[Money], currency: str) -> Money:
    return sum(amounts, Money.zero(currency))
