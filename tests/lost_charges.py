"""Charges that were sent and never answered, as tests put them there."""

from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from tallystick.invoices.model import Invoice
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.ids import new_id
from tallystick.payments import attempt_store, attempts, method_store, store
from tallystick.payments.model import AttemptOutcome, Payment, PaymentMethod, PaymentStatus
from tallystick.payments.wishes import wish


async def lose_charge(db: Database, invoice: Invoice, gateway: str, sent: datetime) -> Payment:
    """Charge what is due on an invoice; the answer is lost on its way."""
    method = _method(invoice.account_id, gateway, sent)
    payment = wish([invoice], method, "lost", created_at=sent)
    first = attempts.first_state(payment, 1, sent)
    attempt = replace(first, outcome=AttemptOutcome.UNKNOWN, code="no_answer")
    async with db.transaction(WRITER) as conn:
        await method_store.insert(conn, method)
        await method_store.link(conn, method.account_id, gateway, method.token, sent)
        assert await store.insert(conn, payment)
        await store.move(conn, payment, PaymentStatus.PROCESSING)
        await attempt_store.insert(conn, attempt)
    return payment


def _method(account_id: UUID, gateway: str, at: datetime) -> PaymentMethod:
    return PaymentMethod(
        account_id=account_id,
        payment_method_id=new_id(),
        gateway=gateway,
        token=str(new_id()),
        type="card",
        card=None,
        bank=None,
        priority=1,
        is_default=True,
        status="active",
        created_at=at,
    )
