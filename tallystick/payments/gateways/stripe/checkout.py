"""Stripe's own payment page: sessions of Checkout in the modes `payment` and `setup`.

A subscription of ours is a payment whose method is saved: its schedule is ours, not Stripe's.
https://docs.stripe.com/api/checkout/sessions
"""

from typing import TYPE_CHECKING, Final

from tallystick.payments.gateways.stripe import wire
from tallystick.payments.gateways.stripe.amounts import to_stripe
from tallystick.payments.gateways.stripe.charges import BANK, BANK_CURRENCY
from tallystick.payments.gateways.stripe.client import StripeCalls
from tallystick.payments.gateways.stripe.outcomes import outcome_of_session
from tallystick.payments.outcomes import Outcome, Unknown
from tallystick.payments.requests import CheckoutRequest

if TYPE_CHECKING:
    import stripe

    Params = stripe.params.checkout.SessionCreateParams

CARD: Final = "card"


async def start(calls: StripeCalls, request: CheckoutRequest) -> wire.CheckoutSession:
    """Make a session; the same key and the same request give the same one."""
    params = _params(request)
    return await calls.fetch(
        lambda client: client.v1.checkout.sessions.create_async(
            params, {"idempotency_key": request.key}
        ),
        wire.CheckoutSession,
    )


async def look_up(calls: StripeCalls, reference: str) -> Outcome:
    """Return what a session brought, by its payment intent where there is one."""
    return await calls.outcome(
        lambda client: client.v1.checkout.sessions.retrieve_async(
            reference, {"expand": ["payment_intent"]}
        ),
        wire.CheckoutSession,
        outcome_of_session,
    )


async def end(calls: StripeCalls, reference: str, key: str) -> Outcome:
    """Expire a session; when that is refused, its own state says why."""
    outcome = await calls.outcome(
        lambda client: client.v1.checkout.sessions.expire_async(
            reference, None, {"idempotency_key": key}
        ),
        wire.CheckoutSession,
        outcome_of_session,
    )
    is_refused = getattr(outcome, "code", None) == "payment_request_invalid"
    if is_refused or isinstance(outcome, Unknown):
        return await look_up(calls, reference)
    return outcome


def _params(request: CheckoutRequest) -> "Params":
    ours = {
        "tallystick_account": str(request.account_id),
        "tallystick_checkout": str(request.checkout_id),
    }
    if request.payment_id is not None and request.attempt_id is not None:
        ours["tallystick_payment"] = str(request.payment_id)
        ours["tallystick_attempt"] = str(request.attempt_id)
    params: Params = {
        "mode": request.mode,
        "customer": request.customer_token,
        "allowed_payment_method_types": _types(request),
        "success_url": request.success_url,
        "cancel_url": request.cancel_url,
        "expires_at": int(request.expires_at.timestamp()),
        "metadata": ours,
    }
    if request.amount is None:
        params["setup_intent_data"] = {"metadata": ours}
        return params
    params["line_items"] = [
        {
            "quantity": 1,
            "price_data": {
                "currency": request.currency.lower(),
                "unit_amount": to_stripe(request.amount),
                "product_data": {"name": request.description},
            },
        }
    ]
    params["payment_intent_data"] = {"metadata": ours}
    if request.saves_method:
        params["payment_intent_data"]["setup_future_usage"] = "off_session"
    return params


def _types(request: CheckoutRequest) -> list[str]:
    """Return what the page takes: bank accounts in USD alone."""
    return [CARD, BANK] if request.currency == BANK_CURRENCY else [CARD]
