"""Mandates: the payer's permission to debit a bank account."""

from tallystick.simulators.stripe import vault
from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.errors import Json, invalid
from tallystick.simulators.stripe.events import emit
from tallystick.simulators.stripe.params import Shape, boolean, integer, nest, one_of, text

ONLINE = nest({"infer_from_client": boolean, "ip_address": text, "user_agent": text})
ACCEPTANCE = nest(
    {
        "type": one_of("online", "offline"),
        "accepted_at": integer,
        "online": ONLINE,
        "offline": nest({}),
    },
    required=("type",),
)
MANDATE_DATA = nest({"customer_acceptance": ACCEPTANCE}, required=("customer_acceptance",))
MANDATE: Shape = {"mandate": text, "mandate_data": MANDATE_DATA}
NEEDED = (
    "A mandate is required to debit a bank account: send `mandate_data` with the customer's "
    "acceptance, or let Stripe.js confirm the intent, which collects it."
)


def agreed(call: Call, intent: Json, method: Json) -> str:
    """Return the id of the mandate to debit with: the account's own, or one that is given now.

    A page that confirms has shown the terms: its confirm is the acceptance. Raises StripeError
    when nobody has accepted anything.
    """
    data = call.params.get("mandate_data")
    if data is None and call.publishable:
        data = {"customer_acceptance": {"type": "online"}}
    if data is None:
        return _existing(call, intent, method)
    acceptance = data["customer_acceptance"]
    mandate = call.state.save(_new(call, intent, method, acceptance))
    vault.mark(call, method["id"], mandate=mandate["id"])
    return str(mandate["id"])


def revoke(call: Call, method_id: str) -> None:
    """End the account's mandate: the payer told the bank that it was never given."""
    key = vault.mandate_of(call, method_id)
    before = call.state.get("mandate", key) if key else None
    if before and before["status"] == "active":
        after = call.state.save({**before, "status": "inactive"})
        emit(call, "mandate.updated", after, before)


def _existing(call: Call, intent: Json, method: Json) -> str:
    key = call.params.get("mandate") or vault.mandate_of(call, method["id"])
    mandate = call.found("mandate", key, param="mandate") if key else None
    usable = mandate and mandate["payment_method"] == method["id"]
    if mandate is None or not usable or mandate["status"] != "active":
        raise invalid(NEEDED, code=f"{intent['object']}_mandate_invalid", param="mandate_data")
    return str(mandate["id"])


def _new(call: Call, intent: Json, method: Json, acceptance: Json) -> Json:
    kind: str = acceptance["type"]
    online = {"ip_address": "127.0.0.1", "user_agent": "Stripe simulator"}
    given = acceptance.get("online", {})
    details = {**online, **{name: given[name] for name in online if name in given}}
    once = intent["object"] == "payment_intent" and not intent["setup_future_usage"]
    single = {"amount": intent.get("amount"), "currency": intent.get("currency")}
    return {
        "id": call.state.ids.new("mandate"),
        "object": "mandate",
        "customer_acceptance": {
            "accepted_at": acceptance.get("accepted_at", call.state.now()),
            "type": kind,
            kind: details if kind == "online" else {},
        },
        "livemode": False,
        "payment_method": method["id"],
        "payment_method_details": {"type": "us_bank_account", "us_bank_account": {}},
        "status": "active",
        "type": "single_use" if once else "multi_use",
        ("single_use" if once else "multi_use"): single if once else {},
    }


def _retrieve(call: Call) -> Json:
    return call.found("mandate", call.path["id"])


ROUTES = (Route("GET", "/v1/mandates/{id}", _retrieve),)
