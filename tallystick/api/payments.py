"""The account's payments: those collected, those that a person starts, those made by hand."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
from litestar import Request, get, post

from tallystick.accounts.model import Account
from tallystick.api import fields
from tallystick.api.answers import Pagination, major, pagination
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.api.threeds import Threeds, authentication_of
from tallystick.kernel import ids
from tallystick.kernel.db import account_scope
from tallystick.kernel.errors import PaymentRequired
from tallystick.kernel.ids import new_id
from tallystick.kernel.paging import PageRequest
from tallystick.payments import methods, service
from tallystick.payments.declines import words
from tallystick.payments.model import AttemptOutcome, Part, Payment, PaymentStatus
from tallystick.payments.service import PaymentView

TAGS: Final = ["Payments"]
READ: Final = {"permission": "billing:read"}
WRITE: Final = {"permission": "billing:write"}
_IDEMPOTENCY_KEY: Final = "idempotency-key"


class PaymentPart(msgspec.Struct, frozen=True, kw_only=True):
    """What a payment is to settle of an invoice, and what of it came there."""

    id: str
    amount: Decimal
    amount_cents: int
    paid: Decimal
    paid_cents: int


class PaymentAction(msgspec.Struct, frozen=True):
    """What the payer has to do: `authenticate`, on the page at `url`, signed in."""

    type: str
    url: str


class PaymentAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The wish to collect an amount; `failure_message` is in words for the customer.

    `invoice` is null when it is for several; `invoices` has them all, due first before others.
    `method_code` and `proof_note` are of payments by hand. `amount_received` is what came,
    `amount_over` what no invoice took of it: prepaid money. `next_action` is there while the bank
    wants its customer to confirm the payment.
    """

    id: str
    invoice: str | None
    invoices: list[PaymentPart]
    gateway: str
    payment_method: str | None
    status: str
    currency: str
    amount: Decimal
    amount_cents: int
    amount_received: Decimal
    amount_received_cents: int
    amount_over: Decimal
    amount_over_cents: int
    method_code: str | None
    transaction_reference: str | None
    proof_note: str | None
    failure_code: str | None
    failure_message: str | None
    note: str | None
    created: datetime
    settled_at: datetime | None
    next_action: PaymentAction | None


class PaymentList(msgspec.Struct, frozen=True):
    """One part of the account's payments, newest first."""

    payments: list[PaymentAnswer]
    pagination: Pagination
    total: int


class Pay(Body, frozen=True, kw_only=True):
    """Charge the invoice to this method, or to the default one: all that is due, or a part."""

    payment_method_id: fields.Token | None = None
    amount_cents: fields.Minor | None = None
    threeds: Threeds | None = None


@get("/payments", opt=READ, tags=TAGS, summary="Payments")
async def list_payments(services: Services, account: Account, paging: PageRequest) -> PaymentList:
    """List payments, newest first."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await service.list_payments(conn, account.account_id, paging)
        named = [payment.payment_id for payment in found.items]
        awaiting = await service.awaiting_payer(conn, account.account_id, named)
    url = services.settings.public_url
    answers = [
        payment_answer(one, url if one.payment_id in awaiting else None) for one in found.items
    ]
    return PaymentList(answers, pagination(found), found.total)


@get("/payments/{payment_id:str}", opt=READ, tags=TAGS, summary="A payment")
async def read_payment(payment_id: str, services: Services, account: Account) -> PaymentAnswer:
    """Return one payment."""
    wanted = ids.parse("payment", payment_id)
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        view = await service.get_payment(conn, account.account_id, wanted)
    return view_answer(view, services.settings.public_url)


@post(
    "/invoices/{invoice_id:str}/pay",
    opt={**WRITE, "gateway": True},
    tags=TAGS,
    status_code=200,
    summary="Pay an invoice",
)
async def pay_invoice(
    invoice_id: str,
    request: Request[Any, Any, Any],
    services: Services,
    account: Account,
    data: Pay | None = None,
) -> PaymentAnswer:
    """Charge what is due, or a part of it, now.

    A refusal is 402 `payment_declined`; no answer is `processing`.
    """
    wanted = ids.parse("invoice", invoice_id)
    method_id = None
    if data is not None and data.payment_method_id is not None:
        async with services.db.transaction(account_scope(account.account_id)) as conn:
            named = await methods.find_method(conn, account.account_id, data.payment_method_id)
            method_id = named.payment_method_id
    view = await services.collector.pay_invoice(
        account.account_id,
        wanted,
        request_key=request_key(request),
        method_id=method_id,
        amount_minor=None if data is None else data.amount_cents,
        authentication=None if data is None else authentication_of(data.threeds),
    )
    need_not_declined(view.payment)
    return view_answer(view, services.settings.public_url)


def need_not_declined(payment: Payment) -> None:
    """Raise PaymentRequired `payment_declined`, in words for the customer, if it was refused."""
    if payment.status is PaymentStatus.FAILED:
        code = payment.failure_code or "declined"
        raise PaymentRequired(
            "payment_declined",
            words(code),
            extra={"payment": ids.show("payment", payment.payment_id), "decline_code": code},
        )


def view_answer(view: PaymentView, public_url: str) -> PaymentAnswer:
    """Show a payment, with what its payer has to do."""
    attempt = view.attempt
    waits = attempt is not None and attempt.outcome is AttemptOutcome.NEEDS_ACTION
    named = attempt is not None and attempt.gateway_reference is not None
    return payment_answer(view.payment, public_url if waits and named else None)


def payment_answer(payment: Payment, action_at: str | None = None) -> PaymentAnswer:
    """Show a payment; `action_at` is our address when its payer has to confirm it there."""
    shown = ids.show("payment", payment.payment_id)
    action = PaymentAction("authenticate", f"{action_at}/billing/payments/{shown}/confirm")
    received, over = payment.received_minor, payment.over_minor
    return PaymentAnswer(
        id=shown,
        invoice=ids.show("invoice", payment.invoice_id) if payment.invoice_id else None,
        invoices=[_part(part, payment.currency) for part in payment.parts],
        gateway=payment.gateway,
        payment_method=ids.show("payment_method", payment.payment_method_id)
        if payment.payment_method_id
        else None,
        status=payment.status.value,
        currency=payment.currency.lower(),
        amount=major(payment.amount_minor, payment.currency),
        amount_cents=payment.amount_minor,
        amount_received=major(received, payment.currency),
        amount_received_cents=received,
        amount_over=major(over, payment.currency),
        amount_over_cents=over,
        method_code=payment.method_code,
        transaction_reference=payment.reference,
        proof_note=payment.proof_note,
        failure_code=payment.failure_code,
        failure_message=words(payment.failure_code) if payment.failure_code else None,
        note=payment.note,
        created=payment.created_at,
        settled_at=payment.settled_at,
        next_action=action if action_at else None,
    )


def _part(part: Part, currency: str) -> PaymentPart:
    return PaymentPart(
        id=ids.show("invoice", part.invoice_id),
        amount=major(part.amount_minor, currency),
        amount_cents=part.amount_minor,
        paid=major(part.paid_minor, currency),
        paid_cents=part.paid_minor,
    )


def request_key(request: Request[Any, Any, Any]) -> str:
    """Return the caller's key: a retry after a crash meets the payment that it made before."""
    return request.headers.get(_IDEMPOTENCY_KEY) or str(new_id())


ACCOUNT_ROUTES: Final = (list_payments, read_payment, pay_invoice)
