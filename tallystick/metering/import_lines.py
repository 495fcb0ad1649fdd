"""From records to batches of events: what way a line is written, and an id where it has none."""

import re
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from tallystick.kernel.errors import BadInput, FieldError
from tallystick.metering import cloudevents, lago_events, own_events
from tallystick.metering.import_model import (
    PART_BYTES_MAX,
    PART_LINES_MAX,
    Part,
    Record,
    Refused,
)
from tallystick.metering.model import Batch, Status

TEXT_SHOWN_MAX: Final = 10_000
"""Characters of a refused line that are written down."""

_Raw = msgspec.Raw | msgspec.UnsetType


class _Head(msgspec.Struct, frozen=True, gc=False):
    """The keys by which a line is recognized, their values unread."""

    specversion: _Raw = msgspec.UNSET
    event: _Raw = msgspec.UNSET
    transaction_id: _Raw = msgspec.UNSET
    code: _Raw = msgspec.UNSET
    id: _Raw = msgspec.UNSET
    source: _Raw = msgspec.UNSET


class _Way(msgspec.Struct, frozen=True):
    """A way of writing events: how many are read at once, and what it calls an id."""

    read: Callable[[bytes], Batch]
    body: bytes
    id: str


_CLOUDEVENTS: Final = _Way(cloudevents.read_many, b"[%b]", "id")
_LAGO: Final = _Way(lago_events.read_many, b'{"events":[%b]}', "transaction_id")
_OWN: Final = _Way(own_events.read_many, b'{"events":[%b]}', "id")
_HEAD: Final = msgspec.json.Decoder(_Head)
_PLACE: Final = re.compile(r"^(events)?\[\d+\]\.?")

Ready = tuple[Record, bytes]
"""A record, and its event as JSON with an id."""


class Parser:
    """Makes parts of records: some thousand lines each, which are committed together.

    `seed` tells the lines of this text from those of others; `source` is for events without one.
    """

    def __init__(self, seed: bytes, source: str | None) -> None:
        self._seed = seed
        self._source = source

    def parts(self, records: Iterator[Record], packed: Callable[[], int]) -> Iterator[Part]:
        """Yield all records in parts, the last one as large as it comes."""
        taken: list[Record] = []
        size = 0
        for record in records:
            taken.append(record)
            size += len(record.text)
            if len(taken) >= PART_LINES_MAX or size >= PART_BYTES_MAX:
                yield self.part(taken, packed())
                taken, size = [], 0
        if taken:
            yield self.part(taken, packed())

    def part(self, records: Sequence[Record], packed: int) -> Part:
        """Read records; what can not be read is told line by line. Blank lines are no lines."""
        ways: dict[_Way, list[Ready]] = {}
        invalid: list[Refused] = []
        lines = 0
        for record in records:
            if not (record.text or record.fault) or record.text.isspace():
                continue
            lines += 1
            try:
                way, json = self._recognize(record)
            except BadInput as error:
                invalid.append(refused(record, Status.INVALID, error.errors[0]))
            else:
                ways.setdefault(way, []).append((record, json))
        batches = [found for way, ready in ways.items() for found in _read(way, ready, invalid)]
        last = records[-1]
        return Part(batches, invalid, lines, last.end, last.number, packed)

    def _recognize(self, record: Record) -> tuple[_Way, bytes]:
        """Return the way an event is written, and its JSON; raises BadInput."""
        if record.fault is not None:
            raise BadInput(record.fault.code, record.fault.message, errors=[record.fault])
        json = record.json or record.text
        head = _head(json)
        if not isinstance(head.event, msgspec.UnsetType):
            json = bytes(head.event)
            head = _head(json)
            way = _LAGO
        elif not isinstance(head.specversion, msgspec.UnsetType):
            way = _CLOUDEVENTS
        elif head.transaction_id is not msgspec.UNSET or head.code is not msgspec.UNSET:
            way = _LAGO
        else:
            way = _OWN
        if getattr(head, way.id) is msgspec.UNSET:
            json = _with(json, way.id, self._id_of(record))
        if way is _OWN and self._source and head.source is msgspec.UNSET:
            json = _with(json, "source", self._source)
        return way, json

    def _id_of(self, record: Record) -> str:
        told = b"%b\0%d\0%b" % (self._seed, record.number, record.text)
        return f"line-{record.number}-{blake2b(told, digest_size=16).hexdigest()}"


def refused(record: Record, status: Status, fault: FieldError) -> Refused:
    """Return a line that was not counted, in words."""
    text = record.text.decode(errors="replace")[:TEXT_SHOWN_MAX]
    return Refused(record.number, status, fault.code, f"{fault.field} {fault.message}", text)


def _head(json: bytes) -> _Head:
    try:
        return _HEAD.decode(json)
    except msgspec.ValidationError as error:
        raise BadInput.field("line", "malformed_json", "is no JSON object") from error
    except UnicodeDecodeError as error:
        raise BadInput.field("line", "not_utf8", "is no text in UTF-8") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadInput.field("line", "malformed_json", f"is not JSON: {error}") from error


def _with(json: bytes, name: str, value: str) -> bytes:
    """Return a JSON object with one more key, its first."""
    rest = json.lstrip()[1:]
    comma = b"" if rest.lstrip().startswith(b"}") else b","
    return b'{"%b":%b%b%b' % (name.encode(), msgspec.json.encode(value), comma, rest)


def _read(
    way: _Way, ready: Sequence[Ready], invalid: list[Refused]
) -> Iterator[tuple[Batch, Sequence[Record]]]:
    """Yield the events of these lines: all at once, or the good ones of them.

    Each line is a whole JSON object by itself, so joined by commas they are as many events.
    """
    try:
        yield _join(way, ready)
    except BadInput:
        good = [one for one in ready if not _has_fault(way, one, invalid)]
        if good:
            yield _join(way, good)


def _join(way: _Way, ready: Sequence[Ready]) -> tuple[Batch, Sequence[Record]]:
    body = way.body % b",".join([json for _, json in ready])
    return way.read(body), [record for record, _ in ready]


def _has_fault(way: _Way, ready: Ready, invalid: list[Refused]) -> bool:
    """Tell whether a line can not be read alone, and add what is wrong with it."""
    record, json = ready
    try:
        way.read(way.body % json)
    except BadInput as error:
        invalid.append(refused(record, Status.INVALID, of_line(error.errors[0])))
        return True
    return False


def of_line(fault: FieldError) -> FieldError:
    """Return a fault with its field named within the line: `events[3].time` is `time`."""
    return msgspec.structs.replace(fault, field=_PLACE.sub("", fault.field) or "line")
