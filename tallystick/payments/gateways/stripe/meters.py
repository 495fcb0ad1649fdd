"""Stripe's billing meters: events told, taken back, summed up, and reports of those that fail.

https://docs.stripe.com/api/billing/meter-event. An answer of 200 says that an event was taken; what
does not count is told later in a thin event (https://docs.stripe.com/billing/subscriptions/usage-based/recording-usage-api).
"""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec

from tallystick.payments.gateways.stripe import wire
from tallystick.payments.gateways.stripe.client import Call, Failed, StripeCalls
from tallystick.payments.metered import (
    Answer,
    Away,
    GatewayMeter,
    MeterEvent,
    MeterReport,
    Refused,
    RefusedEvents,
    Taken,
    Unclear,
    UsageSummary,
)

if TYPE_CHECKING:
    from stripe.params.billing import MeterEventSummaryListParams

PAGE_ROWS: Final = 100
PAGES_MAX: Final = 100
_KNOWN_ALREADY: Final = frozenset({"resource_already_exists", "duplicate_meter_event"})
_BUSY: Final = frozenset({401, 403, 429})
_UNCLEAR_CLIENT: Final = frozenset({408, 409})
_CLIENT_ERRORS: Final = range(400, 500)


class _Mapping(msgspec.Struct, frozen=True):
    event_payload_key: str


class _Aggregation(msgspec.Struct, frozen=True):
    formula: str


class _Meter(msgspec.Struct, frozen=True):
    id: str
    event_name: str
    default_aggregation: _Aggregation
    customer_mapping: _Mapping
    value_settings: _Mapping


class _Told(msgspec.Struct, frozen=True):
    """A meter event or its adjustment: only that it was taken matters."""

    object: str


class _Summary(msgspec.Struct, frozen=True):
    """`aggregated_value` is a float on the wire: its shortest decimal form is what was meant."""

    id: str
    start_time: int
    end_time: int
    aggregated_value: Decimal


class _Request(msgspec.Struct, frozen=True):
    identifier: str | None = None


class _Sample(msgspec.Struct, frozen=True):
    request: _Request = _Request()


class _ErrorType(msgspec.Struct, frozen=True):
    code: str
    error_count: int
    sample_errors: tuple[_Sample, ...] = ()


class _Reason(msgspec.Struct, frozen=True):
    error_types: tuple[_ErrorType, ...] = ()


class _Data(msgspec.Struct, frozen=True):
    reason: _Reason = _Reason()


class _Report(msgspec.Struct, frozen=True):
    data: _Data = _Data()
    related_object: wire.RelatedObject | None = None


class StripeMeters:
    """Tells Stripe of usage, and reads what it made of it."""

    def __init__(self, calls: StripeCalls) -> None:
        self._calls = calls

    async def find(self, event_name: str) -> GatewayMeter | None:
        """Return the active meter that counts events of this name. Raises Unavailable."""
        async for meter in self._active():
            if meter.event_name == event_name:
                return GatewayMeter(
                    reference=meter.id,
                    event_name=event_name,
                    formula=meter.default_aggregation.formula,
                    customer_key=meter.customer_mapping.event_payload_key,
                    value_key=meter.value_settings.event_payload_key,
                )
        return None

    async def send(self, event: MeterEvent) -> Answer:
        """Tell of usage. An identifier that Stripe has already is taken."""
        return await self._try(
            lambda client: client.v1.billing.meter_events.create_async(
                {
                    "event_name": event.event_name,
                    "identifier": event.identifier,
                    "timestamp": int(event.at.timestamp()),
                    "payload": dict(event.payload),
                },
                {"idempotency_key": event.key},
            )
        )

    async def take_back(self, event_name: str, identifier: str, key: str) -> Answer:
        """Let an event not count that was told within the last day."""
        return await self._try(
            lambda client: client.v1.billing.meter_event_adjustments.create_async(
                {
                    "event_name": event_name,
                    "type": "cancel",
                    "cancel": {"identifier": identifier},
                },
                {"idempotency_key": key},
            )
        )

    async def summaries(
        self, meter: str, customer: str, start: datetime, end: datetime
    ) -> tuple[UsageSummary, ...]:
        """Return what a customer used in [start, end), whole hours, by hours with usage, in order.

        Raises Unavailable, NotFound `gateway_object_missing`.
        """
        rows: list[_Summary] = []
        for _ in range(PAGES_MAX):
            after = rows[-1].id if rows else None
            page = await self._calls.fetch(
                _summaries(meter, customer, (start, end), after), wire.Page[_Summary]
            )
            rows.extend(page.data)
            if not page.has_more or not page.data:
                break
        found = [
            UsageSummary(_at(row.start_time), _at(row.end_time), row.aggregated_value)
            for row in rows
        ]
        return tuple(sorted(found, key=lambda one: one.start))

    async def report(self, event_id: str) -> MeterReport:
        """Read a thin event's report, which the webhook does not carry. Raises Unavailable."""
        told = await self._calls.fetch(
            lambda client: client.v2.core.events.retrieve_async(event_id), _Report
        )
        meter = told.related_object.id if told.related_object else None
        return MeterReport(meter, tuple(_refused(told.data.reason)))

    async def _active(self) -> AsyncIterator[_Meter]:
        last: str | None = None
        for _ in range(PAGES_MAX):
            page = await self._calls.fetch(_active_meters(last), wire.Page[_Meter])
            for meter in page.data:
                yield meter
            if not page.has_more or not page.data:
                return
            last = page.data[-1].id

    async def _try(self, call: Call) -> Answer:
        told = await self._calls.ask(call, _Told)
        return _answer(told) if isinstance(told, Failed) else Taken()


def _answer(failed: Failed) -> Answer:
    """Return what a failed call means for an event."""
    code, status = failed.said.code, failed.status
    if not failed.was_sent or status in _BUSY:
        return Away(code or failed.name)
    if status not in _CLIENT_ERRORS or status in _UNCLEAR_CLIENT:
        return Unclear(code or failed.name)
    # Our identifiers are well formed, so one that is refused is one that Stripe has.
    if code in _KNOWN_ALREADY or (code is None and failed.said.param == "identifier"):
        return Taken()
    if failed.said.type == "idempotency_error":
        return Unclear(failed.said.type)
    return Refused(code or failed.name)


def _refused(reason: _Reason) -> Iterator[RefusedEvents]:
    for kind in reason.error_types:
        names = (sample.request.identifier for sample in kind.sample_errors)
        yield RefusedEvents(kind.code, tuple(name for name in names if name), kind.error_count)


def _active_meters(last: str | None) -> Call:
    return lambda client: client.v1.billing.meters.list_async(
        {
            "status": "active",
            "limit": PAGE_ROWS,
            **({"starting_after": last} if last else {}),
        }
    )


def _summaries(
    meter: str, customer: str, span: tuple[datetime, datetime], last: str | None
) -> Call:
    start, end = (int(edge.timestamp()) for edge in span)
    asked: MeterEventSummaryListParams = {
        "customer": customer,
        "start_time": start,
        "end_time": end,
        "value_grouping_window": "hour",
        "limit": PAGE_ROWS,
    }
    if last is not None:
        asked["starting_after"] = last
    return lambda client: client.v1.billing.meters.event_summaries.list_async(meter, asked)


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
