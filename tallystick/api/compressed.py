"""Bodies that come compressed: unpacked up to a bound, so that a small bomb stays small."""

import zlib
from typing import Any, Final

from litestar import Request

from tallystick.kernel.errors import BadInput, FieldError

MEMBERS_MAX: Final = 16
"""How many gzip files one body may string together: each costs a look at all of the rest."""
_GZIP: Final = 31  # zlib's word for a gzip header and trailer around it


async def read_body(request: Request[Any, Any, Any], bytes_max: int) -> bytes:
    """Return the body, unpacked when it came as gzip; the route's `opt` says `gzip`.

    Raises BadInput: `body_too_large` beyond so many bytes, `malformed_gzip`.
    """
    body = await request.body()
    coding = request.headers.get("content-encoding", "").strip().lower()
    return gunzip(body, bytes_max) if coding == "gzip" else body


def gunzip(packed: bytes, bytes_max: int) -> bytes:
    """Unpack gzip (RFC 1952) to at most so many bytes; never more than that is in memory."""
    parts, room = [], bytes_max
    for _ in range(MEMBERS_MAX):
        member = zlib.decompressobj(_GZIP)
        try:
            parts.append(member.decompress(packed, room + 1))
        except zlib.error as error:
            raise _malformed() from error
        room -= len(parts[-1])
        if room < 0:
            raise _too_large(bytes_max)
        if not member.eof:
            raise _malformed()
        packed = member.unused_data
        if not packed:
            return b"".join(parts)
    raise _malformed()


def _malformed() -> BadInput:
    return BadInput.field("body", "malformed_gzip", "is not gzip, or was cut off")


def _too_large(bytes_max: int) -> BadInput:
    message = f"is larger than {bytes_max} bytes when unpacked"
    fault = FieldError("body", "body_too_large", message)
    return BadInput("body_too_large", f"body: {message}", errors=[fault])
