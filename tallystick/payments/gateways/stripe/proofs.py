"""Why Stripe did not take the proof of a bank account, in words for the one who typed it."""

from collections.abc import Callable, Mapping
from typing import Final

from tallystick.kernel.errors import BadInput, Conflict, TallystickError


def refused(code: str | None) -> TallystickError | None:
    """Return the error for a proof that Stripe did not take; None for any other code."""
    make = _REFUSED.get(code or "")
    return None if make is None else make()


_PREFIX: Final = "payment_method_microdeposit_"
# https://docs.stripe.com/error-codes, those that begin with `payment_method_microdeposit`.
_REFUSED: Final[Mapping[str, Callable[[], TallystickError]]] = {
    f"{_PREFIX}verification_amounts_mismatch": lambda: BadInput.field(
        "amounts",
        "amounts_differ",
        "are not what was sent to your bank account; look at the statement and try again",
    ),
    f"{_PREFIX}verification_amounts_invalid": lambda: BadInput.field(
        "amounts", "amounts_invalid", "must be two whole numbers of cents, from 1 to 99"
    ),
    f"{_PREFIX}verification_descriptor_code_mismatch": lambda: BadInput.field(
        "descriptor_code",
        "descriptor_code_differs",
        "is not the code on your statement; it begins with SM and has six characters",
    ),
    f"{_PREFIX}verification_attempts_exceeded": lambda: Conflict(
        "microdeposit_tries_used_up",
        "There were too many wrong tries for this bank account. Save it again.",
    ),
    f"{_PREFIX}verification_timeout": lambda: Conflict(
        "microdeposit_time_over",
        "The time to confirm the deposits is over. Save the bank account again.",
    ),
    f"{_PREFIX}failed": lambda: Conflict(
        "microdeposits_not_accepted",
        "The deposits did not arrive: the numbers may be wrong. Save the bank account again.",
    ),
    "setup_intent_unexpected_state": lambda: Conflict(
        "setup_needs_no_proof", "This bank account does not wait for deposits to be confirmed."
    ),
}
