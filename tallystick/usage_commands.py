"""What `tallystick usage verify` and `usage rebuild` show while they run, and at the end."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from tallystick.kernel.db import STAFF, open_database
from tallystick.metering import recount
from tallystick.metering.model import Difference


async def verify_usage(dsn: str) -> bool:
    """Hold all roll-ups against their events, print each difference; False on any.

    Each month of an account is one statement, so one snapshot: the server may go on meanwhile.
    """
    db = await open_database(dsn, connections_max=1)
    difference_count = 0
    try:
        async with db.transaction(STAFF) as conn:
            months = await recount.account_months(conn)
            with _progress(len(months), "verifying") as advance:
                async for found in recount.differences(conn, months, advance):
                    difference_count += 1
                    typer.echo(_shown(found))
    finally:
        await db.close()
    verdict = f"{difference_count} differences" if difference_count else "no difference"
    typer.echo(f"{len(months)} months of accounts read: {verdict}.")
    return not difference_count


async def rebuild_usage(dsn: str) -> int:
    """Make all roll-ups anew of their events; return how many months of accounts."""
    db = await open_database(dsn, connections_max=1)
    try:
        async with db.transaction(STAFF) as conn:
            months = await recount.account_months(conn)
        with _progress(len(months), "rebuilding") as advance:
            return await recount.rebuild(db, months, advance)
    finally:
        await db.close()


def _shown(found: Difference) -> str:
    return (
        f"{found.what} {found.hour.isoformat()} of meter {found.meter_id}, account"
        f" {found.account_id}: kept {found.kept or 'nothing'}, events give"
        f" {found.summed or 'nothing'}"
    )


@contextmanager
def _progress(length: int, label: str) -> "Iterator[recount.Advance]":
    with typer.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update
