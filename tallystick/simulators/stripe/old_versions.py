"""What webhooks carried in older API versions: an endpoint is told in the version it was made for.

Only what changed for payments, invoices and subscriptions is turned back
(https://docs.stripe.com/changelog): enough to try a receiver that meets an old endpoint.
"""

import re

from tallystick.simulators.stripe.call import API_VERSION
from tallystick.simulators.stripe.errors import Json, invalid
from tallystick.simulators.stripe.form import Raw
from tallystick.simulators.stripe.params import text
from tallystick.simulators.stripe.state import State

# From this version on invoices and subscriptions look as they do now.
BASIL = "2025-03-31"
# Until this version a payment intent carried its charges.
CHARGES_LEFT = "2022-11-15"
_VERSION = re.compile(r"20\d\d-\d\d-\d\d(\.[a-z]+)?\Z")


def api_version(raw: Raw, name: str) -> str:
    """Read a version such as `2024-06-20` or `2026-10-28.endive`, no later than ours."""
    value = text(raw, name)
    if not _VERSION.match(value) or value[:10] > API_VERSION[:10]:
        raise invalid(f"Invalid API version: {value}", param=name)
    return value


def as_of(state: State, event: Json, version: str) -> Json:
    """Return the event in the shape of a version."""
    if version == API_VERSION:
        return event
    thing = event["data"]["object"]
    turn = {
        "invoice": _invoice,
        "payment_intent": _payment_intent,
        "subscription": _subscription,
    }.get(thing.get("object"), _unchanged)
    turned = turn(state, thing, version[:10])
    return {**event, "api_version": version, "data": {**event["data"], "object": turned}}


def _unchanged(_state: State, thing: Json, _day: str) -> Json:
    return thing


def _invoice(state: State, invoice: Json, day: str) -> Json:
    """Turn back to `paid`, `payment_intent`, `charge` and `subscription` of the invoice itself."""
    if day >= BASIL:
        return invoice
    details = (invoice.get("parent") or {}).get("subscription_details") or {}
    intent: Json | None = None
    for payment in state.newest_first("invoice_payment"):
        if payment["invoice"] == invoice["id"]:
            intent = state.get("payment_intent", payment["payment"]["payment_intent"])
            break
    gone = ("parent", "amount_overpaid", "total_taxes", "automatically_finalizes_at")
    return {
        **{name: value for name, value in invoice.items() if name not in gone},
        "charge": intent["latest_charge"] if intent else None,
        "paid": invoice["status"] == "paid",
        "payment_intent": intent["id"] if intent else None,
        "quote": None,
        "subscription": details.get("subscription"),
        "subscription_details": {"metadata": details.get("metadata")},
        "tax": None,
        "total_tax_amounts": [],
    }


def _subscription(_state: State, subscription: Json, day: str) -> Json:
    """Turn back to one period for the whole subscription."""
    if day >= BASIL:
        return subscription
    names = ("current_period_start", "current_period_end")
    items = subscription["items"]["data"]
    told = [{name: value for name, value in item.items() if name not in names} for item in items]
    return {
        **subscription,
        **{name: items[0][name] for name in names},
        "items": {**subscription["items"], "data": told},
    }


def _payment_intent(state: State, intent: Json, day: str) -> Json:
    """Turn back to the list of charges, where the version had it."""
    if day >= CHARGES_LEFT:
        return intent
    charge = state.get("charge", intent["latest_charge"] or "")
    url = f"/v1/charges?payment_intent={intent['id']}"
    listed = {"object": "list", "data": [charge] if charge else [], "has_more": False, "url": url}
    rest = {name: value for name, value in intent.items() if name != "latest_charge"}
    return {**rest, "charges": listed}
