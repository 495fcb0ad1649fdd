"""Reading payments and their attempts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import unknown
from tallystick.kernel.paging import After, Page, PageRequest, make_page
from tallystick.payments import attempt_store, booking, store
from tallystick.payments.model import Attempt, Payment, PaymentStatus

APPROVALS_MAX = 100


class PaymentView(msgspec.Struct, frozen=True):
    """A payment and its newest try; None: nothing was tried yet, or nobody has to."""

    payment: Payment
    attempt: Attempt | None


async def get_payment(conn: Connection, account_id: UUID, payment_id: UUID) -> PaymentView:
    """Return a payment of the account; raises NotFound."""
    payment = await store.find(conn, account_id, payment_id)
    if payment is None:
        raise unknown("payment")
    return PaymentView(payment, await attempt_store.last(conn, account_id, payment_id))


async def payment_of_request(
    conn: Connection, account_id: UUID, request_key: str
) -> Payment | None:
    """Return the payment that `Collector.pay_invoice` made for this key, None before that."""
    return await store.find_by_key(conn, account_id, f"request:{request_key}")


async def list_payments(conn: Connection, account_id: UUID, request: PageRequest) -> Page[Payment]:
    """Return the account's payments, newest first."""
    rows = await store.page(conn, account_id, request)
    total = await store.count(conn, account_id)
    return make_page(rows, total, request, lambda row: After(row.created_at, row.payment_id))


async def awaiting_payer(
    conn: Connection, account_id: UUID, payment_ids: Sequence[UUID]
) -> frozenset[UUID]:
    """Return those of the payments that their payer has to confirm with the bank."""
    return await attempt_store.awaiting_payer(conn, account_id, payment_ids)


async def awaiting_of_invoice(conn: Connection, account_id: UUID, invoice_id: UUID) -> UUID | None:
    """Return the payment of this invoice that its payer has to confirm with the bank, if any."""
    live = await store.live_of(conn, account_id, [invoice_id])
    return next(iter(await attempt_store.awaiting_payer(conn, account_id, live)), None)


async def list_attempts(
    conn: Connection, account_id: UUID, payment_id: UUID
) -> tuple[Attempt, ...]:
    """Return all tries of a payment, the first one first."""
    return tuple(await attempt_store.of_payment(conn, account_id, payment_id))


async def declined_invoices(
    conn: Connection, account_id: UUID, invoice_ids: Sequence[UUID]
) -> frozenset[UUID]:
    """Return those of the invoices for which a payment was declined, whatever came of it since."""
    return await store.declined(conn, account_id, invoice_ids)


async def pending_sums(conn: Connection, account_id: UUID) -> Mapping[str, int]:
    """Return what is under way and not booked yet: minor units by currency."""
    return await store.pending_sums(conn, account_id)


async def account_of_payment(conn: Connection, payment_id: UUID) -> UUID:
    """Return whose payment it is, for staff who name it alone; raises NotFound."""
    account_id = await store.owner(conn, payment_id)
    if account_id is None:
        raise unknown("payment")
    return account_id


async def awaiting_approval(
    conn: Connection, account_id: UUID | None = None
) -> tuple[Payment, ...]:
    """Return the hundred oldest payments that wait for a person; None: of all accounts."""
    return tuple(await store.awaiting_approval(conn, account_id, APPROVALS_MAX))


async def end_wishes(conn: Connection, account_id: UUID, invoice_id: UUID) -> None:
    """Put away a payment of the invoice that was not tried yet: nobody is to be charged for it.

    Raises Conflict `payment_in_progress` for one that may have taken money.
    """
    live = await store.find_live(conn, account_id, invoice_id)
    live = live and await store.lock(conn, account_id, live.payment_id)
    if live is None:
        return
    if live.status is not PaymentStatus.PENDING:
        raise Conflict(
            "payment_in_progress", "A payment of this invoice is under way; wait for it."
        )
    await booking.fail(conn, live, "cancelled", hard=False)


async def waits_since(conn: Connection, gateway: str) -> datetime | None:
    """Return since when a charge waits for this gateway's result (wall time); None: none does."""
    return await attempt_store.oldest_open(conn, gateway)
