"""What moves a payment intent: confirm, the payer's step, capture, cancel.

Only here does an intent's status change once it has been confirmed.
"""

from tallystick.simulators.stripe import outcomes, vault
from tallystick.simulators.stripe.bank import confirming
from tallystick.simulators.stripe.books import balance
from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.cards import AUTHENTICATION_REQUIRED
from tallystick.simulators.stripe.charge_results import fail, follow_up, succeed
from tallystick.simulators.stripe.errors import Json, invalid
from tallystick.simulators.stripe.events import emit
from tallystick.simulators.stripe.intents import (
    PAYMENT_NOT_AUTHENTICATED,
    authentication_step,
    check_secret,
    method_for,
    need_authentication,
    need_return_url,
    need_status,
)
from tallystick.simulators.stripe.method_options import chosen_options
from tallystick.simulators.stripe.params import merged

CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE = (*CONFIRMABLE, "requires_capture")


def confirm(call: Call) -> Json:
    """POST /v1/payment_intents/{id}/confirm."""
    intent = check_secret(call, call.found("payment_intent", call.path["id"]))
    need_status(intent, "confirm", *CONFIRMABLE)
    need_return_url(call, intent)
    told = ("receipt_email", "setup_future_usage")
    given = {name: call.params[name] for name in told if name in call.params}
    given["payment_method_options"] = chosen_options(call, intent)
    return attempt(call, {**intent, **given}, method_for(call, intent))


def attempt(call: Call, intent: Json, method: Json) -> Json:
    """Try to charge the method; a decline is on record before it is raised."""
    intent = {**intent, "payment_method": method["id"], "last_payment_error": None}
    if method["type"] == "us_bank_account":
        return confirming.confirm_payment(call, intent, method)
    outcome = outcomes.of_charge(
        vault.card_of(call, method["id"]),
        off_session=bool(call.params.get("off_session")),
        set_up=vault.is_set_up(call, method["id"]),
        authenticated=False,
    )
    match outcome:
        case outcomes.Approved():
            return succeed(call, intent, authenticated=False)
        case outcomes.Declined(decline):
            raise fail(call, intent, decline)
    if call.params.get("error_on_requires_action"):
        raise fail(call, intent, AUTHENTICATION_REQUIRED)
    waiting = {**intent, "status": "requires_action"}
    waiting["next_action"] = authentication_step(call, intent)
    call.state.save(waiting)
    emit(call, "payment_intent.requires_action", waiting)
    return waiting


def authenticate(call: Call, intent: Json, *, passed: bool) -> Json:
    """Finish the payer's step: charge the card, or fail back to needing a method."""
    need_authentication(intent)
    if not passed:
        raise fail(call, intent, PAYMENT_NOT_AUTHENTICATED, charged=False)
    card = vault.card_of(call, intent["payment_method"])
    outcome = outcomes.of_charge(card, off_session=False, set_up=False, authenticated=True)
    if isinstance(outcome, outcomes.Declined):
        raise fail(call, intent, outcome.decline)
    return succeed(call, intent, authenticated=True)


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
    taken = {**charge_before, "captured": True, "amount_captured": amount}
    charge = balance.earn(call, taken)
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
    follow_up(call, charge)
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
