"""From what is due to its lines: the one way there, for bills, previews and what-ifs."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from uuid import UUID

from msgspec.structs import replace

from tallystick.catalog.model import Meter
from tallystick.invoices import billed_fees_store, usage_fees_store
from tallystick.invoices.billed_fees import BilledFee, billed_by, gives_back, less_discount
from tallystick.invoices.build import due_lines
from tallystick.invoices.commitment import commitment_line, counted_for
from tallystick.invoices.model import DraftLine
from tallystick.invoices.usage_fees import Came, Fee, closing, running, with_fees
from tallystick.kernel.db import Connection
from tallystick.metering.price_uses import Days, read_uses
from tallystick.pricing.in_advance import bills_as_it_comes
from tallystick.subscriptions.bills import Due
from tallystick.subscriptions.model import Subscription
from tallystick.subscriptions.periods import Period, zone
from tallystick.subscriptions.terms import FlatDue, bills_usage_in_advance
from tallystick.subscriptions.usage_dues import CommitmentDue, RunningDue, UsageDue
from tallystick.subscriptions.usage_share import days_of, part_of, usage_share

FeeOf = tuple[UUID, Fee]
"""A fee of a subscription."""


async def came_of(
    conn: Connection,
    on: Subscription,
    due: Due,
    meters: Mapping[str, Meter],
    *,
    ahead: Iterable[FeeOf] = (),
    to_come: Sequence[BilledFee] = (),
    totals: Mapping[str, Decimal] | None = None,
) -> Came:
    """Return the lines of one thing that is due, less what was billed of its usage as it came.

    `ahead` and `to_come` are fees that are not written, of usage and of flat prices, of who walks
    ahead; `totals` as for `lines_of`, which says what is raised.
    """
    usage = due.usage if isinstance(due, RunningDue) else due
    if not isinstance(usage, UsageDue) or not bills_usage_in_advance(usage.plan):
        return Came(await lines_of(conn, on, due, meters, totals, to_come=to_come))
    start = usage.period.start
    written = await usage_fees_store.billed(conn, on.account_id, on.subscription_id, start)
    coming = [
        fee for named, fee in ahead if (named, fee.line.period_start) == (on.subscription_id, start)
    ]
    billed = with_fees(written, coming)
    if isinstance(due, RunningDue):
        prices = tuple(price for price in due.plan.prices if bills_as_it_comes(price))
        asked = replace(usage, plan=replace(due.plan, prices=prices))
        return running(await _usage_lines(conn, on, asked, meters), billed)
    lines = await lines_of(conn, on, usage, meters)
    taken = await usage_fees_store.taken_off(conn, on.account_id, on.subscription_id, start)
    return closing(lines, billed, keeps_paid=usage.keeps_paid, taken=taken)


async def lines_of(
    conn: Connection,
    on: Subscription,
    due: Due,
    meters: Mapping[str, Meter],
    totals: Mapping[str, Decimal] | None = None,
    *,
    to_come: Sequence[BilledFee] = (),
) -> tuple[DraftLine, ...]:
    """Return the lines of one thing that is due, whatever was billed of it before.

    What runs has none: it is billed when it ends. `meters` go by code; `totals` are those of the
    due's period by meter code, if they were read already. Raises what `read_uses` does, and
    Conflict `meter_missing`.
    """
    if isinstance(due, RunningDue):
        return ()
    if isinstance(due, FlatDue):
        own = due_lines(due, meters, {})
        return tuple([await _less_discount(conn, on, fee, to_come) for fee in own])
    if isinstance(due, CommitmentDue):
        parts = [await _usage_lines(conn, on, part, meters) for part in due.parts]
        counted = counted_for(due.plan, on.quantity, due.share, list(chain(*parts)))
        return tuple(commitment_line(due.plan, due.period, counted, part_of(due.share)))
    lines = await _usage_lines(conn, on, due, meters, totals)
    if due.plan.usage_interval is not None:
        return lines
    start = max(due.period.start, on.flat_from)
    fees = usage_share(on, due.plan, due.whole, start, due.counts_until)
    counted = counted_for(due.plan, on.quantity, fees, lines)
    return (*lines, *commitment_line(due.plan, due.period, counted, part_of(fees)))


async def _less_discount(
    conn: Connection, on: Subscription, line: DraftLine, to_come: Sequence[BilledFee]
) -> DraftLine:
    """Return the line of a fee; one that gives back, less what coupons took off that fee."""
    version = line.derivation.plan_version_id
    if version is None or not gives_back(line):
        return line
    its, whose = line.derivation, on.subscription_id
    written = await billed_fees_store.last_fee(
        conn,
        on.account_id,
        whose,
        price_code=line.price_code,
        plan_version_id=version,
        part=Period(its.period_start, its.period_end),
    )
    known = (*([written] if written else []), *to_come)
    return less_discount(line, billed_by(line, whose, known))


async def _usage_lines(
    conn: Connection,
    on: Subscription,
    due: UsageDue,
    meters: Mapping[str, Meter],
    totals: Mapping[str, Decimal] | None = None,
) -> tuple[DraftLine, ...]:
    uses = await read_uses(
        conn,
        on.account_id,
        due.plan.prices,
        meters,
        start=due.period.start,
        end=due.period.end,
        days=_days(on, due),
        totals=totals,
    )
    part = part_of(usage_share(on, due.plan, due.whole, due.period.start, due.counts_until))
    return tuple(due_lines(due, meters, uses, part))


def _days(on: Subscription, due: UsageDue) -> Days:
    return Days(zone(on.timezone), days_of(due.whole, on.timezone), due.counts_until)
