"""What the simulator knows of a payment method and never shows: which test card or account."""

from tallystick.simulators.stripe.bank import accounts
from tallystick.simulators.stripe.bank.accounts import BankAccount
from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.cards import Card, by_number
from tallystick.simulators.stripe.errors import Json

FAMILY = "_vault"


def store(call: Call, method_id: str, card: Card) -> None:
    """Remember which test card a new payment method is."""
    entry = {"card": card.number, "set_up": False, "spent": False}
    call.state.put(FAMILY, method_id, entry)


def store_bank(call: Call, method_id: str, account: BankAccount, *, verified: bool) -> None:
    """Remember which test account a new payment method is, and whether its owner is known."""
    entry = {"bank": account.number, "set_up": False, "spent": False, "verified": verified}
    call.state.put(FAMILY, method_id, {**entry, "mandate": None})


def bank_of(call: Call, method_id: str) -> BankAccount:
    """Return the test account behind a payment method."""
    account = accounts.by_number(_entry(call, method_id)["bank"])
    if account is None:
        msg = f"{method_id} stands for no test account"
        raise LookupError(msg)
    return account


def is_verified(call: Call, method_id: str) -> bool:
    """Tell whether the bank account is known to be the payer's."""
    return bool(_entry(call, method_id).get("verified"))


def mandate_of(call: Call, method_id: str) -> str | None:
    """Return the id of the mandate that allows debits of the bank account, or None."""
    found: str | None = _entry(call, method_id).get("mandate")
    return found


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


def mark(call: Call, method_id: str, **facts: bool | str | None) -> None:
    """Remember that the method is `set_up`, `verified` or `spent`, or has a `mandate`."""
    call.state.put(FAMILY, method_id, {**_entry(call, method_id), **facts})


def _entry(call: Call, method_id: str) -> Json:
    return call.state.get(FAMILY, method_id) or {}
