"""One change of one row, as the database wrote it down."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

# A quantity in a row is numeric: as a float it would lose digits.
_ROW: Final = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Who changed which row, from what to what, in which request, and why.

    `before` and `after` are the row without its secret columns (None: there was no such row).
    `account_id` is HOUSE for what belongs to no account. `at` is UTC; `audit_id` grows.
    """

    audit_id: int
    account_id: UUID
    at: datetime
    actor_kind: str
    actor_id: str
    request_id: str
    reason: str
    table_name: str
    action: Literal["INSERT", "UPDATE", "DELETE"]
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def read_entry(row: Mapping[str, Any]) -> AuditEntry:
    """Read an entry from its row, in which the rows before and after are JSON text."""
    rows = {name: _ROW.decode(row[name]) if row[name] else None for name in ("before", "after")}
    return msgspec.convert({**row, **rows}, AuditEntry)
