"""What payment methods of every type have: billing details, metadata, an owner."""

from typing import Any

from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.errors import Json
from tallystick.simulators.stripe.params import ADDRESS, clearable, merged, nest, one_of, text

BILLING = nest(
    {
        "address": clearable(ADDRESS),
        "email": clearable(text),
        "name": clearable(text),
        "phone": clearable(text),
        "tax_id": clearable(text),
    }
)
REDISPLAY = one_of("always", "limited", "unspecified")
NO_BILLING = dict.fromkeys(("address", "email", "name", "phone", "tax_id"))
NO_ADDRESS = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))


def new_method(call: Call, kind: str, details: Json, data: dict[str, Any]) -> Json:
    """Return a payment method of a type that nobody owns yet; `data` is what was sent for it."""
    return {
        "id": call.state.ids.new("pm"),
        "object": "payment_method",
        "allow_redisplay": data.get("allow_redisplay", "unspecified"),
        "billing_details": filled_billing(NO_BILLING, data.get("billing_details", {})),
        kind: details,
        "created": call.state.now(),
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": merged({}, data.get("metadata") or {}),
        "type": kind,
    }


def filled_billing(old: Json, new: Json) -> Json:
    """Return the billing details after an update, with every member of the address."""
    details = {**old, **new}
    details["address"] = {**NO_ADDRESS, **(details["address"] or {})}
    return details
