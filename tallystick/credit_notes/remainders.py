"""The unused rest of a subscription that ended is paid back by a note of what billed it.

Its last invoice gave the rest back, but an invoice is never below zero: what it can not hold waits,
before tax. A credit note takes as much of the lines that billed the unused time, with their tax and
less their discounts: off what is due of that invoice first, and of what was paid in money as the
wish of a refund.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from tallystick.credit_notes import service
from tallystick.credit_notes.model import CreditNote, NewNote, Take
from tallystick.credit_notes.shares import Left, LeftLine
from tallystick.invoices import crediting
from tallystick.invoices import service as invoices
from tallystick.invoices.adjustments import Adjustment
from tallystick.invoices.model import Invoice, InvoiceLine, Status
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.kernel.paging import LIMIT_MAX, PageRequest

log = structlog.get_logger()

BILLED_AHEAD: Final = frozenset({"subscription", "proration", "usage"})
CREDITABLE: Final = frozenset({Status.OPEN, Status.PAID})


async def pay_remainders_back(
    conn: Connection, account_id: UUID, at: datetime
) -> tuple[CreditNote, ...]:
    """Issue the notes of what waits to be paid back to the account; again there is nothing.

    `at` is the account's present; the transaction is of the writer's scope. What stands on none of
    its hundred newest invoices waits on for staff.
    """
    notes: list[CreditNote] = []
    for rest in await crediting.lock_remainders(conn, account_id):
        notes += await _pay_back(conn, account_id, rest, at)
    return tuple(notes)


async def _pay_back(
    conn: Connection, account_id: UUID, rest: Adjustment, at: datetime
) -> list[CreditNote]:
    last = await invoices.get_invoice(conn, account_id, rest.invoice_id)
    newest = await invoices.list_invoices(conn, account_id, None, PageRequest(limit=LIMIT_MAX))
    waiting, notes = rest.left.minor, []
    for invoice in newest.items:
        if waiting and invoice.invoice_id != last.invoice_id and invoice.status in CREDITABLE:
            note = await _note(conn, invoice, last, waiting, at)
            if note is not None:
                notes.append(note)
                waiting -= sum(line.net_minor for line in note.lines)
    await crediting.use_remainder(conn, account_id, rest.invoice_id, rest.left.minor - waiting)
    if waiting:
        log.warning("remainder_not_paid_back", invoice=rest.number, left_minor=waiting)
    return notes


async def _note(
    conn: Connection, invoice: Invoice, last: Invoice, waiting: int, at: datetime
) -> CreditNote | None:
    """Return the note of what an earlier invoice billed of the unused time, None without any."""
    takes = tuple(takes_of(await service.what_is_left(conn, invoice), last.lines, waiting))
    if not takes or invoice.currency != last.currency:
        return None
    new = NewNote(
        invoice_id=invoice.invoice_id,
        reason="order_change",
        text=f"Not used; see invoice {last.number}.",
        takes=takes,
        rest="refund",
        request_key=f"remainder:{last.invoice_id}:{invoice.invoice_id}",
    )
    try:
        async with conn.transaction():
            return await service.issue(conn, invoice.account_id, new, at)
    except Conflict as error:
        log.warning("remainder_not_credited", invoice=invoice.number, reason=error.code)
        return None


def takes_of(left: Left, given_back: Sequence[InvoiceLine], most: int) -> Iterator[Take]:
    """Yield what is taken of an invoice's lines for time that a last invoice gave back.

    Together they come to `most` at most, less their discounts, as that was given back. 62.00 were
    billed for January, 40.00 of it given back: 40.00 of that line. With a coupon of 50 % 20.00 were
    given back: 40.00 of that line, which is 20.00.
    """
    unused = [line for line in given_back if line.amount.minor < 0 and line.period_start]
    for one in left.lines:
        part = min(one.net - one.taken.net, most)
        if part > 0 and one.line.kind in BILLED_AHEAD and any(_covers(one.line, x) for x in unused):
            most -= part
            yield Take(
                invoice_line_id=one.line.invoice_line_id, amount_minor=_amount_for(one, part)
            )


def _amount_for(one: LeftLine, net_minor: int) -> int:
    """Return the least amount of a line that comes to so much less its discounts, above zero."""
    points = one.line.amount.minor * (2 * (one.taken.net + net_minor) - 1)
    return min(-(-points // (2 * one.net)) - one.taken.amount, one.left)


def _covers(line: InvoiceLine, unused: InvoiceLine) -> bool:
    if line.period_start is None or line.period_end is None:
        return False
    assert unused.period_start is not None  # noqa: S101 - only those with a period are asked
    assert unused.period_end is not None  # noqa: S101 - as above
    return (
        (line.subscription_id, line.price_code) == (unused.subscription_id, unused.price_code)
        and line.period_start < unused.period_end
        and line.period_end > unused.period_start
    )
