"""Reads sheets as CSV, piece by piece: however much there is, memory stays flat."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Final

from tallystick.exports.cells import csv_bytes
from tallystick.exports.model import Row, Sheet, Wanted
from tallystick.kernel.db import Connection, Database, Scope
from tallystick.kernel.errors import Unavailable

PIECE_ROWS: Final = 500
AHEAD_PIECES_MAX: Final = 4
EXPORTS_MAX: Final = 3
"""Exports of a process at once: each holds a connection for as long as its reader reads."""
READER_WAIT_S: Final = 60.0
"""How long a reader may take no piece before the export is given up."""

Advance = Callable[[int], None]
_Piece = bytes | BaseException | None


async def csv_pieces(
    conn: Connection, sheet: Sheet, wanted: Wanted, advance: Advance | None = None
) -> AsyncIterator[bytes]:
    """Yield the sheet as CSV with its head; `advance` is told how many rows each piece has."""
    piece: list[Row] = [sheet.columns]
    async for row in sheet.rows(conn, wanted):
        if len(piece) == PIECE_ROWS:
            yield csv_bytes(piece)
            if advance:
                advance(len(piece))
            piece = []
        piece.append(row)
    yield csv_bytes(piece)
    if advance:
        advance(len(piece))


class Exports:
    """Hands out sheets over HTTP, some at a time."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._places = asyncio.Semaphore(EXPORTS_MAX)

    async def csv(self, scope: Scope, sheet: Sheet, wanted: Wanted) -> AsyncIterator[bytes]:
        """Return the sheet's CSV in pieces, read from one snapshot of the database.

        Raises Unavailable `exports_busy` when too many run, and what reading the first piece
        raises. What goes wrong later is raised by the pieces, which breaks the answer off: a part
        is never taken for the whole.
        """
        if self._places.locked():
            raise Unavailable("exports_busy", "Other exports are running; try again in a minute.")
        reading = _Reading()
        # A task of its own: the transaction begins and ends in it, whatever becomes of the reader.
        reading.task = asyncio.create_task(self._read(scope, sheet, wanted, reading))
        first = await reading.take()
        return reading.pieces(first)

    async def _read(self, scope: Scope, sheet: Sheet, wanted: Wanted, reading: "_Reading") -> None:
        try:
            async with self._places, self._db.own_transaction(scope) as conn:
                async for piece in csv_pieces(conn, sheet, wanted):
                    await reading.give(piece)
            await reading.give(None)
        except Exception as error:  # noqa: BLE001 -- told to whoever reads, if anybody does
            with suppress(TimeoutError):
                await reading.give(error)


class _Reading:
    """The pieces between the task that reads them and the answer that sends them."""

    def __init__(self) -> None:
        self._pieces: asyncio.Queue[_Piece] = asyncio.Queue(AHEAD_PIECES_MAX)
        self.task: asyncio.Task[None] | None = None

    async def give(self, piece: _Piece) -> None:
        """Hand a piece on; raises TimeoutError when nobody takes any."""
        async with asyncio.timeout(READER_WAIT_S):
            await self._pieces.put(piece)

    async def take(self) -> bytes | None:
        """Return the next piece, None at the end; raises what went wrong."""
        piece = await self._pieces.get()
        if isinstance(piece, BaseException):
            raise piece
        return piece

    async def pieces(self, first: bytes | None) -> AsyncIterator[bytes]:
        """Yield all pieces; a reader that goes away ends the reading."""
        try:
            piece = first
            while piece is not None:
                yield piece
                piece = await self.take()
        finally:
            if self.task:
                self.task.cancel()
                await asyncio.wait({self.task})
