"""For staff: charges of which nobody can say yet what became of them, and asking once more."""

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec
from litestar import get, post

from tallystick.api.admin_payments import BASE, FINANCE, TAGS
from tallystick.api.payments import PaymentAnswer, payment_answer
from tallystick.api.services import Services
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF
from tallystick.payments import service
from tallystick.payments.unclear import WORDS, Kind, Reason, Unclear


class UnclearPayment(msgspec.Struct, frozen=True, kw_only=True):
    """A charge, or a refund of a payment, without a clear answer.

    `since` is when it was sent, `tried` how often the gateway was asked since, `next_try` when it
    is asked again; null: by the sweep alone, once a day. `message` says what a person can do.
    """

    kind: Kind
    payment: str
    account: str
    gateway: str
    gateway_reference: str | None
    currency: str
    amount: Decimal
    amount_cents: int
    outcome: str
    code: str | None
    reason: Reason
    message: str
    since: datetime
    tried: int
    next_try: datetime | None


class UnclearList(msgspec.Struct, frozen=True):
    """The oldest hundred, and how many there are."""

    payments: list[UnclearPayment]
    total: int


@get(
    f"{BASE}/unclear",
    opt={"permission": "staff:read"},
    tags=TAGS,
    summary="Charges and refunds without a clear answer",
)
async def list_unclear(services: Services) -> UnclearList:
    """List charges and refunds of which nobody knows yet whether they went through, oldest first.

    Sent an hour ago or more and still unknown, parked because the gateway contradicts itself,
    awaited from a bank for two weeks or from a payer for one.
    """
    found = await services.sweep.unclear()
    return UnclearList([_answer(one) for one in found.oldest], found.total)


@post(
    f"{BASE}/{{payment_id:str}}/look-up",
    opt={**FINANCE, "gateway": True},
    tags=TAGS,
    status_code=200,
    summary="Ask the gateway about a payment",
)
async def look_up(payment_id: str, services: Services) -> PaymentAnswer:
    """Ask the gateway now what became of a payment under way; nothing is charged anew."""
    wanted = ids.parse("payment", payment_id)
    async with services.db.transaction(STAFF) as conn:
        account_id = await service.account_of_payment(conn, wanted)
    await services.sweep.look_again(account_id, wanted)
    async with services.db.transaction(STAFF) as conn:
        view = await service.get_payment(conn, account_id, wanted)
    return payment_answer(view.payment)


def _answer(one: Unclear) -> UnclearPayment:
    return UnclearPayment(
        kind=one.kind,
        payment=ids.show("payment", one.payment_id),
        account=ids.show("account", one.account_id),
        gateway=one.gateway,
        gateway_reference=one.gateway_reference,
        currency=one.amount.currency.lower(),
        amount=one.amount.to_decimal(),
        amount_cents=one.amount.minor,
        outcome=one.outcome,
        code=one.code,
        reason=one.reason,
        message=WORDS[one.reason],
        since=one.since,
        tried=one.tried_count,
        next_try=one.next_try_at,
    )


ROUTES: Final = (list_unclear, look_up)
