"""How a try to save a payment method ends: the setup intent and the method after it."""

from tallystick.simulators.stripe import vault
from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.cards import Decline
from tallystick.simulators.stripe.declines import recorded, refused
from tallystick.simulators.stripe.errors import Json, StripeError
from tallystick.simulators.stripe.events import emit
from tallystick.simulators.stripe.payment_methods import attach
from tallystick.simulators.stripe.setup_attempts import settled


def succeed(call: Call, intent: Json) -> Json:
    """Save the method, to the intent's customer where it has one."""
    settled(call, intent["latest_attempt"], "succeeded")
    vault.mark(call, intent["payment_method"], set_up=True)
    method = call.found("payment_method", intent["payment_method"])
    if intent["customer"]:
        attach(call, method, intent["customer"])
    done = {**intent, "status": "succeeded", "next_action": None, "last_setup_error": None}
    call.state.save(done)
    emit(call, "setup_intent.succeeded", done)
    return done


def fail(call: Call, intent: Json, decline: Decline) -> StripeError:
    """Put a failed try on record; return the error that the request, if any, answers with."""
    method = call.found("payment_method", intent["payment_method"])
    error = recorded(decline, method)
    settled(call, intent["latest_attempt"], "failed", error)
    failed = {
        **intent,
        "status": "requires_payment_method",
        "payment_method": None,
        "next_action": None,
        "last_setup_error": error,
    }
    call.state.save(failed)
    emit(call, "setup_intent.setup_failed", failed)
    return refused(decline, stands=True, setup_intent=failed, payment_method=method)
