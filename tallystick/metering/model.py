"""Usage as values: events, the answers to them, totals."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec

from tallystick.kernel.errors import FieldError

EVENTS_MAX: Final = 10_000
"""How many events one request may carry."""
TEXT_LENGTH_MAX: Final = 255
"""Characters of an id, a source, a type, a subject."""

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_LENGTH_MAX)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class UsageEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One immutable fact, once per account, `source` and `id`.

    `subject` is the account's external id or `acct_...`. `type` says what happened; empty, `meter`
    is the code of a meter whose type it has. `at` None: when it arrived. Numbers in `properties`
    are int or Decimal.

    Without `gc`: JSON holds no cycles, and thousands of events are in memory at a time.
    """

    source: Text
    id: Text
    type: str = ""
    meter: str | None = None
    subject: Text
    at: Instant | None = None
    properties: dict[str, Any] = {}


class Status(StrEnum):
    """What became of an event that was sent."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    UNMATCHED = "unmatched"
    INVALID = "invalid"


class EventResult(msgspec.Struct, frozen=True, gc=False):
    """The answer to one event; `detail` is a stable code where the status alone does not say.

    `unknown_subject`, `unknown_type` (unmatched: parked until it matches, is claimed or dropped);
    `other_content` (conflict: kept aside, not counted); the code of the first of `errors`
    (invalid: not kept). `id` is None when an invalid event has none that can be read.
    """

    id: str | None
    status: Status
    detail: str | None = None
    errors: tuple[FieldError, ...] = ()


class Shape(msgspec.Struct, frozen=True):
    """What a request called the parts of its events, so that an error can point at them.

    `place` is where an event stands, with `{}` for its position.
    """

    name: str
    place: str
    id: str = "id"
    subject: str = "subject"
    type: str = "type"
    at: str = "time"
    properties: str = "data"

    def path(self, position: int, *names: str) -> str:
        """Return the path of a part of an event: `events[3].subject`."""
        return ".".join(filter(None, (self.place.format(position), *names)))


class Batch(msgspec.Struct, frozen=True):
    """The events of one request that can be read, and how it wrote them.

    `places`: where each stands in the request, None when all of it was read; `invalid`: the
    answers for the places that could not be read.
    """

    shape: Shape
    events: Sequence[UsageEvent]
    places: Sequence[int] | None = None
    invalid: Mapping[int, EventResult] = {}

    @property
    def positions(self) -> Sequence[int]:
        """Where each of the events stands in the request."""
        return range(len(self.events)) if self.places is None else self.places


class UsedHour(msgspec.Struct, frozen=True):
    """An hour (UTC) in which an account has events of a type."""

    account_id: UUID
    event_type: str
    hour: datetime


class HourlyTotal(msgspec.Struct, frozen=True):
    """What one meter counted in the hour that begins at `hour` (UTC)."""

    hour: datetime
    quantity: Decimal


class Difference(msgspec.Struct, frozen=True):
    """A roll-up that is not what its events come to: a fault in the program or in the database.

    `what` is `hour`, `month`, `group` or `value`; `kept` and `summed` are JSON, None where nothing.
    """

    what: str
    account_id: UUID
    meter_id: UUID
    hour: datetime
    kept: str | None
    summed: str | None


class AccountPeriod(msgspec.Struct, frozen=True):
    """An account, and a half-open period in UTC whose totals are wanted."""

    account_id: UUID
    start: datetime
    end: datetime
