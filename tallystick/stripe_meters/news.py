"""What Stripe tells of usage that does not count; other news goes on to who stands behind."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

import structlog
from msgspec.structs import replace

from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.errors import NotFound
from tallystick.kernel.ids import parse
from tallystick.payments.facts import GatewayEvent, UsageRefused
from tallystick.payments.metered import MeterReport, RefusedEvents
from tallystick.payments.news import News
from tallystick.payments.verdicts import Handled, Skipped, Verdict
from tallystick.stripe_meters import events_store, store
from tallystick.stripe_meters.model import EventStatus
from tallystick.stripe_meters.outcomes import GATEWAY

log = structlog.get_logger()


class ReportReader(Protocol):
    """Whoever reads Stripe's reports."""

    async def report(self, event_id: str) -> MeterReport:
        """Read a report. Raises Unavailable, NotFound."""


class UsageNews:
    """Marks events that Stripe does not count."""

    def __init__(self, db: Database, reader: ReportReader, clock: Clock, behind: News) -> None:
        self._db = db
        self._reader = reader
        self._clock = clock
        self._behind = behind

    async def apply(self, gateway: str, event: GatewayEvent) -> Verdict:
        """Apply an event. Raises Unavailable when Stripe has to be asked and is away."""
        if gateway != GATEWAY or not isinstance(event.fact, UsageRefused):
            return await self._behind.apply(gateway, event)
        try:
            report = await self._reader.report(event.fact.report)
        except NotFound:
            return Skipped("report_gone")
        async with self._db.own_transaction(WRITER) as conn:
            return await _apply(conn, event.fact.report, report, self._clock())


async def _apply(conn: Connection, name: str, report: MeterReport, at: datetime) -> Verdict:
    accounts: list[UUID] = []
    for refused in report.refused:
        found = [
            account_id
            for identifier in refused.identifiers
            if (account_id := await _refuse(conn, identifier, refused.code)) is not None
        ]
        accounts += found
        await store.keep_report(
            conn, name, refused.code, report.meter, refused.event_count, len(found), at
        )
        _tell(refused, len(found))
    return Handled(accounts[0]) if accounts else Skipped("no_usage_of_ours")


async def _refuse(conn: Connection, identifier: str, code: str) -> UUID | None:
    """Mark one event; None: it is not ours, another system tells of usage too."""
    try:
        event_id = parse("stripe_meter_event", identifier)
    except NotFound:
        return None
    event = await events_store.lock_event(conn, event_id)
    if event is None:
        return None
    if event.status in {EventStatus.SENT, EventStatus.UNKNOWN}:
        after = replace(event, status=EventStatus.REFUSED, reason=code)
        await events_store.move(conn, event, after)
    elif event.status == EventStatus.CANCELING:
        await events_store.move(conn, event, replace(event, status=EventStatus.CANCELED))
    return event.account_id


def _tell(refused: RefusedEvents, named_count: int) -> None:
    log.warning(
        "stripe_meters_refused",
        reason=refused.code,
        count=refused.event_count,
        named_count=named_count,
    )
