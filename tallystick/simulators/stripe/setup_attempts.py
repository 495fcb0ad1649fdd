"""Setup attempts: one try at a setup intent with one method."""

from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.errors import Json


def new_attempt(call: Call, intent: Json, method: Json) -> Json:
    """Return the record of a try that has begun."""
    return {
        "id": call.state.ids.new("setatt"),
        "object": "setup_attempt",
        "application": None,
        "created": call.state.now(),
        "customer": intent["customer"],
        "customer_account": None,
        "flow_directions": None,
        "livemode": False,
        "on_behalf_of": None,
        "payment_method": method["id"],
        "payment_method_details": _details(method),
        "setup_error": None,
        "setup_intent": intent["id"],
        "status": "processing",
        "usage": intent["usage"],
    }


def _details(method: Json) -> Json:
    if method["type"] == "us_bank_account":
        return {"type": "us_bank_account", "us_bank_account": {}}
    card = method["card"]
    shown = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding")
    details = {
        **{name: card[name] for name in shown},
        "last4": card["last4"],
        "network": card["brand"],
        "three_d_secure": None,
        "wallet": None,
    }
    return {"type": "card", "card": details}


def settled(call: Call, attempt_id: str, status: str, error: Json | None = None) -> None:
    """Record how the try ended: `succeeded` or `failed`, with its error."""
    attempt = call.found("setup_attempt", attempt_id)
    call.state.save({**attempt, "status": status, "setup_error": error})
