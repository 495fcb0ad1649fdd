"""How a try to charge ends: the intent, its charge and the payment method after it."""

from tallystick.simulators.stripe import vault
from tallystick.simulators.stripe.books import balance, disputes
from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.cards import Decline
from tallystick.simulators.stripe.charges import Attempt, new_charge
from tallystick.simulators.stripe.declines import recorded, refused
from tallystick.simulators.stripe.errors import Json, StripeError
from tallystick.simulators.stripe.events import emit
from tallystick.simulators.stripe.payment_methods import attach


def succeed(call: Call, intent: Json, *, authenticated: bool) -> Json:
    """Take the money from the card, or hold it where it is captured later."""
    method = call.found("payment_method", intent["payment_method"])
    captured = intent["capture_method"] != "manual"
    made = Attempt(captured=captured, authenticated=authenticated)
    charge = call.state.save(new_charge(call, intent, method, made))
    if captured:
        charge = balance.earn(call, charge)
    emit(call, "charge.succeeded", charge)
    keep_or_spend(call, intent, method)
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
    if captured:
        follow_up(call, charge)
    return done


def follow_up(call: Call, charge: Json) -> None:
    """Dispute what was taken from a card that stands for a dispute."""
    if vault.card_of(call, charge["payment_method"]).after == "disputed":
        disputes.open_dispute(call, charge, "fraudulent")


def keep_or_spend(call: Call, intent: Json, method: Json) -> None:
    """Save the method where that was asked; without an owner it can not be charged again."""
    future = intent["setup_future_usage"]
    if future and intent["customer"]:
        attach(call, method, intent["customer"])
        vault.mark(call, method["id"], set_up=future == "off_session")
    elif method["customer"] is None:
        vault.mark(call, method["id"], spent=True)


def fail(call: Call, intent: Json, decline: Decline, *, charged: bool = True) -> StripeError:
    """Put a failed try on record; `charged` says whether the bank was asked for the money.

    Returns the error that the request, where there is one, answers with.
    """
    method = call.found("payment_method", intent["payment_method"])
    latest = intent["latest_charge"]
    if charged:
        made = Attempt(captured=False, decline=decline)
        charge = call.state.save(new_charge(call, intent, method, made))
        emit(call, "charge.failed", charge)
        latest = charge["id"]
    about = {"charge": latest} if charged else {}
    failed = without_method(call, intent, recorded(decline, method, **about), latest)
    return refused(decline, stands=True, payment_intent=failed, payment_method=method, **about)


def without_method(call: Call, intent: Json, error: Json, latest: str | None) -> Json:
    """Put the intent back to needing a payment method, with the error that says why."""
    failed = {
        **intent,
        "amount_received": 0,
        "last_payment_error": error,
        "latest_charge": latest,
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    call.state.save(failed)
    emit(call, "payment_intent.payment_failed", failed)
    return failed
