"""Debits of bank accounts (ACH): processing at once, a result days later, a return even later."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from tallystick.simulators.stripe import timers, vault
from tallystick.simulators.stripe.bank import mandates
from tallystick.simulators.stripe.bank.accounts import NOT_AUTHORIZED
from tallystick.simulators.stripe.books import balance, disputes
from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.cards import Decline
from tallystick.simulators.stripe.charge_results import keep_or_spend, without_method
from tallystick.simulators.stripe.charges import Attempt, new_charge, outcome_of
from tallystick.simulators.stripe.declines import recorded
from tallystick.simulators.stripe.errors import Json, invalid
from tallystick.simulators.stripe.events import emit
from tallystick.simulators.stripe.intents import need_status

SETTLE = "ach_settle"
BUSINESS_DAYS = 4
FIRST_WEEKEND_DAY = 5


def start(call: Call, intent: Json, method: Json) -> Json:
    """Send the debit to the bank: the intent is `processing` until the bank has answered."""
    made = Attempt(captured=True, pending=True)
    charge = call.state.save({**new_charge(call, intent, method, made), "amount_captured": 0})
    emit(call, "charge.pending", charge)
    keep_or_spend(call, intent, method)
    waiting = {
        **intent,
        "latest_charge": charge["id"],
        "next_action": None,
        "status": "processing",
    }
    call.state.save(waiting)
    emit(call, "payment_intent.processing", waiting)
    if vault.bank_of(call, method["id"]).debit != "stays":
        timers.plan(call, business_days(call.state.now(), BUSINESS_DAYS), SETTLE, intent["id"])
    return waiting


def settle(call: Call, intent_id: str) -> None:
    """End a debit as its test account says."""
    intent = call.found("payment_intent", intent_id)
    account = vault.bank_of(call, intent["payment_method"])
    finish(call, intent, account.failure)
    if account.debit == "disputed":
        charge = call.found("charge", intent["latest_charge"])
        disputes.open_dispute(call, charge, "debit_not_authorized")


def finish(call: Call, intent: Json, failure: Decline | None) -> Json:
    """End a debit that is processing: paid, or failed for the given reason."""
    need_status(intent, "settle", "processing")
    timers.unplan(call, SETTLE, intent["id"])
    return _failed(call, intent, failure) if failure else _paid(call, intent)


def give_back(
    call: Call, intent: Json, failure: Decline, shape: Literal["dispute", "failure"]
) -> None:
    """Take a debit back that had succeeded: a dispute that is lost at once, or a failed charge."""
    need_status(intent, "return", "succeeded")
    charge = call.found("charge", intent["latest_charge"])
    if balance.is_card(charge):
        raise invalid("Only a debit of a bank account can be returned.")
    if shape == "dispute":
        disputes.open_dispute(call, charge, failure.code)
        return
    moved = balance.Movement(
        kind="payment_failure_refund",
        category="charge_failure",
        amount=-charge["amount_captured"],
        currency=charge["currency"],
        source=charge["id"],
        description=failure.message,
    )
    booked = balance.record(call, moved)["id"]
    _failed(call, intent, failure, failure_balance_transaction=booked)


def business_days(start: int, count: int) -> int:
    """Return the instant so many business days later, at the same time of day, in UTC."""
    at = datetime.fromtimestamp(start, UTC)
    while count:
        at += timedelta(days=1)
        count -= at.weekday() < FIRST_WEEKEND_DAY
    return int(at.timestamp())


def _paid(call: Call, intent: Json) -> Json:
    charge = call.found("charge", intent["latest_charge"])
    taken = {**charge, "amount_captured": charge["amount"], "paid": True, "status": "succeeded"}
    emit(call, "charge.succeeded", balance.earn(call, taken), charge)
    done = {**intent, "amount_received": intent["amount"], "status": "succeeded"}
    emit(call, "payment_intent.succeeded", call.state.save(done))
    return done


def _failed(call: Call, intent: Json, failure: Decline, **booked: str) -> Json:
    before = call.found("charge", intent["latest_charge"])
    charge = {
        **before,
        **booked,
        "amount_captured": 0,
        "failure_code": failure.code,
        "failure_message": failure.message,
        "outcome": outcome_of(failure),
        "paid": False,
        "status": "failed",
    }
    emit(call, "charge.failed", call.state.save(charge), before)
    method = call.found("payment_method", intent["payment_method"])
    if failure is NOT_AUTHORIZED:
        mandates.revoke(call, method["id"])
    error = recorded(failure, method, charge=charge["id"])
    return without_method(call, intent, error, charge["id"])
