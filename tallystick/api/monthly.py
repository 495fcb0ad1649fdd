"""A subscription by the month in one request: begun, billed, and its first invoice charged.

A gateway that renews by itself (CCBill) takes the schedule over with the first payment, where every
period costs the same; else the schedule is ours. Nothing is used before that payment has come.
"""

from typing import Any, Final

import msgspec
from litestar import Request, post

from tallystick.accounts.model import Account, Principal
from tallystick.accounts.policy import permissions
from tallystick.api import fields
from tallystick.api.invoices import InvoiceAnswer, invoice_answer
from tallystick.api.payments import PaymentAnswer, need_not_declined, payment_answer
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.api.subscription_answers import SubscriptionAnswer, subscription_answer
from tallystick.api.threeds import Threeds, authentication_of
from tallystick.invoices import monthly
from tallystick.invoices import service as invoices
from tallystick.invoices.model import Invoice, Status
from tallystick.invoices.monthly import Begun
from tallystick.kernel.db import WRITER, Connection
from tallystick.kernel.errors import BadInput, Conflict, Forbidden
from tallystick.kernel.ids import new_id
from tallystick.payments import collect, methods, schedules
from tallystick.payments import service as payments
from tallystick.payments.model import Payment, PaymentMethod
from tallystick.payments.requests import Authentication
from tallystick.subscriptions import changing
from tallystick.subscriptions.sold import plan_of

TAGS: Final = ["Subscriptions"]
_ELSEWHERE: Final = frozenset({"payment_in_progress", "already_paid"})


class SubscribeMonthly(Body, frozen=True, kw_only=True):
    """On the plan, or at a price a month in the account's currency; neither: at the default price.

    The price is the initial and the recurring one; another than the default is for staff alone. A
    named method becomes the default one, which later months are charged to while autopay is on.
    """

    plan: fields.Code | None = None
    price_cents: fields.Minor | None = None
    payment_method_id: fields.Token | None = None
    threeds: Threeds | None = None


class SubscribedAnswer(msgspec.Struct, frozen=True):
    """The subscription, its first invoice, and the payment of that.

    It is `incomplete` until the payment has come. `invoice` null: nothing is due yet (a trial, a
    plan in arrears); `payment` null: nothing was charged for it.
    """

    subscription: SubscriptionAnswer
    invoice: InvoiceAnswer | None
    payment: PaymentAnswer | None


@post(
    "/subscribe-monthly",
    opt={"permission": "billing:write", "gateway": True},
    tags=TAGS,
    summary="Subscribe by the month and pay",
)
async def subscribe_monthly(
    request: Request[Any, Any, Any],
    services: Services,
    account: Account,
    principal: Principal,
    data: SubscribeMonthly | None = None,
) -> SubscribedAnswer:
    """Begin a subscription by the month and charge its first invoice.

    What the gateway is known not to charge (`amount_too_small`, `amount_too_large`) is 422 and
    changes nothing. A refused charge is 402 `payment_declined`: the subscription stays
    `incomplete`, and the next request, maybe with another method, charges the same invoice.
    """
    asked = data or SubscribeMonthly()
    key = f"subscribe:{request.headers.get('idempotency-key') or new_id()}"
    begun = await _begin(asked, services, account, principal, key)
    payment = await _collect(services, begun, key, authentication_of(asked.threeds))
    return await _settled(services, begun, payment)


