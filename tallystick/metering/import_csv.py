"""CSV: rows as events in our own JSON, which is then read like any other.

Cells are texts and stay texts: "12.50" counts as 12.5, and "007" does not become 7. An empty cell
says nothing.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from tallystick.kernel.errors import BadInput, FieldError
from tallystick.metering.import_model import LINE_BYTES_MAX, Options, Record

FIELDS: Final = ("id", "type", "meter", "subject", "time", "source")
DELIMITERS: Final = ",;\t|"

_encode: Final = msgspec.json.Encoder().encode


def read_rows(
    lines: Iterator[Record], names: Sequence[str], options: Options, delimiter: str
) -> Iterator[Record]:
    """Yield each row behind the header; one that can not be read has a fault. Blank ones are left.

    `names`: as `read_header` returned them.
    """
    feed = _Feed(lines)
    rows = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        feed.begin()
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield feed.record(fault=FieldError("row", "malformed_csv", f"is no row: {error}"))
            continue
        if not row and feed.fault is None:
            continue
        fault = feed.fault or _fault(row, names)
        yield feed.record(_json(row, names, options.constants) if fault is None else b"", fault)


def read_header(line: bytes, options: Options) -> tuple[tuple[str, ...], str]:
    """Return our name of each column, and the delimiter. Raises BadInput `csv_header`."""
    text = line.decode()
    delimiter = options.delimiter or max(DELIMITERS, key=text.count)
    try:
        header = [
            name.strip() for name in next(csv.reader([text], delimiter=delimiter, strict=True))
        ]
    except (csv.Error, StopIteration) as error:
        raise _bad("The first line is no header: it must name the columns.") from error
    names = _renamed(header, options.columns)
    known = {*names, *options.constants}
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise _bad(f"Two columns are called {twice[0]}.")
    if both := sorted({*names} & {*options.constants}):
        raise _bad(f"{both[0]} is a column; it can not be the same for all rows too.")
    if "subject" not in known:
        raise _bad(_lacking("subject (whose usage it is)", "subject=…", header))
    if not known & {"type", "meter"}:
        raise _bad(_lacking("type or meter (what was used)", "type=…", header))
    return tuple(names), delimiter


class _Feed:
    """Lines for the CSV reader, which takes as many as a row has; knows which those were."""

    def __init__(self, lines: Iterator[Record]) -> None:
        self._lines = lines
        self.fault: FieldError | None = None
        self._taken: list[Record] = []
        self._size = 0

    def begin(self) -> None:
        self.fault = None
        self._taken = []
        self._size = 0

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        if self._size > LINE_BYTES_MAX:  # a quote that nobody closes would take the whole file
            raise csv.Error(f"longer than {LINE_BYTES_MAX} bytes")
        line = next(self._lines)
        self._taken.append(line)
        self._size += len(line.text)
        self.fault = self.fault or line.fault
        try:
            return line.text.decode() + "\n"
        except UnicodeDecodeError:
            self.fault = self.fault or FieldError("line", "not_utf8", "is no text in UTF-8")
            return line.text.decode(errors="replace") + "\n"

    def record(self, json: bytes = b"", fault: FieldError | None = None) -> Record:
        text = b"\n".join([line.text for line in self._taken])
        return Record(self._taken[0].number, self._taken[-1].end, text, json, fault)


def _json(row: Sequence[str], names: Sequence[str], constants: Mapping[str, str]) -> bytes:
    event: dict[str, object] = {}
    properties: dict[str, str] = {}
    for name, value in (*constants.items(), *zip(names, row, strict=True)):
        if not value:
            continue
        if name in FIELDS:
            event[name] = value
        else:
            properties[name] = value
    event["properties"] = properties
    return _encode(event)


def _fault(row: Sequence[str], names: Sequence[str]) -> FieldError | None:
    if len(row) == len(names):
        return None
    message = f"has {len(row)} cells where the header has {len(names)}"
    return FieldError("row", "wrong_cell_count", message)


def _renamed(header: Sequence[str], columns: Mapping[str, str]) -> list[str]:
    for field, name in columns.items():
        if name not in header:
            raise _bad(f"{field} shall be read from {name}, yet there is no such column.")
    ours = {name: field for field, name in columns.items()}
    return [ours.get(name, name) for name in header]


def _lacking(what: str, example: str, header: Sequence[str]) -> str:
    shown = ", ".join(header[:20])
    return (
        f"No column says the {what}. The header has: {shown}. "
        f"Name the column (--column {example}), or say it for all rows (--set {example})."
    )


def _bad(detail: str) -> BadInput:
    return BadInput("csv_header", detail)
