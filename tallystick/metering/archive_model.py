"""What an archive is made of: spans of an account's events, and the files that hold them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

CORRECTION_WINDOW: Final = timedelta(days=400)
"""So long closed periods are rated again when their usage changes; their events are kept."""
FILE_EVENTS_MAX: Final = 200_000
"""Events in one file, and those of its last hour."""
HELD_MAX: Final = 10_000


class Span(msgspec.Struct, frozen=True):
    """The events of one account in whole hours [since, until) of one month (UTC).

    `upto`: of transactions before this one; they are in the totals. `number`: which file of the
    account's month it is, from 1.
    """

    account_id: UUID
    month: datetime
    number: int
    since: datetime
    until: datetime
    upto: int


class Written(msgspec.Struct, frozen=True):
    """A file that is safely on its disk and was read back: `total` adds up its lines' digests."""

    name: str
    sha256: str
    event_count: int
    total: int


class Archive(msgspec.Struct, frozen=True):
    """A file whose events are remembered, for so long by the database's clock, and still there.

    `upto`: they are of transactions before this one.
    """

    account_id: UUID
    usage_archive_id: UUID
    upto: int
    file_name: str
    sha256: str
    event_count: int
    age: timedelta


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What stands beside each file, as JSON."""

    file: str
    sha256: str
    bytes: int
    events: int
    account: str
    since: datetime
    until: datetime
    written_at: datetime
    format: str = "Tallystick usage events, NDJSON, gzip; read by: tallystick import usage FILE"


class Archived(msgspec.Struct, frozen=True):
    """What one run did.

    `held_count`: how many more are old enough, and stay until they were handed on; at most
    HELD_MAX.
    """

    files: Sequence[str]
    event_count: int
    held_count: int = 0
