"""What is to be paid back: a wish of a credit note, until all of it is paid back.

In one part by hand, or in parts through gateways; who asks those is `payments/`, above. All of it
is in the caller's transaction, of the writer's scope where it writes.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from tallystick.credit_notes import refund_store as store
from tallystick.credit_notes.entries import came_back_entry, refunded_entry
from tallystick.credit_notes.events import REFUND_FAILED, REFUND_MADE, RefundFailed, RefundMade
from tallystick.credit_notes.model import CreditNote, Refund, RefundPart, RefundStatus
from tallystick.credit_notes.states import RefundEvent, move_refund, no_move
from tallystick.kernel import outbox
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import new_id, unknown
from tallystick.kernel.paging import After, Page, PageRequest, make_page
from tallystick.ledger import service as ledger

MANUAL: Final = "manual"
REFERENCE_LENGTH_MAX: Final = 200
WAITING_MAX: Final = 100
WAITING: Final = (RefundStatus.REQUESTED, RefundStatus.PROCESSING)


async def make_refund(
    conn: Connection, account_id: UUID, refund_id: UUID, reference: str, at: datetime
) -> Refund:
    """Book that what is left of a wish was paid back by hand; again changes nothing.

    `reference` is the bank's name for it. Raises NotFound, BadInput for the reference, Conflict
    `refund_canceled`, `refund_processing`.
    """
    named = reference.strip()
    if not 1 <= len(named) <= REFERENCE_LENGTH_MAX:
        message = f"must have 1 to {REFERENCE_LENGTH_MAX} characters"
        raise BadInput.field("reference", "length", message)
    refund = await lock_refund(conn, account_id, refund_id)
    if refund.status is RefundStatus.MADE:
        return refund
    if refund.status is RefundStatus.PROCESSING:
        raise no_move(refund.status)
    return await make_part(conn, refund, _by_hand(refund, named, at))


async def make_part(conn: Connection, refund: Refund, part: RefundPart) -> Refund:
    """Book that a part of a locked wish was paid back; the same part again changes nothing.

    Raises Conflict `refund_canceled`, `refund_made`, and `refund_exceeds_wish` for more than is
    left of it.
    """
    if not await store.insert_part(conn, part):
        return refund
    made = refund.made + part.amount
    if refund.status is not RefundStatus.CANCELED and made > refund.amount:
        text = f"Only {refund.left.minor} {refund.currency} minor units are left to be paid back."
        raise Conflict("refund_exceeds_wish", text, extra={"left_cents": refund.left.minor})
    is_whole = made == refund.amount
    status = move_refund(refund.status, RefundEvent.WHOLE if is_whole else RefundEvent.PART)
    after = replace(
        refund,
        made=made,
        status=status,
        problem=None if is_whole else refund.problem,
        made_through=part.through,
        reference=part.reference,
        made_at=part.made_at if is_whole else None,
    )
    await store.save(conn, after)
    await ledger.post(conn, refund.account_id, refunded_entry(part))
    if is_whole:
        told = RefundMade(refund.refund_id, refund.invoice_id)
        await outbox.append(conn, refund.account_id, REFUND_MADE, told)
    return after


async def take_part_back(
    conn: Connection, refund: Refund, refund_part_id: UUID, code: str, at: datetime
) -> Refund:
    """Book that a part of a locked wish came back: the money is ours, and still to be paid.

    A second time changes nothing. A wish that was made waits for a person again.
    """
    part = await store.fail_part(conn, refund, refund_part_id, at)
    if part is None:
        return refund
    status = move_refund(refund.status, RefundEvent.COME_BACK)
    after = replace(
        refund,
        made=refund.made - part.amount,
        status=status,
        problem=code if status is RefundStatus.REQUESTED else None,
        made_at=None,
    )
    await store.save(conn, after)
    await ledger.post(conn, refund.account_id, came_back_entry(part, at))
    if status is RefundStatus.REQUESTED:
        await _tell_failed(conn, refund, code)
    return after


async def start(conn: Connection, refund: Refund) -> Refund:
    """Note that a gateway is asked to pay a locked wish back; raises Conflict unless it waits."""
    after = replace(refund, status=move_refund(refund.status, RefundEvent.START), problem=None)
    await store.save(conn, after)
    return after


async def hand_over(conn: Connection, refund: Refund, code: str) -> Refund:
    """Leave what is left of a locked wish to a person; `code` says why.

    `by_hand` is no failure: no gateway can do it. Raises Conflict unless it waits or is under way.
    """
    status = move_refund(refund.status, RefundEvent.HAND_OVER)
    after = replace(refund, status=status, problem=code)
    await store.save(conn, after)
    if code != "by_hand":
        await _tell_failed(conn, refund, code)
    return after


async def lock_refund(conn: Connection, account_id: UUID, refund_id: UUID) -> Refund:
    """Return a wish that nobody else changes until the transaction ends; raises NotFound."""
    refund = await store.lock(conn, account_id, refund_id)
    if refund is None:
        raise unknown("refund")
    return refund


async def refunds_of(
    conn: Connection, account_id: UUID, notes: tuple[CreditNote, ...]
) -> dict[UUID, Refund]:
    """Return what of these notes is to be, or was, paid back, by note."""
    return await store.of_notes(conn, account_id, [one.credit_note_id for one in notes])


async def refunds_of_invoice(
    conn: Connection, account_id: UUID, invoice_id: UUID
) -> tuple[Refund, ...]:
    """Return all wishes of an invoice, the first one first."""
    return await store.of_invoice(conn, account_id, invoice_id)


async def parts_of(conn: Connection, account_id: UUID, refund_id: UUID) -> tuple[RefundPart, ...]:
    """Return what was paid back of a wish, the first part first, also what came back."""
    return await store.parts_of(conn, account_id, refund_id)


async def waiting_refunds(conn: Connection, account_id: UUID | None = None) -> tuple[Refund, ...]:
    """Return the hundred oldest that are not paid back whole yet; None: of all accounts."""
    return await store.waiting(conn, account_id, WAITING_MAX)


async def list_refunds(
    conn: Connection, account_id: UUID | None, status: RefundStatus | None, request: PageRequest
) -> Page[Refund]:
    """Return a page of wishes, newest first; of all accounts, and those that wait, where None."""
    statuses = WAITING if status is None else (status,)
    rows = await store.page(conn, account_id, statuses, request)
    total = await store.count(conn, account_id, statuses)
    return make_page(rows, total, request, lambda one: After(one.requested_at, one.refund_id))


async def due_refunds(conn: Connection, limit: int) -> tuple[Refund, ...]:
    """Return the oldest wishes of which nobody has seen yet whether a gateway can make them."""
    return await store.due(conn, limit)


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


async def _tell_failed(conn: Connection, refund: Refund, code: str) -> None:
    told = RefundFailed(refund.refund_id, refund.invoice_id, code)
    await outbox.append(conn, refund.account_id, REFUND_FAILED, told)


def _by_hand(refund: Refund, reference: str, at: datetime) -> RefundPart:
    return RefundPart(
        account_id=refund.account_id,
        refund_part_id=new_id(),
        refund_id=refund.refund_id,
        amount=refund.left,
        through=MANUAL,
        reference=reference,
        made_at=at,
    )
