"""What Stripe's answers and errors mean for a charge (https://docs.stripe.com/api/errors).

An answer that is missing, broken or a failure of the server says nothing about the money: Unknown.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from tallystick.kernel.errors import NotFound, TallystickError, Unavailable
from tallystick.payments.declines import GENERIC
from tallystick.payments.gateway import no_answer
from tallystick.payments.gateways.stripe.amounts import from_stripe
from tallystick.payments.gateways.stripe.wire import LastError, PaymentIntent, Refund
from tallystick.payments.outcomes import Declined, NeedsAction, Outcome, Pending, Succeeded, Unknown

if TYPE_CHECKING:
    import stripe

log = structlog.get_logger()

_BAD_REQUEST: Final = 400
_CONFLICT: Final = 409
_NOT_FOUND: Final = 404

_AUTHENTICATION_REQUIRED: Final = "authentication_required"
# Stripe's code -> ours (https://docs.stripe.com/declines/codes). What is missing is a plain
# decline; so are lost_card, stolen_card, fraudulent and the like, on purpose.
_CODES: Final[Mapping[str, str]] = {
    "insufficient_funds": "insufficient_funds",
    "card_velocity_exceeded": "limit_exceeded",
    "withdrawal_count_limit_exceeded": "limit_exceeded",
    "expired_card": "expired_card",
    "invalid_expiry_month": "expired_card",
    "invalid_expiry_year": "expired_card",
    "incorrect_number": "incorrect_number",
    "invalid_number": "incorrect_number",
    "incorrect_cvc": "incorrect_cvc",
    "invalid_cvc": "incorrect_cvc",
    "incorrect_zip": "incorrect_address",
    "incorrect_address": "incorrect_address",
    "card_not_supported": "card_not_supported",
    "currency_not_supported": "card_not_supported",
    "transaction_not_allowed": "card_not_supported",
    "processing_error": "processing_error",
    "issuer_not_available": "processing_error",
    "reenter_transaction": "processing_error",
    "try_again_later": "processing_error",
    _AUTHENTICATION_REQUIRED: _AUTHENTICATION_REQUIRED,
    "payment_intent_authentication_failure": "authentication_failed",
    "amount_too_small": "amount_too_small",
    "amount_too_large": "amount_too_large",
    "resource_missing": "payment_method_missing",
}
_HARD: Final = frozenset({
    "lost_card", "stolen_card", "pickup_card", "restricted_card", "fraudulent",
    "merchant_blacklist", "expired_card", "invalid_expiry_month", "invalid_expiry_year",
    "incorrect_number", "invalid_number", "invalid_account", "card_not_supported",
    "currency_not_supported", "transaction_not_allowed", "revocation_of_all_authorizations",
    "revocation_of_authorization", "stop_payment_order", "do_not_try_again", "resource_missing",
    "no_action_taken", "not_permitted", "service_not_allowed", "security_violation",
})  # fmt: skip


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
    if _AUTHENTICATION_REQUIRED in codes and reference is not None:
        return NeedsAction(reference)
    hard = bool(codes & _HARD) or error.advice_code == "do_not_try_again"
    ours = _CODES.get(error.decline_code or "") or _CODES.get(error.code or "", GENERIC)
    return Declined(ours, hard=hard, reference=reference)


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
        return Declined(_CODES[said.code], hard=said.code == "resource_missing")
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
