"""Invoices over a whole period of a plan, for tests of what is below the billing run."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from tallystick.accounts.model import Account
from tallystick.catalog.model import Meter, PlanVersion
from tallystick.invoices.build import Ingredients, build
from tallystick.invoices.flat_lines import flat_lines
from tallystick.invoices.model import DraftLine, InvoiceDraft
from tallystick.invoices.usage_lines import usage_lines
from tallystick.pricing.model import FlatPrice
from tallystick.pricing.use import Uses
from tallystick.subscriptions.periods import Period


def period_draft(
    account: Account, plan: PlanVersion, meters: Mapping[str, Meter], period: Period, uses: Uses
) -> InvoiceDraft:
    """Return the invoice for one period: the lines of each price, in the plan's order."""
    fees = tuple(period_lines(plan, meters, period, uses))
    at: datetime = period.end
    given = Ingredients(account=account, currency=plan.currency, period=period, at=at, fees=fees)
    return build(given).draft


def period_lines(
    plan: PlanVersion, meters: Mapping[str, Meter], period: Period, uses: Uses
) -> Iterator[DraftLine]:
    """Yield the lines of each price of a plan for one period."""
    for price in plan.prices:
        if isinstance(price, FlatPrice):
            yield from flat_lines(plan, price, period)
        else:
            yield from usage_lines(plan, price, meters, period, uses.get(price.code, ()))
