"""Stored events as values, and where each stands in the order in which all can be walked."""

from datetime import datetime
from uuid import UUID

import msgspec


class Position(msgspec.Struct, frozen=True, order=True):
    """Where an event stands in the order in which all events can be walked once."""

    tx: int
    account_id: UUID
    key: UUID


class StoredEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event as it is kept; `properties` is JSON, `key` is made of source and id."""

    account_id: UUID
    key: UUID
    at: datetime
    event_type: str
    source: str
    event_id: str
    properties: str
    tx: int

    @property
    def position(self) -> Position:
        """Where it stands among all events."""
        return Position(self.tx, self.account_id, self.key)
