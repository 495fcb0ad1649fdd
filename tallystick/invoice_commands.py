"""What `tallystick invoices recompute` shows while it runs, and at the end."""

import sys

import typer

from tallystick import verify
from tallystick.invoices import recompute
from tallystick.invoices.recompute import InvoiceDifference
from tallystick.kernel import ids


async def recompute_invoices(dsn: str, invoice: str | None) -> bool:
    """Compute every issued invoice again, or one, print each difference; False on any.

    Reads one snapshot: the server may go on meanwhile. Raises NotFound for an unknown invoice.
    """
    invoice_id = ids.parse("invoice", invoice) if invoice is not None else None
    difference_count = 0
    async with verify.snapshot(dsn) as conn:
        count = await recompute.issued_count(conn, invoice_id)
        with typer.progressbar(length=count, label="recomputing", file=sys.stderr) as bar:
            async for found in recompute.differences(conn, invoice_id, bar.update):
                difference_count += 1
                typer.echo(_shown(found))
    verdict = {0: "no difference", 1: "1 difference"}.get(
        difference_count, f"{difference_count} differences"
    )
    typer.echo(f"{count} invoices computed again: {verdict}.")
    return not difference_count


def _shown(found: InvoiceDifference) -> str:
    line = f" line {found.position}" if found.position is not None else ""
    expected = "nothing" if found.expected_minor is None else found.expected_minor
    return (
        f"{found.number}{line} ({ids.show('invoice', found.invoice_id)}): {found.what} is"
        f" {found.stored_minor}, stored inputs give {expected} (minor units, {found.currency})"
    )
