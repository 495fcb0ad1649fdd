"""What `tallystick taxes load` does: show which rates a file would add, and add them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from tallystick.api.document_files import read_document
from tallystick.api.tax_rate_file import parse_rates
from tallystick.kernel.clock import system_clock
from tallystick.kernel.db import WRITER, Actor, Connection, Database, acting, open_database
from tallystick.kernel.errors import Conflict
from tallystick.money.exact import plain
from tallystick.taxes import service
from tallystick.taxes.model import NewTaxRate, Place, TaxRate

ACTOR: Final = Actor("job", "taxes load")


class _Undone(Exception):
    """Ends a transaction without keeping what was done in it."""


def read_rates(file: Path | None) -> tuple[NewTaxRate, ...]:
    """Return the rates of a JSON, TOML or YAML file; None: of the one that comes along.

    Raises SetupError `file_unreadable`, BadInput with the path of every fault.
    """
    if file is not None:
        return parse_rates(read_document(file))
    with as_file(files("tallystick.taxes") / "rates.toml") as own:
        return parse_rates(read_document(own))


async def load_file(
    dsn: str,
    wanted: Sequence[NewTaxRate],
    *,
    show: Callable[[str], None],
    agree: Callable[[], bool] | None,
) -> bool:
    """Show what would change, and change it once `agree` says so (None: only show).

    Returns whether anything was changed. All of it is one transaction. Raises BadInput with the
    path of every fault, Conflict `tax_rates_changed` when somebody was faster.
    """
    db = await open_database(dsn, connections_max=1)
    try:
        now = system_clock()
        planned = await _try_out(db, wanted, now)
        for line in planned:
            show(line)
        if not planned:
            show("nothing changes")
        if not planned or agree is None or not agree():
            return False
        with acting(ACTOR):
            async with db.transaction(WRITER) as conn:
                if await _load(conn, wanted, now) != planned:
                    raise Conflict(
                        "tax_rates_changed", "The rates were changed meanwhile; run it again."
                    )
        return True
    finally:
        await db.close()


async def _try_out(db: Database, wanted: Sequence[NewTaxRate], now: datetime) -> tuple[str, ...]:
    """Return what would change: it is done, and rolled back."""
    lines: tuple[str, ...] = ()
    with suppress(_Undone):
        async with db.transaction(WRITER) as conn:
            lines = await _load(conn, wanted, now)
            raise _Undone
    return lines


async def _load(conn: Connection, wanted: Sequence[NewTaxRate], now: datetime) -> tuple[str, ...]:
    before = {rate.tax_rate_id: rate for rate in await service.list_rates(conn)}
    await service.load_rates(conn, wanted, now)
    after = await service.list_rates(conn)
    return tuple(line for rate in after for line in _lines(before.get(rate.tax_rate_id), rate))


def _lines(was: TaxRate | None, now: TaxRate) -> Iterator[str]:
    """Yield what became of one rate: + is new, ~ has an end now."""
    place = Place(now.country, now.region)
    told = f"{place} {now.name} {plain(now.percent)}% {now.tax_code} from {now.valid_from}"
    until = "" if now.valid_until is None else f" until {now.valid_until}"
    if was is None:
        yield f"+ {told}{until}"
    elif was != now:
        yield f"~ {told}{until}"
