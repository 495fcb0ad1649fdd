"""Chains of hashes: what is changed, taken out or put in between breaks every link behind it.

The bytes are those that the database hashes (`post_entries` in the migrations), so that a chain is
made where the balance is locked and can be computed again anywhere, without a database. A text is
its length in UTF-8 bytes (4 bytes) and those bytes; a number is big-endian; an instant is its
microseconds since 2000-01-01 UTC (8 bytes), as PostgreSQL sends it.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

GENESIS: Final = bytes(32)
"""What stands before the first link."""
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


def text_bytes(value: str) -> bytes:
    """Return a text as it is hashed: no two lists of texts have the same bytes."""
    encoded = value.encode()
    return len(encoded).to_bytes(4, "big") + encoded


def number_bytes(value: int, size: int = 8) -> bytes:
    """Return a signed number of `size` bytes as it is hashed."""
    return value.to_bytes(size, "big", signed=True)


def instant_bytes(value: datetime) -> bytes:
    """Return an aware instant as it is hashed, exact to the microsecond."""
    return number_bytes((value - _EPOCH) // timedelta(microseconds=1))


def digest(parts: Iterable[bytes]) -> bytes:
    """Return the SHA-256 of the parts in their order."""
    return hashlib.sha256(b"".join(parts)).digest()


def link(previous: bytes, content: bytes, line: int, sequence: int, balance: int) -> bytes:
    """Return the hash of one posting: over the one before it, its entry's digest and its place.

    `line` is which posting of the entry it is, from 1; `sequence` its number on the ledger account;
    `balance` what stands there behind it.
    """
    place = (number_bytes(line, 2), number_bytes(sequence), number_bytes(balance))
    return digest((previous, content, *place))
