"""Pages of a list, newest first: by number (with a total) or by cursor (stable while rows come).

A cursor is the (instant, id) of the last row seen; only this module reads or writes its text.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, TypeVar
from uuid import UUID

import msgspec

from tallystick.kernel.errors import BadInput

LIMIT_MAX: Final = 100
LIMIT_DEFAULT: Final = 20
PAGE_MAX: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR_BYTES: Final = 24

T = TypeVar("T")


class After(msgspec.Struct, frozen=True):
    """The last row of the page before: rows below it in (at, id) order follow."""

    at: datetime
    id: UUID


class PageRequest(msgspec.Struct, frozen=True):
    """Which part of a list is wanted: `page` from 1, or what comes after a cursor."""

    page: int = 1
    limit: int = LIMIT_DEFAULT
    after: After | None = None

    @property
    def offset(self) -> int:
        """How many rows come before this page; with a cursor none are counted."""
        return 0 if self.after else (self.page - 1) * self.limit


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One part of a list, and how long the whole is."""

    items: tuple[T, ...]
    total: int
    request: PageRequest
    next_cursor: str | None

    @property
    def total_pages(self) -> int:
        """How many pages of this limit the whole list fills."""
        return -(-self.total // self.request.limit)


def page_request(page: int, limit: int, cursor: str | None) -> PageRequest:
    """Check what was asked for; out of bounds or unreadable raises BadInput naming the field."""
    if not 1 <= page <= PAGE_MAX:
        raise BadInput.field("page", "out_of_range", f"must be from 1 to {PAGE_MAX}")
    if not 1 <= limit <= LIMIT_MAX:
        raise BadInput.field("limit", "out_of_range", f"must be from 1 to {LIMIT_MAX}")
    return PageRequest(page=page, limit=limit, after=read_cursor(cursor) if cursor else None)


def make_page(
    rows: Sequence[T], total: int, request: PageRequest, position: Callable[[T], After]
) -> Page[T]:
    """Make a page of rows that were read with one more than the limit, to know if more follow."""
    items = tuple(rows[: request.limit])
    more = len(rows) > request.limit
    cursor = write_cursor(position(items[-1])) if more and items else None
    return Page(items=items, total=total, request=request, next_cursor=cursor)


def write_cursor(after: After) -> str:
    """Write a position as opaque text that is safe in a URL."""
    micros = (after.at - _EPOCH) // timedelta(microseconds=1)
    packed = micros.to_bytes(8, "big", signed=True) + after.id.bytes
    return base64.urlsafe_b64encode(packed).decode()


def read_cursor(text: str) -> After:
    """Read a cursor that we wrote; anything else raises BadInput."""
    try:
        packed = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
        if len(packed) != _CURSOR_BYTES:
            raise _bad_cursor()
        micros = int.from_bytes(packed[:8], "big", signed=True)
        return After(at=_EPOCH + timedelta(microseconds=micros), id=UUID(bytes=packed[8:]))
    except (binascii.Error, UnicodeEncodeError, OverflowError) as error:
        raise _bad_cursor() from error


def _bad_cursor() -> BadInput:
    return BadInput.field("cursor", "invalid_cursor", "is not a cursor of this list")
