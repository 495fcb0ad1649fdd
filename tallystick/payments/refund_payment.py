"""Refunds that people ask for: of a payment, in one step, and those that were paid by hand."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.credit_notes import refunds as wishes
from tallystick.credit_notes import service as notes
from tallystick.credit_notes.model import CreditNote, NewNote, RefundStatus, Split
from tallystick.credit_notes.model import Refund as Wish
from tallystick.kernel.clock import Clock, account_now
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.payments import refund_plan, refund_standing
from tallystick.payments import refund_store as store
from tallystick.payments.approvals import check_reason
from tallystick.payments.refund_model import Giver, RefundAttempt
from tallystick.payments.refund_plan import CAME, Share
from tallystick.payments.refunds import Refunds, told
from tallystick.payments.service import get_payment

INVOICES_MAX: Final = 100


class AskedRefund(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks for: `amount_minor` None is all that is left of the payment.

    `left_minor` is what the person saw as left: when it is something else by now, somebody was
    faster. `request_key` names the intent: it is done once.
    """

    reason: str
    request_key: str
    amount_minor: int | None = None
    left_minor: int | None = None


class PaymentRefunds:
    """Gives payments back for people."""

    def __init__(self, db: Database, refunds: Refunds, clock: Clock) -> None:
        self._db = db
        self._refunds = refunds
        self._clock = clock

    async def refund(
        self, account_id: UUID, payment_id: UUID, asked: AskedRefund
    ) -> tuple[Wish, ...]:
        """Issue the credit notes of a refund and carry it out at the payment's gateway.

        Outside any transaction. One note and one wish for each invoice that the payment settled;
        what its gateway can not do waits for a person. The same key gives the same wishes. Raises
        NotFound; BadInput for the reason or the amount; Conflict `payment_not_succeeded`,
        `payment_without_invoice`, `payment_changed`, `refund_exceeds_payment`, and what
        `credit_notes.service.issue` does.
        """
        async with self._db.own_transaction(WRITER) as conn:
            made, started = await self._promise(conn, account_id, payment_id, asked)
        await self._refunds.send(started)
        async with self._db.own_transaction(WRITER) as conn:
            return tuple([await wishes.get_refund(conn, account_id, one) for one in made])

    async def _promise(
        self, conn: Connection, account_id: UUID, payment_id: UUID, asked: AskedRefund
    ) -> tuple[list[UUID], list[RefundAttempt]]:
        check_reason(asked.reason)
        giver = await _giver(conn, account_id, payment_id)
        issued = await self._issued(conn, giver, asked)
        if not issued:
            at = await account_now(conn, account_id, self._clock())
            need_came(giver)
            issued = [await _note(conn, giver, share, asked, at) for share in _shares(giver, asked)]
        by_note = await wishes.refunds_of(conn, account_id, tuple(issued))
        made = [by_note[note.credit_note_id] for note in issued]
        started: list[RefundAttempt] = []
        for wish in made:
            started += await self._refunds.begin(conn, wish, payment_id)
        return [wish.refund_id for wish in made], started

    async def _issued(self, conn: Connection, giver: Giver, asked: AskedRefund) -> list[CreditNote]:
        """Return the notes that the same request issued before."""
        keys = [_key(giver, one.invoice_id, asked) for one in giver.gave]
        found = [await notes.note_of_request(conn, giver.account_id, key) for key in keys]
        return [note for note in found if note is not None]


async def left_of(conn: Connection, account_id: UUID, payment_id: UUID) -> int:
    """Return what can be given back of a payment, in minor units; nothing of one not come."""
    named = await store.invoices_of(conn, account_id, payment_id)
    found = await store.givers(conn, account_id, named)
    return sum(left_by_status(one) for one in found if one.payment_id == payment_id)


def left_by_status(giver: Giver) -> int:
    """Return what can be given back of a payment, in minor units."""
    return giver.left_minor if giver.status in CAME else 0


