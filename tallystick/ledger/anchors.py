"""Anchors: the heads of all chains at one moment, signed, to be kept somewhere else.

One line for each head, then one with the public key and an Ed25519 signature (RFC 8032) over the
SHA-256 of every byte before it. The key is a file beside the installation and never enters the
database: who can write the database can not make an anchor.
"""

import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tallystick.kernel.errors import SetupError
from tallystick.ledger.verify import Head

_ENCODER: Final = msgspec.json.Encoder()
_HEAD: Final = msgspec.json.Decoder(Head)


class Seal(msgspec.Struct, frozen=True):
    """The last line of an anchor."""

    head_count: int
    public_key: bytes
    signature: bytes


class Anchor(msgspec.Struct, frozen=True):
    """An anchor whose signature fits what it says."""

    path: Path
    public_key: bytes
    head_count: int

    def heads(self) -> Iterator[Head]:
        """Yield the heads in the order of the chains."""
        with self.path.open("rb") as lines:
            for _, line in zip(range(self.head_count), lines, strict=False):
                yield _HEAD.decode(line)


def open_key(path: Path) -> Ed25519PrivateKey:
    """Read the signing key; make it, readable by nobody else, if there is none yet.

    Raises SetupError for a file that is no Ed25519 key.
    """
    if not path.exists():
        _make_key(path)
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, OSError) as error:
        raise _bad_key(path) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _bad_key(path)
    return key


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """Return the 32 bytes by which the key's signatures are checked."""
    return key.public_key().public_bytes_raw()


async def write_anchor(path: Path, heads: AsyncIterator[Head], key: Ed25519PrivateKey) -> int:
    """Write an anchor; return how many heads it holds."""
    hashed, count = hashlib.sha256(), 0
    with path.open("wb") as out:
        async for head in heads:
            line = _ENCODER.encode(head) + b"\n"
            hashed.update(line)
            out.write(line)
            count += 1
        seal = Seal(count, public_bytes(key), key.sign(hashed.digest()))
        out.write(_ENCODER.encode(seal) + b"\n")
    return count


def read_anchor(path: Path, public_key: bytes | None) -> Anchor:
    """Check an anchor's signature; raises SetupError for one that was changed or is not ours.

    `public_key` None: the one that it names, which says only that it is as it was signed.
    """
    hashed, last = hashlib.sha256(), b""
    with path.open("rb") as lines:
        for line in lines:
            hashed.update(last)
            last = line
    try:
        seal = msgspec.json.decode(last, type=Seal)
        Ed25519PublicKey.from_public_bytes(seal.public_key).verify(seal.signature, hashed.digest())
    except (msgspec.DecodeError, ValueError, InvalidSignature) as error:
        raise SetupError("anchor_invalid", f"{path} is not an anchor as it was signed.") from error
    if public_key is not None and seal.public_key != public_key:
        raise SetupError("anchor_of_another_key", f"{path} was signed with another key.")
    return Anchor(path, seal.public_key, seal.head_count)


def _make_key(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(pem)
    except FileExistsError:
        return  # another process made it at this moment
    except OSError as error:
        raise SetupError("anchor_key_unwritable", f"{path} can not be written.") from error


def _bad_key(path: Path) -> SetupError:
    return SetupError("anchor_key_invalid", f"{path} holds no readable Ed25519 key.")
