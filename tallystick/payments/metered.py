"""Usage that a gateway is told of, for it to count on meters of its own.

Instants are UTC; quantities are exact. What a gateway answers at once says that it took an event,
never that it counts: it may refuse it later, in a report.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import msgspec


class GatewayMeter(msgspec.Struct, frozen=True, kw_only=True):
    """A meter at the gateway: what its events are called, and how it adds up (sum, count, last).

    `customer_key` and `value_key` are the names under which an event carries both.
    """

    reference: str
    event_name: str
    formula: str
    customer_key: str
    value_key: str


class MeterEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event; the gateway counts an identifier once within a day at least.

    `key` names the call. A repeat may have another one: what a server answered to the first may be
    kept for it, a failure too, and the identifier keeps the event from counting twice.
    """

    identifier: str
    key: str
    event_name: str
    at: datetime
    payload: Mapping[str, str]


class Taken(msgspec.Struct, frozen=True):
    """The gateway has it, now or since an earlier try."""


class Refused(msgspec.Struct, frozen=True):
    """The gateway will never take it; the code is its own."""

    code: str


class Away(msgspec.Struct, frozen=True):
    """Nothing was done: too many requests, a refused key, or nothing was sent."""

    code: str


class Unclear(msgspec.Struct, frozen=True):
    """No answer, or one of a broken server: it may have been done."""

    code: str


Answer = Taken | Refused | Away | Unclear


class UsageSummary(msgspec.Struct, frozen=True):
    """What the gateway counted in [start, end)."""

    start: datetime
    end: datetime
    quantity: Decimal


class RefusedEvents(msgspec.Struct, frozen=True):
    """Events that do not count for one reason: some of their identifiers, and how many they are."""

    code: str
    identifiers: tuple[str, ...]
    event_count: int


class MeterReport(msgspec.Struct, frozen=True):
    """What a gateway says of events that it took and that do not count; `meter` None: no meter."""

    meter: str | None
    refused: tuple[RefusedEvents, ...]
