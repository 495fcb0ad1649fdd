"""What Stripe's answers and errors mean for a charge (https://docs.stripe.com/api/errors).

An answer that is missing, broken or a failure of the server says nothing about the money: Unknown.
"""

from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from tallystick.kernel.errors import NotFound, TallystickError, Unavailable
from tallystick.payments.declines import GENERIC
from tallystick.payments.gateway import no_answer
from tallystick.payments.gateways.stripe import proofs
from tallystick.payments.gateways.stripe.amounts import from_stripe
from tallystick.payments.gateways.stripe.codes import (
    AUTHENTICATION_REQUIRED,
    CODES,
    HARD,
    HARD_ADVICE,
)
from tallystick.payments.gateways.stripe.wire import (
    CheckoutSession,
    LastError,
    PaymentIntent,
    Refund,
    id_of,
)
from tallystick.payments.outcomes import Declined, NeedsAction, Outcome, Pending, Succeeded, Unknown

if TYPE_CHECKING:
    import stripe

log = structlog.get_logger()

_BAD_REQUEST: Final = 400
_CONFLICT: Final = 409
_NOT_FOUND: Final = 404


def outcome_of_intent(intent: PaymentIntent) -> Outcome:
    """Return how a charge stands."""
    error = intent.last_payment_error
    outcome: Outcome
    match intent.status:
        case "succeeded":
            outcome = _received(intent.id, intent.amount_received, intent.currency)
        case "processing":
            outcome = Pending(intent.id)
        case "requires_action":
            outcome = NeedsAction(intent.id)
        case "requires_payment_method" if error is not None:
            outcome = declined(error, intent.id)
        case "canceled":
            outcome = Declined("cancelled", reference=intent.id)
        case _:  # made but not confirmed, or a status that Stripe added since
            outcome = Unknown("unexpected_status", intent.id)
    return outcome


def _received(reference: str, units: int, currency: str) -> Outcome:
    try:
        return Succeeded(reference, from_stripe(units, currency))
    except ValueError:
        log.exception("stripe_amount_unreadable", reference=reference)
        return Unknown("unreadable_answer", reference)


def declined(error: LastError, reference: str | None) -> Outcome:
    """Return what a card error means; off session a bank's wish to authenticate is one too."""
    codes = {code for code in (error.code, error.decline_code) if code}
    if AUTHENTICATION_REQUIRED in codes and reference is not None:
        return NeedsAction(reference)
    hard = bool(codes & HARD) or error.advice_code == HARD_ADVICE
    ours = CODES.get(error.decline_code or "") or code_of(error.code)
    return Declined(ours, hard=hard, reference=reference)


def code_of(code: str | None) -> str:
    """Return our code for one of Stripe's; an unknown one is a plain decline."""
    return CODES.get(code or "", GENERIC)


def outcome_of_session(session: CheckoutSession) -> Outcome:
    """Return how the money of a Checkout page stands; the page itself proves nothing.

    https://docs.stripe.com/checkout/fulfillment: only `payment_status` says that it was paid.
    """
    charge = id_of(session.payment_intent)
    if session.status == "expired":
        return Declined("cancelled", reference=charge)
    if session.status == "open":
        return NeedsAction(charge or session.id)
    if isinstance(session.payment_intent, dict):
        # Asked for with it: only the intent knows of a bank debit that was refused days later.
        return outcome_of_intent(msgspec.convert(session.payment_intent, PaymentIntent))
    if session.payment_status != "paid" or charge is None:
        # Nothing to pay, or a bank debit that takes days.
        return Pending(charge)
    return _received(charge, session.amount_total or 0, session.currency or "")


def outcome_of_refund(refund: Refund) -> Outcome:
    """Return how a refund stands; it may still fail days later."""
    if refund.status == "succeeded":
        return _received(refund.id, refund.amount, refund.currency)
    if refund.status in {"failed", "canceled"}:
        return Declined("processing_error", reference=refund.id)
    return Pending(refund.id)


def outcome_of_error(error: "stripe.StripeError") -> Outcome:
    """Return what a failed call of a charge means."""
    import stripe  # noqa: PLC0415 - loaded already, by whoever raised the error

    said = members(error)
    if isinstance(error, stripe.CardError):
        return declined(said, (said.payment_intent or {}).get("id"))
    if isinstance(error, stripe.IdempotencyError):
        log.error("stripe_idempotency_conflict", request_id=error.request_id)
        return Unknown("idempotency_conflict")
    if isinstance(error, stripe.InvalidRequestError):
        return _refused(said, error)
    if isinstance(error, stripe.RateLimitError) or error.http_status == _CONFLICT:
        return Unknown("gateway_busy")
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        log.error("stripe_key_refused", request_id=error.request_id)
        return Unknown("gateway_unconfigured")
    answered = error.http_status is not None
    return Unknown("gateway_failed" if answered else "no_answer")


def _refused(said: LastError, error: "stripe.StripeError") -> Outcome:
    """Return what a request means that Stripe did not take: nothing was charged."""
    if said.code in {"amount_too_small", "amount_too_large", "resource_missing"}:
        return Declined(CODES[said.code], hard=said.code == "resource_missing")
    log.error("stripe_request_invalid", code=said.code, request_id=error.request_id)
    return Declined("payment_request_invalid", hard=True)


def ours(error: "stripe.StripeError") -> TallystickError:
    """Return what a failed call means where no money is asked for; Stripe's text stays here."""
    said = members(error)
    log.warning(
        "stripe_call_failed",
        status=error.http_status,
        type=said.type,
        code=said.code,
        request_id=error.request_id,
    )
    refused = proofs.refused(said.code)
    if refused is not None:
        return refused
    if error.http_status == _NOT_FOUND or said.code == "resource_missing":
        return NotFound("gateway_object_missing", "Stripe does not have this object.")
    # 401 has that type too, yet it means our key, not our request.
    if error.http_status == _BAD_REQUEST and said.type == "invalid_request_error":
        return Unavailable(
            "gateway_request_invalid", "Stripe did not take the request; we have been told."
        )
    return no_answer("stripe")


def members(error: "stripe.StripeError") -> LastError:
    """Return the members of the `error` object; all None when there is none to read."""
    body = error.json_body if isinstance(error.json_body, dict) else {}
    try:
        return msgspec.convert(body.get("error") or {}, LastError)
    except msgspec.ValidationError:
        return LastError()
