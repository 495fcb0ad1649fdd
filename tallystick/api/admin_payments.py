"""For finance: payments made by hand are approved or rejected."""

from typing import Final

import msgspec
from litestar import get, post

from tallystick.api import fields
from tallystick.api.payments import PaymentAnswer, payment_answer
from tallystick.api.reasons import because
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.kernel import ids
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import STAFF, WRITER, acting
from tallystick.payments import approvals, service

BASE: Final = "/api/v1/admin/payments"
TAGS: Final = ["Admin: payments"]
FINANCE: Final = {"permission": "staff:finance"}


class Decision(Body, frozen=True, kw_only=True):
    """Why; it is kept in the audit."""

    reason: fields.Reason


class Approval(Decision, frozen=True, kw_only=True):
    """Why, and what came where that is not what the payer told.

    Less pays a part of the invoice; what is beyond it is prepaid money of the account.
    """

    amount_cents: fields.Minor | None = None


class ApprovalList(msgspec.Struct, frozen=True):
    """The oldest hundred payments that wait for a person."""

    payments: list[PaymentAnswer]
    total: int


@get(f"{BASE}/pending", opt=FINANCE, tags=TAGS, summary="Payments that wait for approval")
async def list_pending(services: Services) -> ApprovalList:
    """List what waits for a person, oldest first."""
    async with services.db.transaction(STAFF) as conn:
        found = await service.awaiting_approval(conn)
    return ApprovalList([payment_answer(payment) for payment in found], len(found))


@post(
    f"{BASE}/{{payment_id:str}}/approve", opt=FINANCE, tags=TAGS, status_code=200, summary="Approve"
)
async def approve(payment_id: str, data: Approval, services: Services) -> PaymentAnswer:
    """Book a payment that has come."""
    wanted = ids.parse("payment", payment_id)
    with acting(because(data.reason)):
        async with services.db.transaction(WRITER) as conn:
            account_id = await service.account_of_payment(conn, wanted)
            now = await account_now(conn, account_id, services.clock())
            done = await approvals.approve(conn, account_id, wanted, now, data.amount_cents)
            return payment_answer(done)


@post(
    f"{BASE}/{{payment_id:str}}/reject", opt=FINANCE, tags=TAGS, status_code=200, summary="Reject"
)
async def reject(payment_id: str, data: Decision, services: Services) -> PaymentAnswer:
    """End a payment that has not come; the invoice stays open."""
    wanted = ids.parse("payment", payment_id)
    with acting(because(data.reason)):
        async with services.db.transaction(WRITER) as conn:
            account_id = await service.account_of_payment(conn, wanted)
            return payment_answer(await approvals.reject(conn, account_id, wanted, data.reason))


ROUTES: Final = (list_pending, approve, reject)
