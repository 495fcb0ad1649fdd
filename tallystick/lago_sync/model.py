"""Usage on its way to Lago, as values. Instants are wall time (UTC)."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

BATCH_MAX: Final = 100
"""Events in one request: what a Lago server takes unless it is told otherwise."""
UNREAD_COUNT_MAX: Final = 10_000
REASON_CHARS_MAX: Final = 500


class LagoSettings(msgspec.Struct, frozen=True):
    """Where the Lago server is, without `/api/v1`, and the key for it: a secret."""

    url: str
    api_key: str

    def __repr__(self) -> str:
        return f"LagoSettings({self.url!r})"


class LagoEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as Lago's API wants it.

    `timestamp` is seconds since 1970 with six decimals, as text: a number would pass through a
    float on the way.
    """

    transaction_id: str
    external_subscription_id: str
    code: str
    timestamp: str
    properties: Mapping[str, Any]
    precise_total_amount_cents: str | msgspec.UnsetType | None = msgspec.UNSET


class Outgoing(msgspec.Struct, frozen=True):
    """One event for one meter, to be sent; `event` is JSON and never changes."""

    account_id: UUID
    transaction_id: str
    event: str


class Refused(msgspec.Struct, frozen=True):
    """What Lago would not take, and why."""

    account_id: UUID
    transaction_id: str
    event: str
    reason: str
    refused_at: datetime


class SyncRow(msgspec.Struct, frozen=True, kw_only=True):
    """How sending goes; `failure_count` is since the last success."""

    lease_no: int
    next_try_at: datetime
    failure_count: int
    sent_count: int
    last_sent_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None


class SyncState(msgspec.Struct, frozen=True, kw_only=True):
    """What staff are shown.

    `unread_count` is of stored events that are not yet written out for Lago, at most
    UNREAD_COUNT_MAX. `waiting_since`: when the oldest of what waits was written out.
    """

    sync: SyncRow
    unread_count: int
    waiting_count: int
    waiting_since: datetime | None
    refused_count: int
    difference_count: int
    problem_count: int


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A meter whose total of [period_start, period_end) is another one in Lago.

    `theirs` None: no charge of the plan in Lago counts it. `gone_at`: when they agreed again.
    """

    account_id: UUID
    meter_id: UUID
    meter_code: str
    period_start: datetime
    period_end: datetime
    ours: Decimal
    theirs: Decimal | None
    found_at: datetime
    seen_at: datetime
    gone_at: datetime | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """An account whose totals are compared; `problem` says why they could not be, last time."""

    account_id: UUID
    compare_after: datetime
    compared_at: datetime | None
    problem: str | None
