"""Endpoints, deliveries and tries as values; instants are wall time (UTC)."""

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec


class DisabledReason(StrEnum):
    """Why an endpoint is told nothing."""

    BY_HAND = "by_hand"
    FAILING = "failing"
    GONE = "gone"


class DeliveryStatus(StrEnum):
    """Where a delivery stands; `failed` ones are sent again only when somebody replays them."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told; `account_id` HOUSE: the business itself, of every account.

    `event_types` empty: all. `failing_since`: there was nothing but failures from then on.
    """

    account_id: UUID
    webhook_endpoint_id: UUID
    url: str
    description: str
    event_types: tuple[str, ...]
    is_enabled: bool
    disabled_reason: DisabledReason | None
    failing_since: datetime | None
    created_at: datetime


class NewEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint to be made."""

    url: str
    description: str = ""
    event_types: tuple[str, ...] = ()


class EndpointChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be changed of an endpoint; None: as it is."""

    url: str | None = None
    description: str | None = None
    event_types: tuple[str, ...] | None = None
    is_enabled: bool | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to one endpoint.

    `try_count` counts all tries, `round_count` those since it was made or replayed. `status_code`
    and `error` are of the last one.
    """

    account_id: UUID
    webhook_delivery_id: UUID
    webhook_endpoint_id: UUID
    event_account_id: UUID
    kind: str
    object_key: str
    occurred_at: datetime
    status: DeliveryStatus
    next_try_at: datetime | None
    try_count: int
    round_count: int
    status_code: int | None
    error: str | None
    created_at: datetime
    done_at: datetime | None


class Leased(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that is this process's to send; `payload` is the event's own JSON."""

    account_id: UUID
    webhook_delivery_id: UUID
    webhook_endpoint_id: UUID
    event_account_id: UUID
    outbox_id: int
    kind: str
    payload: bytes
    object_key: str
    occurred_at: datetime
    body: bytes | None
    try_count: int
    round_count: int
    url: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a try brought: a status, or why there was none; `text` is the answer's beginning."""

    duration: timedelta
    status_code: int | None = None
    text: str | None = None
    error: str | None = None


class DeliveryTry(msgspec.Struct, frozen=True, kw_only=True):
    """A try as it is kept; `number` from 1, over replays too."""

    number: int
    at: datetime
    duration_ms: int
    status_code: int | None
    answer: str | None
    error: str | None


class DeliveryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries are listed; None: any. `account_id` is the endpoint's."""

    account_id: UUID | None = None
    webhook_endpoint_id: UUID | None = None
    status: DeliveryStatus | None = None
    kind: str | None = None


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """Which events of `[since, until)` go to an endpoint again.

    Those that failed and those that were never meant for it (it was disabled, or did not exist);
    `delivered`: those that arrived, too.
    """

    since: datetime
    until: datetime
    delivered: bool = False


class Replayed(msgspec.Struct, frozen=True):
    """How many deliveries wait again, how many were made; `more`: there are others yet."""

    again: int
    made: int
    more: bool
