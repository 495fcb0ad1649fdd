"""What a period comes to before tax: its share of the fees, usage and commitment. Pure."""

from collections.abc import Mapping

from tallystick.catalog.model import Meter
from tallystick.invoices.build import due_lines
from tallystick.invoices.commitment import commitment_line, counted_for
from tallystick.money.amount import Money
from tallystick.pricing.use import Uses
from tallystick.subscriptions.model import Subscription
from tallystick.subscriptions.periods import Period
from tallystick.subscriptions.proration import share_of
from tallystick.subscriptions.terms import fee_period
from tallystick.subscriptions.usage_dues import UsageDue
from tallystick.subscriptions.usage_share import part_of, usage_share


def period_spend(on: Subscription, due: UsageDue, meters: Mapping[str, Meter], uses: Uses) -> Money:
    """Return the sum of all lines that are for this due's period, on whatever invoice they stand.

    A fee that was paid in advance is for the period that it covers. What a plan that bills usage
    more often commits to is known at the end of its fee's period and not counted. Raises Conflict
    for a price whose meter does not exist.
    """
    plan, period, until = due.plan, due.period, due.counts_until
    part = part_of(usage_share(on, plan, due.whole, period.start, until))
    usage = tuple(due_lines(due, meters, uses, part))
    paid = Period(max(period.start, on.flat_from), until)
    fees = share_of(plan.proration, fee_period(on, plan, period.start), on.timezone, paid)
    spend = counted_for(plan, on.quantity, fees, usage)
    if plan.usage_interval is not None:
        return spend
    rest = commitment_line(plan, period, spend, part_of(fees))
    return sum((line.amount for line in rest), spend)
