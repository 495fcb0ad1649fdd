"""The payer's step (3D Secure): what the page script or the hosted page sends when it is done."""

from tallystick.simulators.stripe import charging, setup_intents
from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.errors import Json, invalid
from tallystick.simulators.stripe.intents import CLIENT_ONLY, check_secret
from tallystick.simulators.stripe.params import one_of

FAMILIES = {"seti": "setup_intent", "pi": "payment_intent"}


def intent_of(call: Call) -> Json:
    """Return the intent that the client secret belongs to. Raises StripeError when none does."""
    secret: str = call.params["client_secret"]
    key = secret.split("_secret_", maxsplit=1)[0]
    family = FAMILIES.get(key.split("_", maxsplit=1)[0])
    if family is None:
        raise invalid("This client_secret belongs to no intent.", param="client_secret")
    return check_secret(call, call.found(family, key, param="client_secret"))


def authenticate(call: Call) -> Json:
    """POST /_page/authenticate: `outcome` is complete or fail."""
    if not call.publishable:
        raise invalid("Only a page finishes this step: send a publishable key.", param="key")
    intent = intent_of(call)
    passed = call.params["outcome"] == "complete"
    if intent["object"] == "setup_intent":
        return setup_intents.authenticate(call, intent, passed=passed)
    return charging.authenticate(call, intent, passed=passed)


ROUTES = (
    Route(
        "POST",
        "/_page/authenticate",
        authenticate,
        {**CLIENT_ONLY, "outcome": one_of("complete", "fail")},
        ("client_secret", "outcome"),
        client=True,
    ),
)
