"""A file, plain or gzipped, or the standard input, as lines; never more than a line in memory."""

import gzip
import io
import os
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import IO, Final, cast

import msgspec

from tallystick.kernel.errors import FieldError, SetupError
from tallystick.metering.import_model import LINE_BYTES_MAX, Record

HEAD_BYTES: Final = 64 << 10
"""How much of a text, unpacked, tells one file from another."""
_BUFFER_BYTES: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"
_SHOWN_BYTES: Final = 200
_TOO_LONG: Final = FieldError("line", "line_too_long", f"is longer than {LINE_BYTES_MAX} bytes")


class Identity(msgspec.Struct, frozen=True):
    """By what a file is known again: moved or renamed it is the same, changed it is another."""

    size: int
    modified_ns: int
    head: bytes


class Source:
    """An open text; `head` is its beginning, `seed` tells its lines from those of other texts."""

    def __init__(self, name: str, packed: IO[bytes], identity: tuple[int, int] | None) -> None:
        self.name = name
        self._packed = packed
        buffered = io.BufferedReader(cast("io.RawIOBase", packed), _BUFFER_BYTES)
        is_gzip = buffered.peek(2)[:2] == _GZIP
        self._text = gzip.GzipFile(fileobj=buffered) if is_gzip else buffered
        self.head = self._text.read(HEAD_BYTES)
        self.seed = blake2b(self.head, digest_size=16).digest()
        self.identity = Identity(*identity, self.seed) if identity else None

    @property
    def packed_bytes(self) -> int:
        """How many bytes of the file as it lies there were read so far."""
        return self._packed.tell() if self.identity else 0

    def lines(self, position: int = 0, number: int = 0) -> Iterator[Record]:
        """Yield the lines behind a position, at which line `number` ends.

        Records without `json`; blank lines too. A line that is too long has a fault and only its
        beginning. The standard input can be read once, from its beginning.
        """
        with _told(self.name):
            text = self._from(position)
            while raw := text.readline(LINE_BYTES_MAX + 1):
                number += 1
                position += len(raw)
                fault = None
                if len(raw) > LINE_BYTES_MAX and not raw.endswith(b"\n"):
                    position += _skip_line(text)
                    raw, fault = raw[:_SHOWN_BYTES], _TOO_LONG
                elif number == 1:
                    raw = raw.removeprefix(BOM_UTF8)
                yield Record(number, position, raw.rstrip(b"\r\n"), fault=fault)

    def _from(self, position: int) -> IO[bytes]:
        if self.identity is None:
            return io.BufferedReader(_Rejoined(self.head, cast("IO[bytes]", self._text)))
        self._text.seek(position)
        return cast("IO[bytes]", self._text)


class _Rejoined(io.RawIOBase):
    """A stream whose beginning was read already, from its beginning."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]  # its stub names a protocol that is not public
        found = self._head or self._rest.read(len(buffer))
        found, self._head = found[: len(buffer)], found[len(buffer) :]
        buffer[: len(found)] = found
        return len(found)


@contextmanager
def open_source(file: Path | None) -> Iterator[Source]:
    """Open a file, or the standard input for None.

    Raises SetupError, with a sentence that names the file: `file_missing`, `file_unreadable` (a
    directory, no permission), `file_not_utf8`, `file_damaged` (a gzip that is cut off or wrong).
    """
    name = str(file) if file else "standard input"
    with ExitStack() as stack:
        with _told(name):
            packed = stack.enter_context(_open(file))
            state = os.fstat(packed.fileno())
            source = Source(name, packed, (state.st_size, state.st_mtime_ns) if file else None)
        _check_encoding(name, source.head)
        yield source


def _open(file: Path | None) -> IO[bytes]:
    # A copy of the descriptor: Python's own reader of it complains when a thread still waits in it.
    return cast("IO[bytes]", io.FileIO(file or os.dup(0), "rb"))


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn what can go wrong with a file into one sentence."""
    try:
        yield
    except FileNotFoundError as error:
        raise SetupError("file_missing", f"There is no file {name}.") from error
    except IsADirectoryError as error:
        raise SetupError("file_unreadable", f"{name} is a directory; name a file in it.") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SetupError(
            "file_damaged",
            f"{name} is a gzip that is damaged or cut off ({error}). What stands before that is "
            "imported; with the whole file, import again: nothing is counted twice.",
        ) from error
    except PermissionError as error:
        raise SetupError(
            "file_unreadable", f"{name} can not be read: permission denied."
        ) from error


def _check_encoding(name: str, head: bytes) -> None:
    """Refuse what is no text in UTF-8 from its first line on; later lines are told one by one."""
    if head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise SetupError(
            "file_not_utf8", f"{name} is UTF-16; convert it: iconv -f UTF-16 -t UTF-8 {name}"
        )
    first, _, _ = head.partition(b"\n")
    try:
        # A line that is longer than the head may end inside a character here.
        getincrementaldecoder("utf-8")().decode(first)
    except UnicodeDecodeError as error:
        raise SetupError("file_not_utf8", f"{name} is no text in UTF-8.") from error
    if b"\0" in first:
        raise SetupError("file_not_utf8", f"{name} is no text: it holds NUL bytes.")


def _skip_line(text: IO[bytes]) -> int:
    """Read to the end of a line, piece by piece, and return how many bytes that was."""
    count = 0
    while piece := text.readline(_BUFFER_BYTES):
        count += len(piece)
        if piece.endswith(b"\n"):
            break
    return count
