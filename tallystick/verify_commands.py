"""What `tallystick verify`, `anchor` and `export ledger` show while they run, and at the end."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from tallystick import verify
from tallystick.kernel.errors import SetupError
from tallystick.ledger.verify import Difference
from tallystick.settings import Settings


async def anchor_books(settings: Settings, dsn: str, file: Path) -> int:
    """Write an anchor; return how many chains it holds."""
    async with verify.snapshot(dsn) as conn:
        return await verify.write_anchor(conn, file, settings)


async def export_books(dsn: str, file: Path) -> int:
    """Write an export; return how many records it holds."""
    async with verify.snapshot(dsn) as conn:
        with _progress(await verify.record_count(conn), "exporting") as advance:
            return await verify.export_ledger(conn, file, advance)


async def verify_books(settings: Settings, dsn: str, anchor: Path | None) -> bool:
    """Check the database, print each difference and both verdicts; False on any difference."""
    signed = verify.open_anchor(_readable(anchor), settings) if anchor else None
    async with verify.snapshot(dsn) as conn:
        with _progress(await verify.record_count(conn), "verifying") as advance:
            findings = await verify.verify_database(conn, signed, _print, advance)
    return _conclude(findings, is_anchored=signed is not None)


def verify_file(settings: Settings, export: Path, anchor: Path | None) -> bool:
    """Check an export as `verify_books` does a database."""
    signed = verify.open_anchor(_readable(anchor), settings) if anchor else None
    with _progress(_readable(export).stat().st_size, "verifying") as advance:
        findings = verify.verify_export(export, signed, _print, advance)
    return _conclude(findings, is_anchored=signed is not None)


def _conclude(findings: verify.Findings, *, is_anchored: bool) -> bool:
    typer.echo(f"{findings.record_count} records read.")
    typer.echo(f"Integrity: {_verdict(findings.integrity)}")
    known = "" if is_anchored else " (without an anchor: whole tails that are gone stay unseen)"
    typer.echo(f"Completeness: {_verdict(findings.completeness)}{known}")
    return findings.is_clean


def _verdict(count: int) -> str:
    return {0: "no difference", 1: "1 difference"}.get(count, f"{count} differences")


def _print(difference: Difference) -> None:
    typer.echo(f"{difference.verdict} {difference.code}: {difference.detail}")


def _readable(file: Path) -> Path:
    if not file.is_file():
        raise SetupError("file_missing", f"There is no file {file}.")
    return file


@contextmanager
def _progress(length: int, label: str) -> "Iterator[verify.Advance]":
    with typer.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update
