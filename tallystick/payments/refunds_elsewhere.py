"""Refunds that were made at the gateway itself, in its dashboard: booked here once, with a note."""

from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from tallystick.credit_notes import refunds as wishes
from tallystick.credit_notes import service as notes
from tallystick.credit_notes.model import NewNote, RefundStatus, Split
from tallystick.credit_notes.model import Refund as Wish
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.money.amount import Money
from tallystick.payments import refund_standing
from tallystick.payments import refund_store as store
from tallystick.payments.refund_model import Giver
from tallystick.payments.refund_plan import Share, shares_of_refund
from tallystick.payments.refunds import part_of, told

TEXT: Final = "Refunded at {gateway} ({reference})"


class Elsewhere(msgspec.Struct, frozen=True, kw_only=True):
    """A refund of a locked payment that nobody here asked for; `wall` is when it was heard of."""

    giver: Giver
    reference: str
    amount: Money
    at: datetime
    wall: datetime


async def know_by_hand(conn: Connection, refund: Elsewhere) -> bool:
    """Return whether a person booked this refund by hand already, under the gateway's name."""
    for gave in refund.giver.gave:
        account_id = refund.giver.account_id
        for wish in await wishes.refunds_of_invoice(conn, account_id, gave.invoice_id):
            parts = await wishes.parts_of(conn, account_id, wish.refund_id)
            if any(part.reference == refund.reference for part in parts):
                return True
    return False


async def book_elsewhere(conn: Connection, refund: Elsewhere) -> None:
    """Book it: a wish that waits for exactly this is made with it, else a note is issued.

    Shared over the invoices of the payment by what is left of what each got. In the open
    transaction, of the writer's scope. Raises Conflict `refund_currency_differs`,
    `refund_exceeds_payment`, and what `credit_notes.service.issue` does.
    """
    giver = refund.giver
    if refund.amount.currency != giver.currency:
        raise Conflict("refund_currency_differs", f"The payment is in {giver.currency}.")
    shares = shares_of_refund(giver, refund.amount.minor)
    for share in sorted(shares, key=lambda one: one.invoice_id):
        wish = await _waiting(conn, giver, share) or await _issued(conn, refund, share)
        number = await store.next_number(conn, wish.account_id, wish.refund_id)
        row = told(wish, giver, share.amount_minor, number, refund.wall)
        row = replace(row, gateway_reference=refund.reference)
        await store.insert(conn, row)
        await wishes.make_part(conn, wish, part_of(row, refund.at))
    await refund_standing.refresh(conn, giver)


async def _waiting(conn: Connection, giver: Giver, share: Share) -> Wish | None:
    """Return a wish of the invoice that waits for a person, over exactly this much, locked."""
    for wish in await wishes.refunds_of_invoice(conn, giver.account_id, share.invoice_id):
        waits = wish.status is RefundStatus.REQUESTED and wish.left.minor == share.amount_minor
        if waits:
            return await wishes.lock_refund(conn, giver.account_id, wish.refund_id)
    return None


async def _issued(conn: Connection, refund: Elsewhere, share: Share) -> Wish:
    """Issue the note of a share, and return its wish, locked."""
    giver = refund.giver
    new = NewNote(
        invoice_id=share.invoice_id,
        reason="other",
        text=TEXT.format(gateway=giver.gateway, reference=refund.reference),
        total_minor=share.amount_minor,
        split=Split(refund=share.amount_minor),
        request_key=f"refund:{giver.gateway}:{refund.reference}:{share.invoice_id}",
    )
    note = await notes.issue(conn, giver.account_id, new, refund.at)
    by_note = await wishes.refunds_of(conn, giver.account_id, (note,))
    wish = by_note[note.credit_note_id]
    return await wishes.lock_refund(conn, giver.account_id, wish.refund_id)
