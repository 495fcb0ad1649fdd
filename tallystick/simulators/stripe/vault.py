"""What the simulator knows of a payment method and never shows: which test card it is."""

from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.cards import Card, by_number
from tallystick.simulators.stripe.errors import Json

FAMILY = "_vault"


def store(call: Call, method_id: str, card: Card) -> None:
    """Remember which test card a new payment method is."""
    entry = {"card": card.number, "set_up": False, "spent": False}
    call.state.put(FAMILY, method_id, entry)


def card_of(call: Call, method_id: str) -> Card:
    """Return the test card behind a payment method."""
    card = by_number(_entry(call, method_id)["card"])
    if card is None:
        msg = f"{method_id} stands for no test card"
        raise LookupError(msg)
    return card


def is_set_up(call: Call, method_id: str) -> bool:
    """Tell whether a SetupIntent has made it ready for charges off session."""
    return bool(_entry(call, method_id)["set_up"])


def is_spent(call: Call, method_id: str) -> bool:
    """Tell whether it was detached, or used without a customer: it may not be used again."""
    return bool(_entry(call, method_id)["spent"])


def mark(call: Call, method_id: str, **facts: bool) -> None:
    """Remember that the method is `set_up` or `spent`."""
    call.state.put(FAMILY, method_id, {**_entry(call, method_id), **facts})


def _entry(call: Call, method_id: str) -> Json:
    return call.state.get(FAMILY, method_id) or {}
