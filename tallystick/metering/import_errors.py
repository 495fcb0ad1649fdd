"""Lines that were not counted: a file of them all, and the first few for the summary."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import msgspec

from tallystick.kernel.errors import SetupError
from tallystick.metering.import_model import Refused

SHOWN_MAX: Final = 20
"""How many refused lines the summary shows."""

_encode: Final = msgspec.json.Encoder().encode


class Refusals:
    """Keeps what was refused; `shown` are the first of this run."""

    def __init__(self, file: IO[bytes] | None) -> None:
        self._file = file
        self.shown: list[Refused] = []

    def begin(self, size: int) -> None:
        """Go on behind so many bytes: what stands there later was written and never counted."""
        if self._file is not None:
            end = self._file.seek(0, os.SEEK_END)
            self._file.truncate(min(size, end))
            self._file.seek(0, os.SEEK_END)

    def add(self, refused: Sequence[Refused]) -> int:
        """Write lines durably, in order, and return the size of the file then."""
        in_order = sorted(refused, key=lambda one: one.line)
        self.shown += in_order[: SHOWN_MAX - len(self.shown)]
        if self._file is None:
            return 0
        if in_order:
            self._file.write(b"".join([_encode(one) + b"\n" for one in in_order]))
            self._file.flush()
            os.fsync(self._file.fileno())
        return self._file.tell()


@contextmanager
def open_refusals(file: Path | None) -> Iterator[Refusals]:
    """Open the file for refused lines, or none; raises SetupError `file_unwritable`."""
    if file is None:
        yield Refusals(None)
        return
    try:
        file.touch()
        opened = file.open("r+b")
    except OSError as error:
        detail = f"{file} can not be written: {error.strerror}."
        raise SetupError("file_unwritable", detail) from error
    with opened:
        yield Refusals(opened)
