"""Inbox rows as values."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class InboxStatus(StrEnum):
    """Where a received event stands; a parked one fits nothing here yet and is tried again."""

    RECEIVED = "received"
    DONE = "done"
    IGNORED = "ignored"
    PARKED = "parked"


class InboxRow(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook that was verified and stored; instants are wall time (UTC)."""

    gateway: str
    event_id: str
    kind: str
    body: bytes
    received_at: datetime
    status: InboxStatus
    process_after: datetime | None
    try_count: int
    error: str | None
    customer_token: str | None
    account_id: UUID | None
    done_at: datetime | None

    @property
    def state(self) -> "InboxState":
        """How it stands, for people."""
        is_failed = self.status is InboxStatus.RECEIVED and self.error is not None
        return InboxState.FAILED if is_failed else InboxState(self.status)


class InboxState(StrEnum):
    """A status as it is shown: `failed` is one that was received and could not be handled yet."""

    RECEIVED = "received"
    FAILED = "failed"
    PARKED = "parked"
    DONE = "done"
    IGNORED = "ignored"


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events are meant; None: any. Received in `[since, until)`."""

    gateway: str | None = None
    state: InboxState | None = None
    kind: str | None = None
    event_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Backlog(msgspec.Struct, frozen=True):
    """What is not finished at a gateway: how many events, and when the oldest was received."""

    gateway: str
    state: InboxState
    count: int
    oldest_at: datetime


class Signs(msgspec.Struct, frozen=True, kw_only=True):
    """What tells whether events of a gateway may be missing here.

    `checked_until`: all before is known; `finished_at`: when it was last asked for its list;
    `oldest_open_at`: since when a charge there waits for its result.
    """

    checked_until: datetime | None = None
    finished_at: datetime | None = None
    first_received_at: datetime | None = None
    last_received_at: datetime | None = None
    oldest_open_at: datetime | None = None
