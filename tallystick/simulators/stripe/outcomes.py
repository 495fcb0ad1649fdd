"""What comes of using a test card: pure rules, no state."""

import msgspec

from tallystick.simulators.stripe.cards import AUTHENTICATION_REQUIRED, Card, Decline


class Approved(msgspec.Struct, frozen=True):
    """The card's bank agrees."""


class NeedsAuthentication(msgspec.Struct, frozen=True):
    """The bank wants the payer to prove who they are (3D Secure)."""


class Declined(msgspec.Struct, frozen=True):
    """The card's bank refuses."""

    decline: Decline


Outcome = Approved | NeedsAuthentication | Declined


def of_setup(card: Card, *, authenticated: bool) -> Outcome:
    """Decide on saving the card with the payer present."""
    if card.authentication != "never" and not authenticated:
        return NeedsAuthentication()
    if card.decline and not card.saves_fine:
        return Declined(card.decline)
    return Approved()


def of_charge(card: Card, *, off_session: bool, set_up: bool, authenticated: bool) -> Outcome:
    """Decide on a charge.

    Off session nobody can authenticate: where the bank asks for it, that is a decline. A card
    that asks `unless_set_up` is spared off session once it was authenticated at set-up.
    """
    spared = card.authentication == "unless_set_up" and set_up and off_session
    if card.authentication != "never" and not authenticated and not spared:
        return Declined(AUTHENTICATION_REQUIRED) if off_session else NeedsAuthentication()
    return Declined(card.decline) if card.decline else Approved()
