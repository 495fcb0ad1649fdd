"""Charges at Stripe: payment intents that are made and confirmed off session in one call."""

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tallystick.kernel.errors import NotFound, Unavailable
from tallystick.payments.gateways.stripe import readers, wire
from tallystick.payments.gateways.stripe.amounts import refusal, to_stripe
from tallystick.payments.gateways.stripe.client import StripeCalls
from tallystick.payments.gateways.stripe.outcomes import outcome_of_intent
from tallystick.payments.outcomes import Declined, Outcome, Unknown
from tallystick.payments.requests import Charge

if TYPE_CHECKING:
    import stripe

BANK: Final = "us_bank_account"
BANK_CURRENCY: Final = "USD"
CLOCKS_DIFFER: Final = timedelta(hours=1)
LIST_LIMIT: Final = 100
LIST_PAGES_MAX: Final = 10


async def charge(calls: StripeCalls, charge: Charge) -> Outcome:
    """Make and confirm a payment intent; what Stripe would refuse is refused before the call."""
    refused = refusal(charge.amount) or _not_for_banks(charge)
    if refused is not None:
        return Declined(refused)
    return await calls.outcome(
        lambda client: client.v1.payment_intents.create_async(
            {
                "amount": to_stripe(charge.amount),
                "currency": charge.amount.currency.lower(),
                "customer": charge.customer_token,
                "payment_method": charge.method_token,
                "allowed_payment_method_types": [charge.method_type],
                "confirm": True,
                "off_session": True,
                "metadata": {
                    "tallystick_account": str(charge.account_id),
                    "tallystick_payment": str(charge.payment_id),
                    "tallystick_attempt": str(charge.attempt_id),
                },
            },
            {"idempotency_key": charge.key},
        ),
        wire.PaymentIntent,
        outcome_of_intent,
    )


def _not_for_banks(charge: Charge) -> str | None:
    """Return why a US bank account can not be debited; None: it can, or it is a card."""
    is_bank = charge.method_type == BANK
    return "currency_not_supported" if is_bank and charge.amount.currency != BANK_CURRENCY else None


async def read(calls: StripeCalls, reference: str) -> Outcome:
    """Return how a payment intent stands."""
    return await calls.outcome(
        lambda client: client.v1.payment_intents.retrieve_async(reference),
        wire.PaymentIntent,
        outcome_of_intent,
    )


async def cancel(calls: StripeCalls, reference: str, key: str) -> Outcome:
    """Cancel a payment intent; when that is refused, its own state says why."""
    outcome = await calls.outcome(
        lambda client: client.v1.payment_intents.cancel_async(
            reference, None, {"idempotency_key": key}
        ),
        wire.PaymentIntent,
        outcome_of_intent,
    )
    cancelled = isinstance(outcome, Declined) and outcome.code == "cancelled"
    return outcome if cancelled else await read(calls, reference)


async def repeat_or_search(calls: StripeCalls, wanted: Charge, *, key_is_kept: bool) -> Outcome:
    """Repeat the call; what Stripe kept may be a 500 of its own, so then search too."""
    repeated = await charge(calls, wanted) if key_is_kept else Declined("never_charged")
    if key_is_kept and not isinstance(repeated, Unknown):
        return repeated
    try:
        return await _search(calls, wanted) or repeated
    except (Unavailable, NotFound):
        return Unknown("no_answer")


async def _search(calls: StripeCalls, charge: Charge) -> Outcome | None:
    """Find a charge among its customer's by our id.

    In the list, not by Stripe's search: that one knows a new object only after a while.
    """
    last: str | None = None
    for _ in range(LIST_PAGES_MAX):
        page = await _list(calls, charge, last)
        for intent in page.data:
            ids = readers.our_ids(intent.metadata)
            if ids is not None and ids.tallystick_attempt == charge.attempt_id:
                return outcome_of_intent(intent)
        if not page.has_more:
            return None
        last = page.data[-1].id
    return Unknown("not_found")


async def _list(
    calls: StripeCalls, charge: Charge, last: str | None
) -> wire.Page[wire.PaymentIntent]:
    params: stripe.params.PaymentIntentListParams = {
        "customer": charge.customer_token,
        "created": {"gte": int((charge.started_at - CLOCKS_DIFFER).timestamp())},
        "limit": LIST_LIMIT,
    }
    if last is not None:
        params["starting_after"] = last
    return await calls.fetch(
        lambda client: client.v1.payment_intents.list_async(params),
        wire.Page[wire.PaymentIntent],
    )
