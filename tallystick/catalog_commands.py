"""What `tallystick catalog` does: put a file in force, and write what is there into one."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from tallystick.api.catalog_file import parse_catalog
from tallystick.api.document_files import read_document
from tallystick.catalog.apply import apply_catalog, read_catalog
from tallystick.catalog.compare import Catalog, Change, Outcome, written
from tallystick.kernel.clock import system_clock
from tallystick.kernel.db import STAFF, WRITER, Actor, Database, acting, open_database
from tallystick.kernel.errors import Conflict
from tallystick.metering.service import create_meter

ACTOR: Final = Actor("job", "catalog apply")
_MARKS: Final = {"add": "+", "new_version": "~", "rename": "~"}


class _Undone(Exception):
    """Ends a transaction without keeping what was done in it."""


def read_file(file: Path) -> Catalog:
    """Return the catalogue of a JSON, TOML or YAML file.

    Raises SetupError `file_unreadable`, BadInput with the path of every fault.
    """
    return parse_catalog(read_document(file))


async def apply_file(
    dsn: str, wanted: Catalog, *, show: Callable[[str], None], agree: Callable[[], bool] | None
) -> bool:
    """Show what would change, and change it once `agree` says so (None: only show).

    Returns whether anything was changed. All of it is one transaction. Raises BadInput with the
    path of every fault, Conflict `catalog_changed` when somebody was faster.
    """
    db = await open_database(dsn, connections_max=1)
    try:
        planned = await _try_out(db, wanted)
        for line in lines_of(planned):
            show(line)
        if not planned.changes or agree is None or not agree():
            return False
        with acting(ACTOR):
            async with db.transaction(WRITER) as conn:
                done = await apply_catalog(conn, wanted, system_clock(), create_meter)
                if done != planned:
                    raise Conflict(
                        "catalog_changed", "The catalogue was changed meanwhile; run it again."
                    )
        return True
    finally:
        await db.close()


async def export_catalog(dsn: str) -> bytes:
    """Return what is counted and sold now, as JSON that `apply` takes."""
    db = await open_database(dsn, connections_max=1)
    try:
        async with db.transaction(STAFF) as conn:
            found = await read_catalog(conn)
    finally:
        await db.close()
    return msgspec.json.format(msgspec.json.encode(written(found)), indent=2) + b"\n"


def lines_of(outcome: Outcome) -> Iterator[str]:
    """Yield what changes, a line each: + is new, ~ differs; and what is not in the file."""
    for change in outcome.changes:
        yield _line(change)
        yield from (f"    {detail}" for detail in change.details)
    for kind, code in outcome.unlisted:
        yield f"  {kind} {code} is not in the file and stays as it is"
    if not outcome.changes:
        yield "nothing changes"


def _line(change: Change) -> str:
    told = " (a new version)" if change.action == "new_version" else ""
    return f"{_MARKS[change.action]} {change.kind} {change.code}{told}"


async def _try_out(db: Database, wanted: Catalog) -> Outcome:
    """Return what would change: it is done, and rolled back."""
    with suppress(_Undone):
        async with db.transaction(WRITER) as conn:
            found = await apply_catalog(conn, wanted, system_clock(), create_meter)
            raise _Undone
    return found
