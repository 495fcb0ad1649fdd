"""The test cards (invented for the simulator) and how each one behaves.

A number that is not on this list is refused everywhere, so nobody's real card is ever taken.
"""

import hashlib
from base64 import b64encode

import msgspec

from tallystick.simulators.ccbill.declines import (
    DO_NOT_HONOR,
    EXPIRED_CARD,
    INSUFFICIENT_FUNDS,
    PICK_UP,
    SYSTEM_ERROR,
    Decline,
)
from tallystick.simulators.ccbill.model import StoredCard


class Card(msgspec.Struct, frozen=True):
    """A card: what a charge meets, what rebills meet, and whether the bank wants to be asked."""

    number: str
    name: str
    brand: str = "VISA"
    decline: Decline | None = None
    rebills_decline: Decline | None = None
    chargeback_days: int | None = None
    sca_required: bool = False
    cvv2_response: str = "M"


CARDS = (
    Card("4111111111111111", "visa"),
    Card("5555555555554444", "mastercard", "MASTERCARD"),
    Card("378282246310005", "amex", "AMEX"),
    Card("6011111111111117", "discover", "DISCOVER"),
    Card("3530111333300000", "jcb", "JCB"),
    Card("4000000000000002", "do_not_honor", decline=DO_NOT_HONOR),
    Card("4000000000009995", "insufficient_funds", decline=INSUFFICIENT_FUNDS),
    Card("4000000000000069", "expired_card", decline=EXPIRED_CARD),
    Card("4000000000009987", "pick_up", decline=PICK_UP),
    Card("4000000000000119", "system_error", decline=SYSTEM_ERROR),
    Card("4000000000000341", "rebills_fail", rebills_decline=DO_NOT_HONOR),
    Card("4000000000000259", "chargeback", chargeback_days=2),
    Card("4000002500003155", "sca", sca_required=True),
    Card("4000000000000127", "wrong_cvv2", cvv2_response="N"),
)
# Fails its own check digit: refused by the API, after it was typed in.
MISTYPED_NUMBER = "4242424242424241"
BY_NUMBER = {card.number: card for card in CARDS}
BY_NAME = {card.name: card for card in CARDS}


def stored(card: Card, exp_month: int, exp_year: int) -> StoredCard:
    """Return what CCBill keeps of a card: never its number."""
    digest = hashlib.sha256(card.number.encode()).digest()
    return StoredCard(
        name=card.name,
        bin=card.number[:6],
        last4=card.number[-4:],
        brand=card.brand,
        exp_month=exp_month,
        exp_year=exp_year,
        account=digest.hex()[:32],
        unique_id=b64encode(digest[16:32]).decode().rstrip("="),
    )


def behaviour(card: StoredCard) -> Card:
    """Return how a stored card behaves."""
    return BY_NAME[card.name]


def seen(first6: str, last4: str) -> Card | None:
    """Return the test card with these digits, or None."""
    return next((c for c in CARDS if c.number[:6] == first6 and c.number[-4:] == last4), None)


def listed_numbers() -> list[str]:
    """Return every number that the widget lets a person type in."""
    return [*BY_NUMBER, MISTYPED_NUMBER]
