"""What moves a payment intent: confirm, the payer's step, capture, cancel.

Only here does an intent's status change once it has been confirmed.
"""

from tallystick.simulators.stripe import outcomes, vault
from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.cards import AUTHENTICATION_REQUIRED, Decline
from tallystick.simulators.stripe.charges import Attempt, new_charge
from tallystick.simulators.stripe.declines import recorded, refused
from tallystick.simulators.stripe.errors import Json, StripeError, invalid
from tallystick.simulators.stripe.events import emit
from tallystick.simulators.stripe.intents import (
    PAYMENT_NOT_AUTHENTICATED,
    authentication_step,
    check_secret,
    method_for,
    need_return_url,
    need_status,
)
from tallystick.simulators.stripe.params import merged
from tallystick.simulators.stripe.payment_methods import attach

CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE = (*CONFIRMABLE, "requires_capture")


def confirm(call: Call) -> Json:
    """POST /v1/payment_intents/{id}/confirm."""
    intent = check_secret(call, call.found("payment_intent", call.path["id"]))
    need_status(intent, "confirm", *CONFIRMABLE)
    need_return_url(call, intent)
    told = ("receipt_email", "setup_future_usage")
    given = {name: call.params[name] for name in told if name in call.params}
    return attempt(call, {**intent, **given}, method_for(call, intent))


def attempt(call: Call, intent: Json, method: Json) -> Json:
    """Try to charge the method; a decline is on record before it is raised."""
    intent = {**intent, "payment_method": method["id"], "last_payment_error": None}
    outcome = outcomes.of_charge(
        vault.card_of(call, method["id"]),
        off_session=bool(call.params.get("off_session")),
        set_up=vault.is_set_up(call, method["id"]),
        authenticated=False,
    )
    match outcome:
        case outcomes.Approved():
            return _succeed(call, intent, authenticated=False)
        case outcomes.Declined(decline):
            raise _fail(call, intent, decline)
    if call.params.get("error_on_requires_action"):
        raise _fail(call, intent, AUTHENTICATION_REQUIRED)
    waiting = {**intent, "status": "requires_action"}
    waiting["next_action"] = authentication_step(call, intent)
    call.state.save(waiting)
    emit(call, "payment_intent.requires_action", waiting)
    return waiting


def authenticate(call: Call, intent: Json, *, passed: bool) -> Json:
    """Finish the payer's step: charge the card, or fail back to needing a method."""
    need_status(intent, "authenticate", "requires_action")
    if not passed:
        raise _fail(call, intent, PAYMENT_NOT_AUTHENTICATED)
    card = vault.card_of(call, intent["payment_method"])
    outcome = outcomes.of_charge(card, off_session=False, set_up=False, authenticated=True)
    if isinstance(outcome, outcomes.Declined):
        raise _fail(call, intent, outcome.decline)
    return _succeed(call, intent, authenticated=True)


def _succeed(call: Call, intent: Json, *, authenticated: bool) -> Json:
    method = call.found("payment_method", intent["payment_method"])
    captured = intent["capture_method"] != "manual"
    made = Attempt(captured=captured, authenticated=authenticated)
    charge = call.state.save(new_charge(call, intent, method, made))
    emit(call, "charge.succeeded", charge)
    _keep_or_spend(call, intent, method)
    done = {
        **intent,
        "amount_capturable": 0 if captured else intent["amount"],
        "amount_received": intent["amount"] if captured else 0,
        "latest_charge": charge["id"],
        "next_action": None,
        "status": "succeeded" if captured else "requires_capture",
    }
    call.state.save(done)
    kind = "succeeded" if captured else "amount_capturable_updated"
    emit(call, f"payment_intent.{kind}", done)
    return done


def _keep_or_spend(call: Call, intent: Json, method: Json) -> None:
    """Save the method where that was asked; without an owner it can not be charged again."""
    future = intent["setup_future_usage"]
    if future and intent["customer"]:
        attach(call, method, intent["customer"])
        vault.mark(call, method["id"], set_up=future == "off_session")
    elif method["customer"] is None:
        vault.mark(call, method["id"], spent=True)


def _fail(call: Call, intent: Json, decline: Decline) -> StripeError:
    method = call.found("payment_method", intent["payment_method"])
    not_charged = decline is PAYMENT_NOT_AUTHENTICATED
    latest = intent["latest_charge"]
    if not not_charged:
        made = Attempt(captured=False, authenticated=False, decline=decline)
        charge = call.state.save(new_charge(call, intent, method, made))
        emit(call, "charge.failed", charge)
        latest = charge["id"]
    about = {} if not_charged else {"charge": latest}
    failed = {
        **intent,
        "last_payment_error": recorded(decline, method, **about),
        "latest_charge": latest,
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    call.state.save(failed)
    emit(call, "payment_intent.payment_failed", failed)
    return refused(decline, stands=True, payment_intent=failed, payment_method=method, **about)


def capture(call: Call) -> Json:
    """POST /v1/payment_intents/{id}/capture: take what was held, or a part; the rest is let go."""
    before = call.found("payment_intent", call.path["id"])
    need_status(before, "capture", "requires_capture")
    amount: int = call.params.get("amount_to_capture", before["amount_capturable"])
    if not 1 <= amount <= before["amount_capturable"]:
        raise invalid(
            f"The amount_to_capture must be between 1 and the capturable amount of "
            f"{before['amount_capturable']}.",
            param="amount_to_capture",
        )
    charge_before = call.found("charge", before["latest_charge"])
    charge = call.state.save({**charge_before, "captured": True, "amount_captured": amount})
    emit(call, "charge.captured", charge, charge_before)
    intent = {
        **before,
        "amount_capturable": 0,
        "amount_received": amount,
        "metadata": merged(before["metadata"], call.params.get("metadata", {})),
        "status": "succeeded",
    }
    call.state.save(intent)
    emit(call, "payment_intent.succeeded", intent)
    return intent


def cancel(call: Call) -> Json:
    """POST /v1/payment_intents/{id}/cancel: what was held is let go, nothing can be taken."""
    before = call.found("payment_intent", call.path["id"])
    need_status(before, "cancel", *CANCELABLE)
    if before["status"] == "requires_capture":
        held = call.found("charge", before["latest_charge"])
        freed = {**held, "amount_refunded": held["amount"], "refunded": True}
        emit(call, "charge.refunded", call.state.save(freed), held)
    intent = {
        **before,
        "amount_capturable": 0,
        "canceled_at": call.state.now(),
        "cancellation_reason": call.params.get("cancellation_reason"),
        "next_action": None,
        "status": "canceled",
    }
    call.state.save(intent)
    emit(call, "payment_intent.canceled", intent)
    return intent
