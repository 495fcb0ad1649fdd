"""What a person pays at once: all that is due, or an amount that is charged one time."""

from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Request, post

from tallystick.accounts.model import Account
from tallystick.api import fields
from tallystick.api.invoices import InvoiceAnswer, invoice_answer
from tallystick.api.payments import (
    PaymentAnswer,
    need_not_declined,
    request_key,
    view_answer,
)
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.api.threeds import Threeds, authentication_of
from tallystick.kernel.db import account_scope
from tallystick.money.amount import Money
from tallystick.money.currency import currency as known_currency
from tallystick.payments import methods
from tallystick.payments.model import PaymentStatus
from tallystick.payments.once import DESCRIPTION, OneTime

TAGS: Final = ["Payments"]
WRITE: Final = {"permission": "billing:write", "gateway": True}


class PayBalance(Body, frozen=True, kw_only=True):
    """With which method, the default one if none is named; and in which currency, or in each."""

    payment_method_id: fields.Token | None = None
    currency: fields.Currency | None = None


class ChargeOnce(Body, frozen=True, kw_only=True):
    """An amount before tax, in the account's currency unless another is named."""

    amount_cents: fields.Minor
    currency: fields.Currency | None = None
    description: fields.Line | None = None
    payment_method_id: fields.Token | None = None
    threeds: Threeds | None = None


class ChargedOnce(msgspec.Struct, frozen=True):
    """The invoice of a one-time charge and its payment.

    `payment` null: credit and prepaid money of the account paid all of it.
    """

    invoice: InvoiceAnswer
    payment: PaymentAnswer | None


class PaidBalance(msgspec.Struct, frozen=True):
    """One payment for each currency in which something was due."""

    payments: list[PaymentAnswer]
    total: int


@post("/pay-balance", opt=WRITE, tags=TAGS, status_code=200, summary="Pay all that is due")
async def pay_balance(
    request: Request[Any, Any, Any],
    services: Services,
    account: Account,
    data: PayBalance | None = None,
) -> PaidBalance:
    """Charge what is due on all open invoices (500 at most), in one payment for each currency.

    Nothing due is 409 `nothing_to_pay`; what another payment may still bring is left to that one.
    If every charge was refused: 402 `payment_declined`.
    """
    asked = data or PayBalance()
    whose = account.account_id
    wanted = None if asked.currency is None else known_currency(asked.currency.upper()).code
    views = await services.collector.pay_balance(
        whose,
        request_key=request_key(request),
        method_id=await named_method(services, whose, asked.payment_method_id),
        currency=wanted,
    )
    if all(view.payment.status is PaymentStatus.FAILED for view in views):
        need_not_declined(views[0].payment)
    return PaidBalance(
        [view_answer(view, services.settings.public_url) for view in views], len(views)
    )


@post("/charge-once", opt=WRITE, tags=TAGS, summary="Charge one time")
async def charge_once(
    request: Request[Any, Any, Any], services: Services, account: Account, data: ChargeOnce
) -> ChargedOnce:
    """Invoice an amount with the account's taxes and charge it at once.

    Refused: 402 `payment_declined`, the invoice is void and nothing is owed. While the payer or the
    bank takes time the payment is `processing` and the invoice open.
    """
    whose = account.account_id
    currency = known_currency((data.currency or account.currency).upper()).code
    asked = OneTime(
        amount=Money(data.amount_cents, currency),
        description=data.description or DESCRIPTION,
        method_id=await named_method(services, whose, data.payment_method_id),
        authentication=authentication_of(data.threeds),
    )
    charged = await services.once.charge(whose, asked, request_key=request_key(request))
    invoice = invoice_answer(charged.invoice, services.settings.public_url)
    if charged.payment is None:
        return ChargedOnce(invoice, None)
    need_not_declined(charged.payment.payment)
    shown = view_answer(charged.payment, services.settings.public_url)
    return ChargedOnce(invoice, shown)


async def named_method(services: Services, account_id: UUID, name: str | None) -> UUID | None:
    """Return the id of the method with our id or the gateway's token; raises NotFound."""
    if name is None:
        return None
    async with services.db.transaction(account_scope(account_id)) as conn:
        found = await methods.find_method(conn, account_id, name)
    return found.payment_method_id


ACCOUNT_ROUTES: Final = (pay_balance, charge_once)
