"""What was sent and what Stripe counted, side by side; nothing here judges."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol
from uuid import UUID

from tallystick.accounts import service as accounts
from tallystick.catalog import service as catalog
from tallystick.kernel.db import STAFF, Database
from tallystick.kernel.errors import BadInput, NotFound
from tallystick.kernel.ids import unknown
from tallystick.money.exact import total
from tallystick.payments import linking
from tallystick.payments.metered import UsageSummary
from tallystick.stripe_meters import events_store, store
from tallystick.stripe_meters.model import (
    EventStatus,
    Formula,
    HourSide,
    Sides,
    ToldEvent,
)
from tallystick.stripe_meters.outcomes import GATEWAY

DAYS_MAX: Final = 62
_OPEN: Final = frozenset(
    {
        EventStatus.PARKED,
        EventStatus.QUEUED,
        EventStatus.UNKNOWN,
        EventStatus.REFUSED,
        EventStatus.HELD,
        EventStatus.CANCELING,
    }
)


class SummaryReader(Protocol):
    """Whoever reads what Stripe counted."""

    async def summaries(
        self, meter: str, customer: str, start: datetime, end: datetime
    ) -> tuple[UsageSummary, ...]:
        """Return what a customer used in [start, end), by hours with usage. Raises Unavailable."""


async def read_sides(
    db: Database,
    reader: SummaryReader,
    account_id: UUID,
    code: str,
    span: tuple[datetime, datetime],
) -> Sides:
    """Return an account's usage of a meter in whole hours, [start, end), as sent and as counted.

    Stripe counts a little later than it answers: a difference of the last hours says nothing.
    Raises BadInput for a span that is not of whole hours or longer than 62 days, NotFound
    `account_not_found`, `meter_not_found`, `stripe_meter_not_found`, `gateway_customer_not_found`,
    Unavailable.
    """
    start, end = (edge.astimezone(UTC) for edge in span)
    async with db.transaction(STAFF) as conn:
        await accounts.get_account(conn, account_id)
        meter = await catalog.get_meter(conn, code)
        there = await store.find_meter(conn, meter.meter_id)
        if there is None:
            raise unknown("stripe_meter")
        customer = await linking.customer_at(conn, account_id, GATEWAY)
        if customer is None:
            raise NotFound("gateway_customer_not_found", "The account has no customer at Stripe.")
        _check(start, end)
        events = await events_store.of_span(conn, account_id, meter.meter_id, start, end)
    theirs = await reader.summaries(there.reference, customer, start, end)
    ours = [event for event in events if event.reference == there.reference]
    hours = side_by_side(there.formula, ours, theirs)
    return Sides(meter=there, customer=customer, start=start, end=end, hours=hours)


def side_by_side(
    formula: Formula, ours: Iterable[ToldEvent], theirs: Iterable[UsageSummary]
) -> tuple[HourSide, ...]:
    """Return every hour that either side has, in order: pure."""
    counted = {one.start: one.quantity for one in theirs}
    told: dict[datetime, list[ToldEvent]] = {hour: [] for hour in counted}
    for event in ours:
        told.setdefault(event.hour, []).append(event)
    return tuple(
        _side(formula, hour, told[hour], counted.get(hour))
        for hour in sorted(told)
        if counted.get(hour) is not None or any(_says(event) for event in told[hour])
    )


def _side(
    formula: Formula, hour: datetime, events: list[ToldEvent], theirs: Decimal | None
) -> HourSide:
    sent = [event.value for event in events if event.status == EventStatus.SENT]
    return HourSide(
        hour=hour,
        sent=total(sent if formula == "sum" else sent[-1:]),
        sent_count=len(sent),
        open_count=sum(event.status in _OPEN for event in events),
        theirs=theirs,
    )


def _says(event: ToldEvent) -> bool:
    return event.status == EventStatus.SENT or event.status in _OPEN


def _check(start: datetime, end: datetime) -> None:
    for name, at in (("from", start), ("to", end)):
        if at.minute or at.second or at.microsecond:
            message = "must be a whole hour in UTC, such as 2026-11-21T09:00:00Z"
            raise BadInput.field(name, "not_a_whole_hour", message)
    if end <= start:
        raise BadInput.field("to", "out_of_range", "must be after from")
    if end - start > timedelta(days=DAYS_MAX):
        raise BadInput.field("to", "out_of_range", f"must be within {DAYS_MAX} days of from")