async def _begin(
    asked: SubscribeMonthly,
    services: Services,
    account: Account,
    principal: Principal,
    key: str,
) -> Begun:
    """Return what this request began, now or before it was cut off."""
    now = principal.now(services.clock())
    wanted = _wanted(asked, services, account, principal)
    async with services.db.transaction(WRITER) as conn:
        known = await payments.payment_of_request(conn, account.account_id, key)
        if known is not None and known.invoice_id is not None:
            return await monthly.begun_with(conn, account.account_id, known.invoice_id)
        plan = await monthly.monthly_plan(conn, wanted, account.currency, now)
        method = await _method(conn, services, account, asked.payment_method_id)
        begun = await monthly.begin(
            conn, account, plan, now=now, seller=services.seller, has_method=methods.has_method
        )
        if begun.invoice is not None and not begun.invoice.due.is_zero():
            # What the gateway will surely refuse undoes all of it.
            proof = authentication_of(asked.threeds)
            collect.need_taken(services.gateways, method, begun.invoice.due, proof)
            if services.gateways.get(method.gateway).capabilities.owns_schedule:
                sold = await plan_of(conn, begun.on)
                await schedules.wish(
                    conn, begun.on, sold, begun.invoice, gateway=method.gateway, now=now
                )
            name = f"subscribe:{begun.on.subscription_id}"
            await collect.wish_soon(conn, begun.invoice, method, name, now)
    return begun


def _wanted(
    asked: SubscribeMonthly, services: Services, account: Account, principal: Principal
) -> str | int:
    """Return the code of a plan, or what a month costs in minor units of the account's currency.

    Raises BadInput `one_of`; Conflict `monthly_price_missing`; Forbidden for a price of one's own.
    """
    if asked.plan is not None:
        if asked.price_cents is not None:
            raise BadInput.field("price_cents", "one_of", "goes without `plan`; send one of them")
        return asked.plan
    settings = services.settings
    is_here = account.currency == settings.default_currency
    default = settings.default_monthly_price_cents if is_here else None
    price = default if asked.price_cents is None else asked.price_cents
    if price is None:
        raise Conflict(
            "monthly_price_missing",
            f"There is no default price a month in {account.currency}; name a plan.",
        )
    if price != default and "staff:admin" not in permissions(principal):
        raise Forbidden("not_allowed", "Only staff may set price_cents like this.")
    return price


async def _method(
    conn: Connection, services: Services, account: Account, name: str | None
) -> PaymentMethod:
    """Return the named method, which becomes the default, or the default one.

    Raises NotFound; Conflict `payment_method_missing`, `payment_method_not_chargeable`;
    Unavailable without its gateway.
    """
    if name is None:
        found = await methods.default_method(conn, account.account_id)
    else:
        named = await methods.find_method(conn, account.account_id, name)
        found = await methods.set_default(conn, account.account_id, named.payment_method_id)
    if found is None:
        raise Conflict("payment_method_missing", "Save a payment method first.")
    if not services.gateways.get(found.gateway).capabilities.charges_saved_methods:
        raise Conflict("payment_method_not_chargeable", "This method can not be charged here.")
    return found


async def _collect(
    services: Services, begun: Begun, key: str, authentication: Authentication | None
) -> Payment | None:
    """Charge what is due, once for a key; None where nothing is, or where it is charged already."""
    if begun.invoice is None:
        return None
    try:
        view = await services.collector.pay_invoice(
            begun.on.account_id,
            begun.invoice.invoice_id,
            request_key=key,
            authentication=authentication,
        )
    except Conflict as error:
        if error.code not in _ELSEWHERE:
            raise
        return None
    need_not_declined(view.payment)
    return view.payment


async def _settled(services: Services, begun: Begun, payment: Payment | None) -> SubscribedAnswer:
    """Return what came of it; the subscription begins here if the money is there."""
    whose, on, invoice = begun.on.account_id, begun.on, begun.invoice
    async with services.db.transaction(WRITER) as conn:
        if invoice is not None:
            invoice = await invoices.get_invoice(conn, whose, invoice.invoice_id)
            if invoice.status is Status.PAID:
                on = await changing.complete_if_waiting(conn, whose, on.subscription_id)
        plan = await plan_of(conn, on)
    return SubscribedAnswer(
        subscription_answer(on, plan),
        _shown(invoice, services),
        None if payment is None else payment_answer(payment),
    )


def _shown(invoice: Invoice | None, services: Services) -> InvoiceAnswer | None:
    return None if invoice is None else invoice_answer(invoice, services.settings.public_url)


ACCOUNT_ROUTES: Final = (subscribe_monthly,)
