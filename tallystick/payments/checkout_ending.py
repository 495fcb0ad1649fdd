"""The end of a page, in the transaction of whoever brings the news of it."""

from tallystick.kernel import outbox
from tallystick.kernel.db import Connection
from tallystick.payments import checkout_store
from tallystick.payments.checkout_pages import has_expired
from tallystick.payments.events import CHECKOUT_EXPIRED, CheckoutExpired
from tallystick.payments.model import CheckoutStatus, Payment
from tallystick.payments.outcomes import Outcome


async def end(conn: Connection, payment: Payment, outcome: Outcome) -> None:
    """End the page of a payment, if it is made on one; an expired one frees its invoices."""
    found = await checkout_store.of_payment(conn, payment.account_id, payment.payment_id)
    if found is None:
        return
    expired = has_expired(outcome)
    status = CheckoutStatus.EXPIRED if expired else CheckoutStatus.COMPLETE
    if await checkout_store.end(conn, found, status) and expired:
        told = CheckoutExpired(found.checkout_id, payment.payment_id, payment.invoice_ids)
        await outbox.append(conn, payment.account_id, CHECKOUT_EXPIRED, told)
