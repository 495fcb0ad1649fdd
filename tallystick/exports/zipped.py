"""Many invoices as one file: a ZIP of their PDFs, made while it is sent."""

import io
from collections.abc import AsyncIterator, Sequence
from itertools import count
from typing import Final
from uuid import UUID
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import msgspec

from tallystick.exports.model import Wanted
from tallystick.invoices import export_store
from tallystick.invoices.files import invoice_file
from tallystick.kernel.db import Database, Scope
from tallystick.kernel.errors import BadInput, NotFound

INVOICES_MAX: Final = 1_000


class Named(msgspec.Struct, frozen=True):
    """An invoice and the name that its file has; `day` is when it was issued."""

    account_id: UUID
    invoice_id: UUID
    name: str
    day: tuple[int, int, int]


async def invoices_in(db: Database, scope: Scope, wanted: Wanted) -> tuple[Named, ...]:
    """Return the invoices that were issued in the span, oldest first.

    Raises NotFound `invoice_not_found` when there are none, BadInput `too_many` above 1,000.
    """
    found: list[Named] = []
    async with db.transaction(scope) as conn:
        rows = export_store.invoices(conn, wanted.account_id, wanted.start, wanted.end)
        async for row in rows:
            if len(found) == INVOICES_MAX:
                message = f"holds more than {INVOICES_MAX} invoices; ask for less time"
                raise BadInput.field("to", "too_many", message)
            at = row.issued_at
            day = (at.year, at.month, at.day)
            found.append(Named(row.account_id, row.invoice_id, f"{row.number}.pdf", day))
    if not found:
        raise NotFound("invoice_not_found", "No invoice was issued in that time.")
    return _named_apart(found)


async def zip_pieces(db: Database, invoices: Sequence[Named]) -> AsyncIterator[bytes]:
    """Yield the ZIP, a file at a time; the same bytes for the same PDFs.

    Drawing one that is not kept yet takes some milliseconds; what goes wrong breaks the file off.
    """
    out = _Outgoing()
    with ZipFile(out, "w", ZIP_STORED) as archive:
        for one in invoices:
            file = await invoice_file(db, one.account_id, one.invoice_id)
            archive.writestr(ZipInfo(one.name, (*one.day, 0, 0, 0)), file.content)
            yield out.take()
    yield out.take()


def _named_apart(found: Sequence[Named]) -> tuple[Named, ...]:
    """Tell apart what two issuers numbered alike: a.pdf, a-2.pdf."""
    seen: set[str] = set()
    return tuple(
        msgspec.structs.replace(one, name=_free_name(one.name.replace("/", "-"), seen))
        for one in found
    )


def _free_name(name: str, seen: set[str]) -> str:
    stem = name.removesuffix(".pdf")
    names = (name if number == 1 else f"{stem}-{number}.pdf" for number in count(1))
    free = next(one for one in names if one not in seen)
    seen.add(free)
    return free


class _Outgoing(io.RawIOBase):
    """What was written and not yet taken; a stream that can not go back, as a connection."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(data)  # type: ignore[call-overload]  # whatever buffer zipfile gives
        self._parts.append(part)
        return len(part)

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)
