"""What an import of a file is made of: options, records, what was refused, how far it came."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.errors import FieldError
from tallystick.metering.model import Batch, Status

LINE_BYTES_MAX: Final = 1 << 20
"""A line, or a row over several lines, may have so many bytes."""
PART_LINES_MAX: Final = 5_000
"""Lines in one commit."""
PART_BYTES_MAX: Final = 4 << 20
"""Bytes in one commit, and a line: what is held in memory at a time is a few of these."""


class Form(StrEnum):
    """How a file is written; the ways of writing an event in NDJSON are told apart by its keys."""

    NDJSON = "ndjson"
    CSV = "csv"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to read a file, where it does not say so itself.

    `columns`: our name of a field by the header of its column; `constants`: fields that all rows
    share; `source`: of events that name none.
    """

    form: Form | None = None
    delimiter: str | None = None
    columns: Mapping[str, str] = {}
    constants: Mapping[str, str] = {}
    source: str | None = None


class Record(msgspec.Struct, frozen=True, gc=False):
    """A line of NDJSON, or a row of CSV as our own JSON; or what is wrong with it.

    `end`: how many bytes of the text, unpacked, are read with it. `text`: as it stands there.
    """

    number: int
    end: int
    text: bytes
    json: bytes = b""
    fault: FieldError | None = None


class Refused(msgspec.Struct, frozen=True):
    """A line that was not counted, and why."""

    line: int
    status: Status
    code: str
    reason: str
    text: str


class Part(msgspec.Struct, frozen=True):
    """What is committed together: events by the way they are written, with their records."""

    batches: Sequence[tuple[Batch, Sequence[Record]]]
    invalid: Sequence[Refused]
    lines: int
    end: int
    last_line: int
    packed: int
    """Bytes read of the file as it lies there: less than `end` when it is compressed."""


class Tally(msgspec.Struct, frozen=True):
    """How many lines ended in which way."""

    accepted: int = 0
    duplicate: int = 0
    conflict: int = 0
    unmatched: int = 0
    invalid: int = 0

    @property
    def lines(self) -> int:
        """All of them."""
        return self.accepted + self.duplicate + self.conflict + self.unmatched + self.invalid

    @property
    def refused(self) -> int:
        """Those that were not counted."""
        return self.conflict + self.unmatched + self.invalid

    def plus(self, statuses: Mapping[Status, int]) -> "Tally":
        """Return the sum with more lines."""
        mine = msgspec.structs.asdict(self)
        return Tally(
            **{name: count + statuses.get(Status(name), 0) for name, count in mine.items()}
        )


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far the import of one file came: `position` bytes, unpacked, which end at `line`."""

    import_id: UUID
    file_name: str
    position: int = 0
    line: int = 0
    errors_bytes: int = 0
    tally: Tally = Tally()
    began_at: datetime
    finished_at: datetime | None = None
