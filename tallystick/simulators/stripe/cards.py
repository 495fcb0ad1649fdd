"""Stripe's test cards (https://docs.stripe.com/testing) and how each one behaves.

A number that is not on this list is refused everywhere, so nobody's real card is ever taken.
"""

from typing import Literal

import msgspec


class Decline(msgspec.Struct, frozen=True):
    """What a refusal says: members of Stripe's `card_error`, or of another `kind` of error."""

    code: str
    message: str
    decline_code: str | None = None
    advice_code: str | None = None
    network_decline_code: str | None = None
    param: str | None = None
    kind: str = "card_error"


GENERIC = Decline(
    "card_declined",
    "Your card was declined.",
    decline_code="generic_decline",
    advice_code="try_again_later",
    network_decline_code="01",
)
INSUFFICIENT_FUNDS = Decline(
    "card_declined",
    "Your card has insufficient funds.",
    decline_code="insufficient_funds",
    advice_code="try_again_later",
    network_decline_code="51",
)
LOST = Decline(
    "card_declined",
    "Your card was declined.",
    decline_code="lost_card",
    advice_code="do_not_try_again",
    network_decline_code="41",
)
STOLEN = Decline(
    "card_declined",
    "Your card was declined.",
    decline_code="stolen_card",
    advice_code="do_not_try_again",
    network_decline_code="43",
)
# Stripe gives a decline_code with card_declined and authentication_required alone.
EXPIRED = Decline(
    "expired_card",
    "Your card has expired.",
    advice_code="do_not_try_again",
    network_decline_code="54",
    param="exp_month",
)
INCORRECT_CVC = Decline(
    "incorrect_cvc",
    "Your card's security code is incorrect.",
    advice_code="confirm_card_data",
    network_decline_code="82",
    param="cvc",
)
PROCESSING_ERROR = Decline(
    "processing_error",
    "An error occurred while processing your card. Try again in a little bit.",
    advice_code="try_again_later",
)
INCORRECT_NUMBER = Decline("incorrect_number", "Your card number is incorrect.", param="number")
NOT_A_TEST_CARD = Decline(
    "card_declined",
    "Your card was declined. Your request was in test mode, but used a non test card. For a list "
    "of valid test cards, visit: https://docs.stripe.com/testing.",
    decline_code="test_mode_live_card",
)
AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
    decline_code="authentication_required",
)


After = Literal["disputed", "refund_fails", "refund_waits"] | None


class Card(msgspec.Struct, frozen=True):
    """A test card.

    `decline` is what a charge meets; with `saves_fine` False, attaching the card or setting it
    up meets it too. `authentication` says when the bank asks the payer: a card `unless_set_up`
    is left alone off session once a SetupIntent has authenticated it. `after` is what follows a
    charge: a dispute, or refunds that fail later or stay pending for a while.
    """

    number: str
    brand: Literal["visa", "mastercard", "amex"] = "visa"
    decline: Decline | None = None
    saves_fine: bool = True
    authentication: Literal["never", "unless_set_up", "always"] = "never"
    tokens: tuple[str, ...] = ()
    after: After = None

    @property
    def last4(self) -> str:
        """The digits that people may see."""
        return self.number[-4:]


def _refused(number: str, decline: Decline, *tokens: str) -> Card:
    return Card(number, decline=decline, saves_fine=False, tokens=tokens)


CARDS = (
    Card("4242424242424242", tokens=("visa",)),
    Card("5555555555554444", brand="mastercard", tokens=("mastercard",)),
    Card("378282246310005", brand="amex", tokens=("amex",)),
    _refused("4000000000000002", GENERIC, "chargeDeclined", "visa_chargeDeclined"),
    _refused(
        "4000000000009995",
        INSUFFICIENT_FUNDS,
        "chargeDeclinedInsufficientFunds",
        "visa_chargeDeclinedInsufficientFunds",
    ),
    _refused("4000000000009987", LOST, "visa_chargeDeclinedLostCard"),
    _refused("4000000000009979", STOLEN, "visa_chargeDeclinedStolenCard"),
    _refused(
        "4000000000000069", EXPIRED, "chargeDeclinedExpiredCard", "visa_chargeDeclinedExpiredCard"
    ),
    _refused(
        "4000000000000127",
        INCORRECT_CVC,
        "chargeDeclinedIncorrectCvc",
        "visa_chargeDeclinedIncorrectCvc",
    ),
    _refused(
        "4000000000000119",
        PROCESSING_ERROR,
        "chargeDeclinedProcessingError",
        "visa_chargeDeclinedProcessingError",
    ),
    Card("4000000000000341", decline=GENERIC, tokens=("chargeCustomerFail",)),
    Card(
        "4000002500003155",
        authentication="unless_set_up",
        tokens=("authenticationRequiredOnSetup",),
    ),
    Card("4000002760003184", authentication="always", tokens=("authenticationRequired",)),
    Card(
        "4000008260003178",
        decline=INSUFFICIENT_FUNDS,
        authentication="always",
        tokens=("authenticationRequiredChargeDeclinedInsufficientFunds",),
    ),
    Card("4000000000000259", tokens=("createDispute",), after="disputed"),
    Card("4000000000005126", tokens=("refundFail",), after="refund_fails"),
    Card("4000000000007726", tokens=("pendingRefund",), after="refund_waits"),
)
# Fails its own check digit: refused when it is typed in, and never becomes a payment method.
MISTYPED_NUMBER = "4242424242424241"


def by_number(number: str) -> Card | None:
    """Return the test card with this number (digits alone), or None."""
    return next((card for card in CARDS if card.number == number), None)


def by_token(token: str) -> Card | None:
    """Return the card that `pm_card_visa`, `tok_visa` or the like stands for, or None."""
    for prefix in ("pm_card_", "tok_"):
        if token.startswith(prefix):
            name = token.removeprefix(prefix)
            return next((card for card in CARDS if name in card.tokens), None)
    return None


def listed_numbers() -> list[str]:
    """Return every number that the page script lets a person type in."""
    return [*(card.number for card in CARDS), MISTYPED_NUMBER]
