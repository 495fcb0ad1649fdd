"""Usage on its way to Stripe's meters, as values. Instants are UTC, quantities exact."""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal
from uuid import UUID

import msgspec

HOUR: Final = timedelta(hours=1)
PAST_MAX: Final = timedelta(days=35)
"""How old an event may be at Stripe (https://docs.stripe.com/api/billing/meter-event/create)."""
IDENTIFIER_KEPT: Final = timedelta(hours=23)
"""An identifier counts once within 24 hours, and so long an event can be taken back; an hour is
left for clocks that differ."""

Formula = Literal["sum", "last"]
Decision = Literal["counted", "not_counted", "settled"]
"""What a person says of an event: Stripe counts it; it does not (what is missing is sent anew); it
was dealt with, or never will be."""


class EventStatus(StrEnum):
    """Where an event stands.

    - `parked`: its account has no customer at Stripe yet. `queued`: it is sent next.
    - `unknown`: on its way, or without an answer; sent again under its identifier for a day.
    - `sent`: Stripe has it. `refused`: Stripe does not count it.
    - `held`: a person has to look; `reason` says why.
    - `canceling`, `canceled`: taken back within a day, for it was too much.
    - `replaced`: never counted, and another event stands for it. `settled`: a person saw to it.
    """

    PARKED = "parked"
    QUEUED = "queued"
    UNKNOWN = "unknown"
    SENT = "sent"
    REFUSED = "refused"
    HELD = "held"
    CANCELING = "canceling"
    CANCELED = "canceled"
    REPLACED = "replaced"
    SETTLED = "settled"


class Reason(StrEnum):
    """Why an event is held; what Stripe refuses carries Stripe's own code."""

    TOO_MUCH = "too_much_sent"
    TOO_OLD = "timestamp_too_far_in_past"
    UNANSWERED = "unanswered"
    NOT_TAKEN_BACK = "not_taken_back"
    NEGATIVE = "negative_value"
    WITHDRAWN = "usage_withdrawn"


class StripeMeter(msgspec.Struct, frozen=True, kw_only=True):
    """One of our meters and the one at Stripe that it goes to."""

    meter_id: UUID
    event_name: str
    reference: str
    formula: Formula
    customer_key: str
    value_key: str
    sends_from: datetime
    created_at: datetime


class ToldEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What Stripe is told of an hour; a negative value is never sent, only held for a person."""

    account_id: UUID
    stripe_meter_event_id: UUID
    meter_id: UUID
    reference: str
    event_name: str
    hour: datetime
    revision: int
    value: Decimal
    at: datetime
    customer: str | None
    status: EventStatus
    reason: str | None
    created_at: datetime
    try_after: datetime
    try_count: int = 0
    first_tried_at: datetime | None = None
    sent_at: datetime | None = None


class SyncRow(msgspec.Struct, frozen=True, kw_only=True):
    """How sending goes; `failure_count` is since the last success."""

    upto: int
    lease_no: int
    next_try_at: datetime
    failure_count: int
    last_sent_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None


class SendRules(msgspec.Struct, frozen=True, kw_only=True):
    """How long an hour settles after its end, and how much is sent in a second."""

    lag: timedelta = timedelta(hours=2)
    late_lag: timedelta = timedelta(minutes=10)
    """Usage that comes for a settled hour gathers for so long."""
    calls_per_second: int = 20
    """Stripe takes 25 in test mode, some 1,000 events live."""


class Waiting(msgspec.Struct, frozen=True):
    """How many events stand so, and since when the oldest does."""

    status: str
    count: int
    oldest_at: datetime


class SyncState(msgspec.Struct, frozen=True, kw_only=True):
    """What staff are shown; `unnamed_count`: events of which reports tell without naming them."""

    sync: SyncRow
    waiting: tuple[Waiting, ...]
    hours_count: int
    unnamed_count: int


class HourSide(msgspec.Struct, frozen=True, kw_only=True):
    """An hour here and at Stripe. `sent`: what Stripe took of us; `open_count`: events not so far.

    `theirs` None: Stripe has nothing for the hour.
    """

    hour: datetime
    sent: Decimal
    sent_count: int
    open_count: int
    theirs: Decimal | None


class Sides(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent and what Stripe counted in [start, end), by hours that have either."""

    meter: StripeMeter
    customer: str
    start: datetime
    end: datetime
    hours: tuple[HourSide, ...]
