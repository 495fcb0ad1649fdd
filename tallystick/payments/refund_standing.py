"""How a payment stands by what went back of it."""

from uuid import UUID

from tallystick.credit_notes import disputes
from tallystick.kernel.db import Connection
from tallystick.payments import refund_store as store
from tallystick.payments.model import PaymentStatus
from tallystick.payments.refund_model import Giver
from tallystick.payments.refund_plan import status_after


async def refresh(conn: Connection, giver: Giver, code: str | None = None) -> PaymentStatus:
    """Write the status of a locked payment; `code`: why it failed after all."""
    key: tuple[UUID, UUID] = giver.account_id, giver.payment_id
    status = status_after(
        giver.received_minor,
        refunded=await store.succeeded(conn, *key),
        disputed=await disputes.disputed_of_payment(conn, *key),
        returned=await disputes.returned_of_payment(conn, *key),
    )
    failure = code if status is PaymentStatus.FAILED else None
    await store.set_status(conn, giver, status, failure)
    return status
