"""What is exported of whom and of when, and what a sheet is."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection

Row = tuple[str, ...]
"""One line of a sheet, a text for each column."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in [start, end), UTC; of one account, or of all.

    `timezone` (IANA) says which days an instant belongs to where a sheet has days.
    """

    start: datetime
    end: datetime
    account_id: UUID | None = None
    timezone: str = "UTC"


class Sheet(msgspec.Struct, frozen=True):
    """A table: its name, the names of its columns, and what reads its rows, oldest first."""

    name: str
    columns: tuple[str, ...]
    rows: Callable[[Connection, Wanted], AsyncIterator[Row]]
