"""What is to be paid back: a wish of a credit note, until somebody pays it."""

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from tallystick.credit_notes import refund_store as store
from tallystick.credit_notes.entries import refunded_entry
from tallystick.credit_notes.events import REFUND_MADE, RefundMade
from tallystick.credit_notes.model import CreditNote, Refund, RefundStatus
from tallystick.kernel import outbox
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import unknown
from tallystick.ledger import service as ledger

MANUAL: Final = "manual"
REFERENCE_LENGTH_MAX: Final = 200
WAITING_MAX: Final = 100


async def make_refund(
    conn: Connection,
    account_id: UUID,
    refund_id: UUID,
    reference: str,
    at: datetime,
    *,
    through: str = MANUAL,
) -> Refund:
    """Book that money was paid back, by hand or `through` a gateway; again changes nothing.

    `reference` is the bank's or the gateway's name for it. In the open transaction, of the
    writer's scope. Raises NotFound, BadInput for the reference, Conflict `refund_canceled`.
    """
    named = reference.strip()
    if not 1 <= len(named) <= REFERENCE_LENGTH_MAX:
        message = f"must have 1 to {REFERENCE_LENGTH_MAX} characters"
        raise BadInput.field("reference", "length", message)
    refund = await store.lock(conn, account_id, refund_id)
    if refund is None:
        raise unknown("refund")
    if refund.status is RefundStatus.MADE:
        return refund
    if not await store.make(conn, refund, through, named, at):
        raise Conflict("refund_canceled", "The credit note was voided; nothing is to be paid back.")
    await ledger.post(conn, account_id, refunded_entry(refund, through, at))
    told = RefundMade(refund_id, refund.invoice_id)
    await outbox.append(conn, account_id, REFUND_MADE, told)
    return replace(
        refund, status=RefundStatus.MADE, made_through=through, reference=named, made_at=at
    )


async def refunds_of(
    conn: Connection, account_id: UUID, notes: tuple[CreditNote, ...]
) -> dict[UUID, Refund]:
    """Return what of these notes is to be, or was, paid back, by note."""
    return await store.of_notes(conn, account_id, [one.credit_note_id for one in notes])


async def waiting_refunds(conn: Connection, account_id: UUID | None = None) -> tuple[Refund, ...]:
    """Return the hundred oldest that nobody has paid back yet; None: of all accounts."""
    return await store.waiting(conn, account_id, WAITING_MAX)


async def get_refund(conn: Connection, account_id: UUID, refund_id: UUID) -> Refund:
    """Return one wish to pay back, made or not; raises NotFound."""
    found = await store.find(conn, account_id, refund_id)
    if found is None:
        raise unknown("refund")
    return found


async def account_of_refund(conn: Connection, refund_id: UUID) -> UUID:
    """Return whose refund it is, for staff who name it alone; raises NotFound."""
    account_id = await store.owner(conn, refund_id)
    if account_id is None:
        raise unknown("refund")
    return account_id
