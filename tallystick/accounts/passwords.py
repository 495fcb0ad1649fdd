"""Passwords: Argon2id (RFC 9106), made and checked in a thread so that the loop goes on."""

import asyncio
import base64
from typing import Final

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tallystick.kernel.errors import BadInput

BYTES_MIN: Final = 8
BYTES_MAX: Final = 1024
HASHES_AT_ONCE_MAX: Final = 4
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32


class Cost(msgspec.Struct, frozen=True):
    """What one hash costs; the default is RFC 9106's choice where memory is scarce."""

    rounds: int = 3
    memory_kib: int = 65_536
    lanes: int = 4


class Passwords:
    """Makes and checks hashes; at most four at once, 64 MiB each."""

    def __init__(self, cost: Cost) -> None:
        self._hasher = PasswordHasher(
            time_cost=cost.rounds,
            memory_cost=cost.memory_kib,
            parallelism=cost.lanes,
            hash_len=_HASH_BYTES,
            salt_len=_SALT_BYTES,
        )
        self._decoy = _decoy(cost)
        self._free = asyncio.Semaphore(HASHES_AT_ONCE_MAX)

    async def hash(self, password: str) -> str:
        """Return the hash to keep; raises BadInput for less than 8 or more than 1,024 bytes."""
        text = _encoded(password)
        if text is None:
            message = f"must have {BYTES_MIN} to {BYTES_MAX} bytes"
            raise BadInput.field("password", "invalid_length", message)
        async with self._free:
            return await asyncio.to_thread(self._hasher.hash, text)

    async def verify(self, kept: str | None, password: str) -> bool:
        """Tell whether this is the password of the hash.

        Without a hash (nobody has that e-mail address) it works as long and says no, so that the
        time of the answer does not tell who has an account.
        """
        text = _encoded(password)
        if text is None:
            return False
        async with self._free:
            matches = await asyncio.to_thread(self._matches, kept or self._decoy, text)
        return matches and kept is not None

    def needs_rehash(self, kept: str) -> bool:
        """Tell whether the hash was made at another cost than today's."""
        return self._hasher.check_needs_rehash(kept)

    def _matches(self, kept: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False


def _encoded(password: str) -> bytes | None:
    text = password.encode("utf-8", "surrogatepass")
    return text if BYTES_MIN <= len(text) <= BYTES_MAX else None


def _decoy(cost: Cost) -> str:
    """Write a hash of this cost that is no password's: salt and result are all zeros."""
    salt, result = (_b64(bytes(size)) for size in (_SALT_BYTES, _HASH_BYTES))
    numbers = f"m={cost.memory_kib},t={cost.rounds},p={cost.lanes}"
    return f"$argon2id$v=19${numbers}${salt}${result}"


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode().rstrip("=")
