"""`expand[]`: ids in an answer replaced by the objects they name."""

from collections.abc import Mapping, Sequence

from tallystick.simulators.stripe.computed import COMPUTED
from tallystick.simulators.stripe.errors import Json, StripeError, invalid
from tallystick.simulators.stripe.state import State

DEPTH_MAX = 4

# Which members of which object can be expanded, and into what.
RELATIONS: Mapping[str, Mapping[str, str]] = {
    "customer": {"default_payment_method": "payment_method"},
    "payment_method": {"customer": "customer"},
    "setup_intent": {
        "customer": "customer",
        "payment_method": "payment_method",
        "latest_attempt": "setup_attempt",
        "mandate": "mandate",
    },
    "setup_attempt": {
        "customer": "customer",
        "payment_method": "payment_method",
        "setup_intent": "setup_intent",
    },
    "payment_intent": {
        "customer": "customer",
        "payment_method": "payment_method",
        "latest_charge": "charge",
    },
    "charge": {
        "balance_transaction": "balance_transaction",
        "customer": "customer",
        "failure_balance_transaction": "balance_transaction",
        "payment_intent": "payment_intent",
    },
    "refund": {
        "balance_transaction": "balance_transaction",
        "failure_balance_transaction": "balance_transaction",
        "payment_method": "payment_method",
        "charge": "charge",
        "payment_intent": "payment_intent",
    },
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
    "balance_transaction": {"source": "*"},
    "mandate": {"payment_method": "payment_method"},
    "product": {"default_price": "price"},
    "price": {"product": "product"},
    "checkout.session": {
        "customer": "customer",
        "invoice": "invoice",
        "payment_intent": "payment_intent",
        "setup_intent": "setup_intent",
        "subscription": "subscription",
    },
    "subscription": {
        "customer": "customer",
        "default_payment_method": "payment_method",
        "latest_invoice": "invoice",
        "pending_setup_intent": "setup_intent",
    },
    "invoice": {
        "customer": "customer",
        "default_payment_method": "payment_method",
        "subscription": "subscription",
    },
    "invoice_payment": {
        "charge": "charge",
        "invoice": "invoice",
        "payment_intent": "payment_intent",
    },
    "invoiceitem": {"customer": "customer", "invoice": "invoice"},
}
# Where an id may name objects of several kinds, its prefix says which.
PREFIXES = {"ch": "charge", "py": "charge", "re": "refund", "du": "dispute"}


def expanded(state: State, answer: Json, paths: Sequence[str]) -> Json:
    """Return the answer with every asked path (`data.latest_charge.customer`) expanded."""
    for path in paths:
        steps = path.split(".")
        if len(steps) > DEPTH_MAX + (steps[0] == "data"):
            raise invalid(f"You cannot expand more than {DEPTH_MAX} levels.", param="expand")
        answer = _along(state, answer, steps, path)
    return answer


def _along(state: State, thing: Json, steps: Sequence[str], path: str) -> Json:
    step, *rest = steps
    if thing.get("object") == "list" and step == "data" and rest:
        return {**thing, "data": [_along(state, item, rest, path) for item in thing["data"]]}
    computed = COMPUTED.get((thing.get("object", ""), step))
    if computed:
        thing = {**thing, step: computed(state, thing)}
    if step not in thing:
        raise _can_not(path)
    value = thing[step]
    if isinstance(value, dict) and "object" in value and rest:
        # A list or an object that is there already: the path goes on inside of it.
        return {**thing, step: _along(state, value, rest, path)}
    if isinstance(value, dict) and "object" not in value and rest:
        # A nest such as invoice_settings: its members belong to the object around it.
        inner = _along(state, {**value, "object": thing["object"]}, rest, path)
        return {**thing, step: {name: inner[name] for name in value}}
    if computed and not rest:
        return thing
    family = RELATIONS.get(thing.get("object", ""), {}).get(step)
    if family is None:
        raise _can_not(path)
    if isinstance(value, str):
        family = PREFIXES[value.partition("_")[0]] if family == "*" else family
        value = state.get(family, value) or value
    if rest and isinstance(value, dict):
        value = _along(state, value, rest, path)
    return {**thing, step: value}


def _can_not(path: str) -> StripeError:
    message = f"This property cannot be expanded ({path})."
    return invalid(message, param="expand")
