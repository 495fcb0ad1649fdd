"""Files of archived events: written, forced to the disk, and read back before anything is dropped.

A file is `acct_…/2024-03.1.ndjson.gz` with `acct_…/2024-03.1.json` beside it, its manifest.
"""

import gzip
import os
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from tallystick.kernel.errors import SetupError
from tallystick.metering.archive_model import Manifest, Written

_CHUNK_BYTES: Final = 1 << 20
_LEVEL: Final = 6


async def write_file(folder: Path, name: str, lines: AsyncIterator[list[bytes]]) -> Written:
    """Write lines into a file of this name, which no crash leaves half-written; read it back.

    One of the same name is replaced: its events were never remembered. Raises SetupError
    `archive_unwritable`.
    """
    path = folder / name
    part = path.with_name(path.name + ".part")
    count = total = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as raw:
            # Without a time and a name inside: the same events are the same bytes.
            with gzip.GzipFile(
                filename="", fileobj=raw, mode="wb", compresslevel=_LEVEL, mtime=0
            ) as packed:
                async for some in lines:
                    packed.write(b"".join([line + b"\n" for line in some]))
                    count += len(some)
                    total += sum(map(line_sum, some))
            raw.flush()
            os.fsync(raw.fileno())
        part.replace(path)
        sync_folder(path.parent)
        sync_folder(folder)
    except OSError as error:
        raise SetupError(
            "archive_unwritable", f"{path} can not be written: {error.strerror}."
        ) from error
    written = read_back(folder, name)
    if (written.event_count, written.total) != (count, total):
        raise SetupError(
            "archive_damaged", f"{path} does not read as it was written; check the disk."
        )
    return written


def read_back(folder: Path, name: str) -> Written:
    """Read a whole file; raises SetupError `archive_damaged`, `archive_missing`."""
    path = folder / name
    count = total = 0
    try:
        with gzip.open(path) as lines:
            for line in lines:
                count += 1
                total += line_sum(line.rstrip(b"\n"))
        return Written(name, file_digest(path), count, total)
    except FileNotFoundError as error:
        raise SetupError("archive_missing", f"There is no file {path}.") from error
    except (OSError, EOFError) as error:
        raise SetupError("archive_damaged", f"{path} can not be read back: {error}.") from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write what a file holds beside it, forced to the disk."""
    path = folder / manifest.file.replace(".ndjson.gz", ".json")
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    digest = sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def line_sum(line: bytes) -> int:
    """Return 8 bytes of a line's SHA-256, as the database's `usage_line_sum` does."""
    return int.from_bytes(sha256(line).digest()[:8], "big", signed=True)


def sync_folder(folder: Path) -> None:
    """Force a folder's names to the disk: a new file could be forgotten otherwise."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
