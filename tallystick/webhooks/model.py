"""Inbox rows as values."""

from datetime import datetime
from enum import StrEnum

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
