"""Files that say what a command is to make: JSON, TOML or YAML, by their names."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from tallystick.kernel.errors import BadInput, SetupError, TallystickError

FILE_BYTES_MAX: Final = 16 << 20
_DECODERS: Final[dict[str, Callable[[bytes], Any]]] = {
    ".json": msgspec.json.decode,
    ".toml": msgspec.toml.decode,
    ".yaml": msgspec.yaml.decode,
    ".yml": msgspec.yaml.decode,
}


def read_document(file: Path) -> Any:
    """Return what a JSON, TOML or YAML file says; raises SetupError `file_unreadable`."""
    decode = _DECODERS.get(file.suffix.lower())
    if decode is None:
        raise SetupError("file_unreadable", f"{file}: name it .json, .toml or .yaml.")
    try:
        with file.open("rb") as opened:
            content = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise SetupError("file_unreadable", f"{file}: {error.strerror}.") from error
    if len(content) > FILE_BYTES_MAX:
        raise SetupError("file_unreadable", f"{file}: has more than {FILE_BYTES_MAX >> 20} MiB.")
    try:
        return decode(content)
    except msgspec.DecodeError as error:
        raise SetupError("file_unreadable", f"{file}: {error}") from error


def fault_lines(error: TallystickError) -> Iterator[str]:
    """Yield each fault of a file with its path."""
    if isinstance(error, BadInput) and error.errors:
        yield from (f"{fault.field}: {fault.message}" for fault in error.errors)
    else:
        yield error.detail
