"""`payment_method_options` of intents: how a card is authenticated, how an account is verified."""

from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.errors import Json
from tallystick.simulators.stripe.params import Shape, many, nest, one_of, text

CONNECTIONS = nest({"permissions": many(text), "prefetch": many(text), "return_url": text})
OPTIONS: Shape = {
    "payment_method_options": nest(
        {
            "card": nest({"request_three_d_secure": one_of("any", "automatic", "challenge")}),
            "us_bank_account": nest(
                {
                    "financial_connections": CONNECTIONS,
                    "verification_method": one_of("automatic", "instant", "microdeposits"),
                }
            ),
        }
    )
}


def chosen_options(call: Call, intent: Json) -> Json:
    """Return the intent's options with those of the request laid over them."""
    given = call.params.get("payment_method_options", {})
    known = intent.get("payment_method_options") or {}
    kinds = intent["payment_method_types"]
    defaults = {"card": _card(intent), "us_bank_account": BANK}
    return {
        kind: {**defaults[kind], **known.get(kind, {}), **_filled(given.get(kind, {}))}
        for kind in kinds
    }


BANK: Json = {"mandate_options": {}, "verification_method": "automatic"}


def _card(intent: Json) -> Json:
    options: Json = {
        "mandate_options": None,
        "network": None,
        "request_three_d_secure": "automatic",
    }
    return options if intent["object"] == "setup_intent" else {"installments": None, **options}


def _filled(given: Json) -> Json:
    if "financial_connections" not in given:
        return given
    connections = {"prefetch": None, **given["financial_connections"]}
    return {**given, "financial_connections": connections}
