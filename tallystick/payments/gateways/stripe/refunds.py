"""Refunds at Stripe: made once per key, and found again by our id when the answer is lost."""

from typing import Final

from tallystick.kernel.errors import NotFound, Unavailable
from tallystick.payments.gateways.stripe import wire
from tallystick.payments.gateways.stripe.amounts import to_stripe
from tallystick.payments.gateways.stripe.client import StripeCalls
from tallystick.payments.gateways.stripe.outcomes import outcome_of_refund
from tallystick.payments.gateways.stripe.readers import our_refund
from tallystick.payments.outcomes import Declined, Outcome, Unknown
from tallystick.payments.requests import Refund

LIST_ROWS: Final = 100
"""A charge with more refunds than that is a person's to look at."""


async def refund(calls: StripeCalls, asked: Refund) -> Outcome:
    """Refund a PaymentIntent, in part or whole, with our id in its metadata."""
    return await calls.outcome(
        lambda client: client.v1.refunds.create_async(
            {
                "payment_intent": asked.reference,
                "amount": to_stripe(asked.amount),
                "metadata": {
                    "tallystick_account": str(asked.account_id),
                    "tallystick_refund": str(asked.refund_id),
                },
            },
            {"idempotency_key": asked.key},
        ),
        wire.Refund,
        outcome_of_refund,
    )


async def look_up(
    calls: StripeCalls, asked: Refund, reference: str | None, *, key_is_kept: bool
) -> Outcome:
    """Read it by its id; else repeat its key while Stripe knows it; else find it by our id.

    What Stripe kept for a key may be a 500 of its own, given behind a refund that was made: so an
    unclear repeat is searched for too. Once the key is forgotten, what is not in the list was
    never made.
    """
    if reference is not None:
        return await calls.outcome(
            lambda client: client.v1.refunds.retrieve_async(reference),
            wire.Refund,
            outcome_of_refund,
        )
    repeated = await refund(calls, asked) if key_is_kept else Declined("never_charged")
    if key_is_kept and not isinstance(repeated, Unknown):
        return repeated
    try:
        return await _find(calls, asked) or repeated
    except (Unavailable, NotFound):
        return Unknown("no_answer")


async def _find(calls: StripeCalls, asked: Refund) -> Outcome | None:
    page = await calls.fetch(
        lambda client: client.v1.refunds.list_async(
            {"payment_intent": asked.reference, "limit": LIST_ROWS}
        ),
        wire.Page[wire.Refund],
    )
    for made in page.data:
        if our_refund(made.metadata) == asked.refund_id:
            return outcome_of_refund(made)
    return Unknown("not_found") if page.has_more else None