async def payments_of_invoice(
    conn: Connection, account_id: UUID, invoice_id: UUID
) -> tuple[Giver, ...]:
    """Return the payments that came in for an invoice, with what went back of them."""
    return await store.givers(conn, account_id, [invoice_id])


async def attempts_of(
    conn: Connection, account_id: UUID, refund_id: UUID
) -> tuple[RefundAttempt, ...]:
    """Return what was tried for a wish, the first try first."""
    return await store.of_refund(conn, account_id, refund_id)


async def find_giver(conn: Connection, account_id: UUID, payment_id: UUID) -> Giver | None:
    """Return a payment that came in for invoices, locked with the others of those."""
    named = await store.invoices_of(conn, account_id, payment_id)
    givers = await store.lock_givers(conn, account_id, named)
    return next((one for one in givers if one.payment_id == payment_id), None)


async def _giver(conn: Connection, account_id: UUID, payment_id: UUID) -> Giver:
    giver = await find_giver(conn, account_id, payment_id)
    if giver is not None:
        return giver
    payment = (await get_payment(conn, account_id, payment_id)).payment
    if payment.settled_at is None:
        raise Conflict("payment_not_succeeded", f"The payment is {payment.status}.")
    raise Conflict("payment_without_invoice", "No invoice got anything of this payment.")


def need_came(giver: Giver) -> None:
    """Raise Conflict `payment_not_succeeded` unless money of it is here."""
    if giver.status not in CAME:
        raise Conflict("payment_not_succeeded", f"The payment is {giver.status}.")


async def make_by_hand(
    conn: Connection, account_id: UUID, refund_id: UUID, reference: str, *, wall: datetime
) -> Wish:
    """Book that what is left of a wish was paid back by hand; again changes nothing.

    In the open transaction, of the writer's scope. The payments of the invoice count it, the
    newest first. Raises what `credit_notes.refunds.make_refund` does.
    """
    known = await wishes.get_refund(conn, account_id, refund_id)
    givers = await store.lock_givers(conn, account_id, [known.invoice_id])
    wish = await wishes.lock_refund(conn, account_id, refund_id)
    at = await account_now(conn, account_id, wall)
    made = await wishes.make_refund(conn, account_id, refund_id, reference, at)
    if wish.status is RefundStatus.MADE:
        return made
    number = await store.next_number(conn, account_id, refund_id)
    parts = refund_plan.by_hand(wish.left.minor, wish.invoice_id, givers)
    for place, part in enumerate(parts, number):
        row = told(wish, part.giver, part.amount_minor, place, wall)
        row = msgspec.structs.replace(row, gateway=wishes.MANUAL, gateway_reference=made.reference)
        await store.insert(conn, row)
        await refund_standing.refresh(conn, part.giver)
    return made


def _shares(giver: Giver, asked: AskedRefund) -> tuple[Share, ...]:
    left = giver.left_minor
    if asked.left_minor not in {None, left}:
        text = f"There are {left} {giver.currency} minor units left by now; look at it again."
        raise Conflict("payment_changed", text, extra={"left_cents": left})
    amount = left if asked.amount_minor is None else asked.amount_minor
    if amount < 1 and asked.amount_minor is not None:
        raise BadInput.field("amount_cents", "out_of_range", "must be 1 or more")
    shares = refund_plan.shares_of_refund(giver, max(amount, 1))
    # Each note locks its invoice: in one order, whoever does so.
    return tuple(sorted(shares, key=lambda one: one.invoice_id))


async def _note(
    conn: Connection, giver: Giver, share: Share, asked: AskedRefund, at: datetime
) -> CreditNote:
    new = NewNote(
        invoice_id=share.invoice_id,
        reason="other",
        text=asked.reason,
        total_minor=share.amount_minor,
        split=Split(refund=share.amount_minor),
        request_key=_key(giver, share.invoice_id, asked),
    )
    return await notes.issue(conn, giver.account_id, new, at)


def _key(giver: Giver, invoice_id: UUID, asked: AskedRefund) -> str:
    return f"refund:{giver.payment_id}:{invoice_id}:{asked.request_key}"
