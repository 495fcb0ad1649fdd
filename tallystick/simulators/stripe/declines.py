"""How the refusal of a card or bank account looks: alone or inside an intent."""

from tallystick.simulators.stripe.cards import Decline
from tallystick.simulators.stripe.errors import DOCS, Json, StripeError


def refused(decline: Decline, *, stands: bool = False, **members: Json | str) -> StripeError:
    """Return the 402 answer, or 400 where no card is at fault.

    `members` are the intent, charge or method it is about.

    With `stands`, what the request wrote before is kept: a declined charge is on record.
    """
    shown = {name: value for name, value in _members(decline).items() if name != "type"}
    message = shown.pop("message")
    status = 402 if decline.kind == "card_error" else 400
    return StripeError(status, decline.kind, message, stands=stands, **shown, **members)


def recorded(decline: Decline, method: Json, **members: str) -> Json:
    """Return what an intent keeps as its `last_payment_error` or `last_setup_error`."""
    return {
        **_members(decline),
        "doc_url": DOCS + decline.code.replace("_", "-"),
        "payment_method": method,
        **members,
    }


def _members(decline: Decline) -> dict[str, str]:
    named = {
        "type": decline.kind,
        "code": decline.code,
        "message": decline.message,
        "decline_code": decline.decline_code,
        "advice_code": decline.advice_code,
        "network_decline_code": decline.network_decline_code,
        "param": decline.param,
    }
    return {name: value for name, value in named.items() if value is not None}
