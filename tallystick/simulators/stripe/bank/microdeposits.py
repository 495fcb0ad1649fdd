"""Microdeposits: two small amounts, or one with a code, that show whose bank account it is."""

from collections.abc import Sequence

from tallystick.simulators.stripe import charge_results, setup_results, timers, vault
from tallystick.simulators.stripe.bank import debits
from tallystick.simulators.stripe.bank.debits import business_days
from tallystick.simulators.stripe.books.balance import DAY_SECONDS
from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.cards import Decline
from tallystick.simulators.stripe.errors import Json, StripeError, invalid
from tallystick.simulators.stripe.events import emit
from tallystick.simulators.stripe.intents import CLIENT_ONLY, check_secret, unexpected
from tallystick.simulators.stripe.params import Shape, integer, many, text

FAMILY = "_microdeposits"
SETTINGS = "_settings"
FAILED, TIMEOUT = "microdeposits_failed", "microdeposits_timeout"
ARRIVE_DAYS, WINDOW_DAYS = 2, 10
TRIES_MAX = {"amounts": 3, "descriptor_code": 10}
# Stripe's test values (https://docs.stripe.com/payments/ach-direct-debit#test-account-numbers).
AMOUNTS = {(32, 45): "right", (10, 11): "attempts_exceeded", (40, 41): "timeout"}
CODES = {"SM11AA": "right", "SM33CC": "attempts_exceeded", "SM44DD": "timeout"}
CENTS_MAX = 99
PREFIX = "payment_method_microdeposit_verification"
ENDED = {
    "attempts_exceeded": Decline(
        f"{PREFIX}_attempts_exceeded",
        "You have exceeded the number of allowed verification attempts.",
        kind="invalid_request_error",
    ),
    "timeout": Decline(
        f"{PREFIX}_timeout",
        "Payment method should be verified with microdeposits within the required period.",
        kind="invalid_request_error",
    ),
    "failed": Decline(
        "payment_method_microdeposit_failed",
        "Microdeposit transfers failed. Please check the account, institution and transit numbers "
        "provided.",
        kind="invalid_request_error",
    ),
}


def begin(call: Call, intent: Json) -> Json:
    """Send the deposits: the intent waits for the payer to tell what has arrived."""
    arrival = business_days(call.state.now(), ARRIVE_DAYS)
    wish = call.state.get(SETTINGS, "microdeposits") or {"type": "descriptor_code"}
    call.state.put(FAMILY, intent["id"], {"tries": 0})
    secret = intent["client_secret"]
    step = {
        "arrival_date": arrival,
        "hosted_verification_url": f"{call.base_url}/_page/microdeposits?client_secret={secret}",
        "microdeposit_type": wish["type"],
    }
    waiting = {
        **intent,
        "next_action": {"type": "verify_with_microdeposits", "verify_with_microdeposits": step},
        "status": "requires_action",
    }
    call.state.save(waiting)
    emit(call, f"{intent['object']}.requires_action", waiting)
    if not vault.bank_of(call, intent["payment_method"]).deposits_arrive:
        timers.plan(call, arrival, FAILED, intent["id"])
    end = call.state.now() + WINDOW_DAYS * DAY_SECONDS
    timers.plan(call, end, TIMEOUT, intent["id"])
    return waiting


def verify(call: Call, intent: Json) -> Json:
    """Check what the payer told. Raises StripeError when it is wrong; a wrong try counts."""
    if not _waits(intent):
        raise unexpected(intent, "This intent is not waiting for microdeposits to be verified.")
    amounts, code = call.params.get("amounts"), call.params.get("descriptor_code")
    if (amounts is None) == (code is None):
        raise invalid("Send either `amounts` or `descriptor_code`.", code="parameter_missing")
    if code is None:
        kind, found = "amounts", _by_amounts(amounts or [])
    else:
        kind, found = "descriptor_code", CODES.get(code)
    if found == "right":
        return _passed(call, intent)
    if found:
        raise _ended(call, intent, ENDED[found])
    raise _wrong(call, intent, kind)


def on_failed(call: Call, intent_id: str) -> None:
    """End the waiting: the deposits did not arrive, the account can not take them."""
    _end_waiting(call, intent_id, "failed")


def on_timeout(call: Call, intent_id: str) -> None:
    """End the waiting: the payer told nothing in time."""
    _end_waiting(call, intent_id, "timeout")


def _by_amounts(amounts: Sequence[int]) -> str | None:
    if len(amounts) != len(("first", "second")) or not all(
        1 <= one <= CENTS_MAX for one in amounts
    ):
        raise invalid(
            "The amounts must be two whole numbers of cents between 1 and 99.",
            code=f"{PREFIX}_amounts_invalid",
            param="amounts",
        )
    first, second = sorted(amounts)
    return AMOUNTS.get((first, second))


def _wrong(call: Call, intent: Json, kind: str) -> StripeError:
    tries = (call.state.get(FAMILY, intent["id"]) or {"tries": 0})["tries"] + 1
    call.state.put(FAMILY, intent["id"], {"tries": tries})
    left = TRIES_MAX[kind] - tries
    if left <= 0:
        return _ended(call, intent, ENDED["attempts_exceeded"])
    error = invalid(
        f"The {'amounts' if kind == 'amounts' else 'code'} provided do not match what was sent to "
        f"the bank account. You have {left} verification attempts remaining.",
        code=f"{PREFIX}_{kind}_mismatch",
        param=kind,
    )
    error.stands = True
    return error


def _passed(call: Call, intent: Json) -> Json:
    _forget_timers(call, intent)
    vault.mark(call, intent["payment_method"], verified=True)
    if intent["object"] == "setup_intent":
        return setup_results.succeed(call, intent)
    method = call.found("payment_method", intent["payment_method"])
    return debits.start(call, intent, method)


def _ended(call: Call, intent: Json, decline: Decline) -> StripeError:
    _forget_timers(call, intent)
    if intent["object"] == "setup_intent":
        return setup_results.fail(call, intent, decline)
    return charge_results.fail(call, intent, decline, charged=False)


def _end_waiting(call: Call, intent_id: str, reason: str) -> None:
    family = "setup_intent" if intent_id.startswith("seti_") else "payment_intent"
    intent = call.found(family, intent_id)
    if _waits(intent):
        _ended(call, intent, ENDED[reason])


def _waits(intent: Json) -> bool:
    step = intent["next_action"] or {}
    return bool(step.get("type") == "verify_with_microdeposits")


def _forget_timers(call: Call, intent: Json) -> None:
    for duty in (FAILED, TIMEOUT):
        timers.unplan(call, duty, intent["id"])


def _verify_setup(call: Call) -> Json:
    return verify(call, check_secret(call, call.found("setup_intent", call.path["id"])))


def _verify_payment(call: Call) -> Json:
    return verify(call, check_secret(call, call.found("payment_intent", call.path["id"])))


TOLD: Shape = {"amounts": many(integer), "descriptor_code": text, **CLIENT_ONLY}
ROUTES = tuple(
    Route("POST", f"/v1/{family}/{{id}}/verify_microdeposits", answer, TOLD, client=True)
    for family, answer in (("setup_intents", _verify_setup), ("payment_intents", _verify_payment))
)
