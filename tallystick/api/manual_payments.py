"""Payments made by hand, as the payer tells of them."""

from typing import Annotated, Any, Final

from litestar import Request, post
from msgspec import Meta

from tallystick.accounts.model import Account, Principal
from tallystick.api import fields
from tallystick.api.payments import TAGS, WRITE, PaymentAnswer, payment_answer, request_key
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.invoices import service as invoices
from tallystick.kernel import ids
from tallystick.kernel.db import account_scope
from tallystick.kernel.errors import BadInput, FieldError
from tallystick.money.amount import Money
from tallystick.payments import approvals, offers
from tallystick.payments.approvals import PROOF_LENGTH_MAX, ByHand

Proof = Annotated[
    str,
    Meta(
        extra_json_schema={
            "minLength": 1,
            "maxLength": PROOF_LENGTH_MAX,
            "pattern": fields.WRITTEN,
            "description": "How the payer proves it, in words; never a card number.",
        }
    ),
]


class ManualPayment(Body, frozen=True, kw_only=True):
    """A payment made by hand; the amount is what is due where it is left out.

    Another amount or currency is refused, but a part of what is due with `partial`.
    """

    invoice_id: fields.InvoiceId | None = None
    payment_method: fields.Line | None = None
    transaction_reference: fields.Reference | None = None
    amount_cents: fields.Minor | None = None
    currency: fields.Currency | None = None
    partial: bool = False
    proof_note: Proof | None = None


@post("/payments/manual", opt=WRITE, tags=TAGS, summary="A payment made by hand")
async def record_manual_payment(
    data: ManualPayment,
    request: Request[Any, Any, Any],
    services: Services,
    account: Account,
    principal: Principal,
) -> PaymentAnswer:
    """Tell of a transfer; it waits as `pending_approval` until finance has seen the money."""
    invoice_id, method_code, reference = _required(data)
    wanted = ids.parse("invoice", invoice_id)
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        invoice = await invoices.get_invoice(conn, account.account_id, wanted)
        await offers.need_by_hand(conn, account, method_code, invoice.currency)
        amount = Money(
            invoice.due.minor if data.amount_cents is None else data.amount_cents,
            invoice.currency if data.currency is None else data.currency.upper(),
        )
        told = ByHand(
            invoice_id=wanted,
            method_code=method_code,
            amount=amount,
            reference=reference,
            proof_note=data.proof_note,
            is_part=data.partial,
        )
        at = principal.now(services.clock())
        payment = await approvals.record_manual_payment(
            conn, account.account_id, told, request_key=request_key(request), at=at
        )
    return payment_answer(payment)


def _required(data: ManualPayment) -> tuple[str, str, str]:
    """Return what is needed; a missing field is 400 here, as the IGNY8 seed has it."""
    given = {
        "invoice_id": data.invoice_id or "",
        "payment_method": data.payment_method or "",
        "transaction_reference": data.transaction_reference or "",
    }
    errors = [
        FieldError(name, "missing", "is required") for name, text in given.items() if not text
    ]
    if errors:
        detail = f"{errors[0].field} is required."
        raise BadInput("manual_payment_incomplete", detail, errors=errors)
    invoice_id, method_code, reference = given.values()
    return invoice_id, method_code, reference


ACCOUNT_ROUTES: Final = (record_manual_payment,)
