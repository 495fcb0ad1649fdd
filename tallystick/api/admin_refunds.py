"""For finance: what is to be paid back, through gateways or by hand."""

from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from litestar import Request, get, post
from msgspec import UNSET, UnsetType

from tallystick.api import fields
from tallystick.api.answers import major, pagination
from tallystick.api.reasons import because
from tallystick.api.refund_answers import (
    PaymentRefunded,
    RefundAnswer,
    RefundDetail,
    RefundList,
    attempt_answer,
    refund_answer,
)
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.credit_notes import refunds
from tallystick.credit_notes.model import Refund, RefundStatus
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF, WRITER, acting
from tallystick.kernel.ids import new_id
from tallystick.kernel.paging import PageRequest
from tallystick.payments import refund_payment, service
from tallystick.payments.refund_payment import AskedRefund

BASE: Final = "/api/v1/admin/billing/refunds"
TAGS: Final = ["Admin: refunds and disputes"]
READ: Final = {"permission": "staff:read"}
FINANCE: Final = {"permission": "staff:finance"}
AT_GATEWAY: Final = {**FINANCE, "gateway": True}
EXAMPLE: Final = {"amount_cents": 1000, "reason": "One week without service"}

Left = Annotated[int, msgspec.Meta(ge=0, le=10**15, description="Minor units.")]


class Paid(Body, frozen=True, kw_only=True):
    """The bank's name for the money that was paid back."""

    reference: fields.Reference


class PaymentRefundBody(Body, frozen=True, kw_only=True):
    """How much of a payment goes back, all that is left of it where no amount is told, and why.

    `left_cents` is what you saw as left: when it is something else by now, nothing is done.
    """

    reason: fields.Reason
    amount_cents: fields.Minor | UnsetType = UNSET
    left_cents: Left | UnsetType = UNSET


@post(
    "/api/v1/admin/payments/{payment_id:str}/refund",
    opt={**AT_GATEWAY, "example": EXAMPLE},
    tags=TAGS,
    summary="Refund a payment",
)
async def refund_payment_now(
    payment_id: str, data: PaymentRefundBody, request: Request[Any, Any, Any], services: Services
) -> PaymentRefunded:
    """Issue the credit note and give the money back at the gateway that took it, in one step.

    Never more than was paid and not given back. A refund that the gateway still works on is
    `processing`; what no gateway can do waits to be paid by hand (`problem`).
    """
    wanted = ids.parse("payment", payment_id)
    async with services.db.transaction(STAFF) as conn:
        account_id = await service.account_of_payment(conn, wanted)
    asked = AskedRefund(
        reason=data.reason,
        request_key=request.headers.get("idempotency-key") or str(new_id()),
        amount_minor=None if data.amount_cents is UNSET else data.amount_cents,
        left_minor=None if data.left_cents is UNSET else data.left_cents,
    )
    with acting(because(data.reason)):
        made = await services.payment_refunds.refund(account_id, wanted, asked)
    return await _refunded(services, account_id, wanted, made)


@get(BASE, opt=READ, tags=TAGS, summary="Refunds of all accounts")
async def list_refunds(
    services: Services,
    paging: PageRequest,
    account_id: str | None = None,
    status: Literal["requested", "processing", "made", "canceled"] | None = None,
) -> RefundList:
    """List refunds, newest first; of one account, or of all. No `status`: those not made yet."""
    wanted = ids.parse("account", account_id) if account_id else None
    state = RefundStatus(status) if status else None
    async with services.db.transaction(STAFF) as conn:
        found = await refunds.list_refunds(conn, wanted, state, paging)
    return RefundList([refund_answer(one) for one in found.items], pagination(found), found.total)


@get(f"{BASE}/{{refund_id:str}}", opt=READ, tags=TAGS, summary="A refund")
async def read_refund(refund_id: str, services: Services) -> RefundDetail:
    """Return one refund with what was tried for it at gateways."""
    wanted = ids.parse("refund", refund_id)
    async with services.db.transaction(STAFF) as conn:
        account_id = await refunds.account_of_refund(conn, wanted)
        refund = await refunds.get_refund(conn, account_id, wanted)
        tried = await refund_payment.attempts_of(conn, account_id, wanted)
    return RefundDetail(refund_answer(refund), [attempt_answer(one) for one in tried])


@post(
    f"{BASE}/{{refund_id:str}}/made",
    opt=FINANCE,
    tags=TAGS,
    status_code=200,
    summary="Say that a refund was made by hand",
)
async def make_refund(refund_id: str, data: Paid, services: Services) -> RefundAnswer:
    """Book money that was paid back by hand; again: no change."""
    wanted = ids.parse("refund", refund_id)
    async with services.db.transaction(WRITER) as conn:
        account_id = await refunds.account_of_refund(conn, wanted)
        made = await refund_payment.make_by_hand(
            conn, account_id, wanted, data.reference, wall=services.clock()
        )
    return refund_answer(made)


@post(
    f"{BASE}/{{refund_id:str}}/retry",
    opt=AT_GATEWAY,
    tags=TAGS,
    status_code=200,
    summary="Try a refund at the gateway again",
)
async def retry_refund(refund_id: str, services: Services) -> RefundAnswer:
    """Ask gateways again: look up what is under way, or begin anew what waits for a person."""
    wanted = ids.parse("refund", refund_id)
    async with services.db.transaction(STAFF) as conn:
        account_id = await refunds.account_of_refund(conn, wanted)
    return refund_answer(await services.refunds.retry(account_id, wanted))


async def _refunded(
    services: Services, account_id: UUID, payment_id: UUID, made: tuple[Refund, ...]
) -> PaymentRefunded:
    async with services.db.transaction(STAFF) as conn:
        payment = (await service.get_payment(conn, account_id, payment_id)).payment
        left = await refund_payment.left_of(conn, account_id, payment_id)
    return PaymentRefunded(
        payment=ids.show("payment", payment_id),
        status=payment.status.value,
        currency=payment.currency.lower(),
        left=major(left, payment.currency),
        left_cents=left,
        refunds=[refund_answer(one) for one in made],
    )


ROUTES: Final = (refund_payment_now, list_refunds, read_refund, make_refund, retry_refund)
