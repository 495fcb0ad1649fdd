"""What setup intents and payment intents share: methods, client secrets, the payer's step."""

import hmac
from collections.abc import Sequence
from typing import Any

from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.cards import Decline
from tallystick.simulators.stripe.errors import Json, StripeError, invalid
from tallystick.simulators.stripe.params import (
    Shape,
    boolean,
    many,
    merged,
    metadata,
    nest,
    one_of,
    text,
)
from tallystick.simulators.stripe.payment_methods import DATA, from_data, usable

TYPES = ("card", "us_bank_account")
METHOD_CHOICE: Shape = {
    "allowed_payment_method_types": many(one_of(*TYPES)),
    "automatic_payment_methods": nest(
        {"enabled": boolean, "allow_redirects": one_of("always", "never")}, required=("enabled",)
    ),
}
METHOD: Shape = {"payment_method": text, "payment_method_data": nest(DATA)}
DESCRIBED: Shape = {"customer": text, "description": text, "metadata": metadata}
CLIENT_ONLY: Shape = {"key": text, "client_secret": text}

# What a page may see of an intent; the rest is between the merchant's server and Stripe.
CLIENT_MEMBERS = frozenset({
    "id", "object", "amount", "automatic_payment_methods", "canceled_at", "cancellation_reason",
    "capture_method", "client_secret", "confirmation_method", "created", "currency", "description",
    "last_payment_error", "last_setup_error", "livemode", "next_action", "payment_method",
    "payment_method_types", "processing", "receipt_email", "setup_future_usage", "shipping",
    "status", "usage",
})  # fmt: skip

RETURN_URL = (
    "This {name} is configured to accept payment methods enabled in your Dashboard. Because some "
    "of these payment methods might redirect your customer off of your page, you must provide a "
    "`return_url`. If you don't want to accept redirect-based payment methods, set "
    "`automatic_payment_methods[enabled]` to `true` and "
    "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and "
    "Payment Intents."
)
DOLLARS = "The currency must be usd: `us_bank_account` takes no other."
NAMES = {"setup_intent": "SetupIntent", "payment_intent": "PaymentIntent"}
SETUP_NOT_AUTHENTICATED = Decline(
    "setup_intent_authentication_failure",
    "We are unable to authenticate your payment method. Please choose a different payment method "
    "and try again.",
)
PAYMENT_NOT_AUTHENTICATED = Decline(
    "payment_intent_authentication_failure",
    SETUP_NOT_AUTHENTICATED.message,
)


def chosen_methods(call: Call) -> Json:
    """Return the intent's members that say which kinds of method it takes.

    Naming the allowed types turns the automatic choice off; naming nothing turns it on, with
    redirects, as Stripe does since 2023-08-16.
    """
    allowed = call.params.get("allowed_payment_method_types")
    automatic = call.params.get("automatic_payment_methods")
    if allowed and automatic and automatic["enabled"]:
        raise invalid(
            "You may only specify one of these parameters: automatic_payment_methods, "
            "allowed_payment_method_types."
        )
    if not allowed and (automatic is None or automatic["enabled"]):
        automatic = {"allow_redirects": "always", "enabled": True, **(automatic or {})}
    return {
        "allowed_payment_method_types": allowed or None,
        "automatic_payment_methods": None if allowed else automatic,
        "payment_method_types": allowed or ["card"],
    }


def need_return_url(call: Call, intent: Json) -> None:
    """Refuse a server's confirm that might send the payer away with nowhere to come back to."""
    automatic = intent["automatic_payment_methods"] or {}
    redirects = automatic.get("allow_redirects") == "always"
    if redirects and not call.publishable and "return_url" not in call.params:
        raise invalid(RETURN_URL.format(name=NAMES[intent["object"]]), param="return_url")


def given_method(call: Call) -> Json | None:
    """Return the payment method that the request names or brings along."""
    if "payment_method_data" in call.params:
        return from_data(call, call.params["payment_method_data"], "payment_method_data")
    if "payment_method" in call.params:
        return usable(call, call.params["payment_method"], "payment_method")
    return None


def method_for(call: Call, intent: Json) -> Json:
    """Return the method to confirm with. Raises StripeError when there is none to use."""
    method = given_method(call)
    if method is None and intent["payment_method"]:
        method = usable(call, intent["payment_method"], "payment_method")
    if method is None:
        name = NAMES[intent["object"]]
        raise unexpected(
            intent,
            f"You cannot confirm this {name} because it's missing a payment method. Update the "
            f"{name} with a payment method and then confirm it.",
        )
    check_usable(method, intent)
    return method


def check_usable(method: Json, intent: Json) -> None:
    """Refuse a method of a type that the intent does not allow, or of another customer."""
    allowed = intent["allowed_payment_method_types"] or TYPES
    if method["type"] not in allowed:
        raise invalid(
            f"The PaymentMethod provided ({method['type']}) is not allowed for this "
            f"{NAMES[intent['object']]}. Please attach a PaymentMethod of one of the following "
            f"types: {', '.join(allowed)}.",
            param="payment_method",
        )
    if method["type"] == "us_bank_account" and intent.get("currency", "usd") != "usd":
        raise invalid(DOLLARS, param="currency")
    check_owner(method, intent["customer"])


def check_currency(intent: Json) -> None:
    """Refuse an intent that names bank accounts and is not in US dollars."""
    named = intent["allowed_payment_method_types"] or ()
    if "us_bank_account" in named and intent["currency"] != "usd":
        raise invalid(DOLLARS, param="allowed_payment_method_types")


def check_owner(method: Json, customer_id: str | None) -> None:
    """Refuse another customer's payment method."""
    if method["customer"] in {None, customer_id}:
        return
    if customer_id is None:
        raise invalid(
            "The payment method you provided is attached to a customer so for security purposes "
            "you must provide the customer in the request.",
            param="payment_method",
        )
    raise invalid(
        f"The customer does not have a payment method with the ID {method['id']}. The payment "
        "method must be attached to the customer.",
        code="resource_missing",
        param="payment_method",
    )


def relabelled(call: Call, intent: Json, names: Sequence[str]) -> Json:
    """Return the intent with those of its plain members that an update names."""
    given: dict[str, Any] = {name: call.params[name] for name in names if name in call.params}
    if "customer" in given:
        call.found("customer", given["customer"], param="customer")
        if intent["customer"] not in {None, given["customer"]}:
            raise invalid(
                f"You cannot modify `customer` on a {NAMES[intent['object']]} once it already has "
                "been set.",
                param="customer",
            )
    if "metadata" in given:
        given["metadata"] = merged(intent["metadata"], given["metadata"])
    return {**intent, **given}


def check_secret(call: Call, intent: Json) -> Json:
    """Return the intent; a page has to show its client secret. Raises StripeError otherwise."""
    sent = call.params.get("client_secret", "")
    if call.publishable and not hmac.compare_digest(sent.encode(), _secret(intent)):
        raise invalid(
            f"The client_secret provided does not match the client_secret associated with this "
            f"{NAMES[intent['object']]}.",
            code=f"{intent['object']}_invalid_parameter",
            param="client_secret",
        )
    return intent


def _secret(intent: Json) -> bytes:
    return str(intent["client_secret"]).encode()


def need_status(intent: Json, verb: str, *allowed: str) -> None:
    """Refuse what can not be done in the intent's status."""
    if intent["status"] in allowed:
        return
    name = NAMES[intent["object"]]
    raise unexpected(
        intent,
        f"You cannot {verb} this {name} because it has a status of {intent['status']}. Only a "
        f"{name} with one of the following statuses may be {verb}ed: {', '.join(allowed)}.",
    )


def need_authentication(intent: Json) -> None:
    """Refuse to finish the bank's check of an intent that is not waiting for one."""
    need_status(intent, "authenticate", "requires_action")
    if (intent["next_action"] or {}).get("type") == "verify_with_microdeposits":
        raise unexpected(intent, "This intent is waiting for microdeposits to be verified.")


def unexpected(intent: Json, message: str) -> StripeError:
    """Return `..._unexpected_state` with the intent as it is."""
    error = invalid(message, code=f"{intent['object']}_unexpected_state")
    error.members[intent["object"]] = intent
    return error


def authentication_step(call: Call, intent: Json) -> Json:
    """Return `next_action`: the page script opens a dialog, or a return URL means a redirect."""
    return_url = call.params.get("return_url")
    if return_url and not call.publishable and not call.params.get("use_stripe_sdk"):
        url = f"{call.base_url}/_page/authenticate?client_secret={intent['client_secret']}"
        return {
            "type": "redirect_to_url",
            "redirect_to_url": {"return_url": return_url, "url": url},
        }
    step = {"type": "three_d_secure_redirect", "stripe_js": f"{call.base_url}/_page/authenticate"}
    return {"type": "use_stripe_sdk", "use_stripe_sdk": step}


def for_page(answer: Json) -> Json:
    """Return what a publishable key may see of an answer, errors included."""
    if "error" in answer:
        error = dict(answer["error"])
        for name in NAMES.keys() & error.keys():
            error[name] = for_page(error[name])
        return {"error": error}
    if answer.get("object") in NAMES:
        return {name: value for name, value in answer.items() if name in CLIENT_MEMBERS}
    return answer
