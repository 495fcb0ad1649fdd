"""Setup intents: saving a card for later, with the payer's authentication where it is asked."""

from tallystick.simulators.stripe import outcomes, vault
from tallystick.simulators.stripe.bank import confirming
from tallystick.simulators.stripe.bank.mandates import MANDATE_DATA
from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.errors import Json, invalid
from tallystick.simulators.stripe.events import emit
from tallystick.simulators.stripe.intents import (
    CLIENT_ONLY,
    DESCRIBED,
    METHOD,
    METHOD_CHOICE,
    SETUP_NOT_AUTHENTICATED,
    authentication_step,
    check_secret,
    check_usable,
    chosen_methods,
    given_method,
    method_for,
    need_authentication,
    need_return_url,
    need_status,
    relabelled,
)
from tallystick.simulators.stripe.method_options import OPTIONS, chosen_options
from tallystick.simulators.stripe.paging import LIST, created_within, page
from tallystick.simulators.stripe.params import (
    CREATED,
    Shape,
    boolean,
    merged,
    one_of,
    text,
)
from tallystick.simulators.stripe.setup_attempts import new_attempt
from tallystick.simulators.stripe.setup_results import fail, succeed

CONFIRM: Shape = {
    **METHOD,
    **OPTIONS,
    "mandate_data": MANDATE_DATA,
    "return_url": text,
    "use_stripe_sdk": boolean,
}
CREATE: Shape = {
    **CONFIRM,
    **METHOD_CHOICE,
    **DESCRIBED,
    "confirm": boolean,
    "usage": one_of("off_session", "on_session"),
}
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCEL_REASON = one_of("abandoned", "duplicate", "requested_by_customer")


def create(call: Call) -> Json:
    """POST /v1/setup_intents, and what makes one on the way."""
    if "customer" in call.params:
        call.found("customer", call.params["customer"], param="customer")
    confirm = call.params.get("confirm", False)
    if "return_url" in call.params and not confirm:
        raise invalid("`return_url` can only be used with `confirm=true`.", param="return_url")
    method = given_method(call)
    intent = call.state.save(_new(call, method))
    if method:
        check_usable(method, intent)
    emit(call, "setup_intent.created", intent)
    if confirm:
        need_return_url(call, intent)
        return _attempt(call, intent, method or method_for(call, intent))
    return intent


def _new(call: Call, method: Json | None) -> Json:
    key = call.state.ids.new("seti")
    intent = {
        "id": key,
        "object": "setup_intent",
        "application": None,
        "cancellation_reason": None,
        "client_secret": call.state.ids.client_secret(key),
        "created": call.state.now(),
        "customer": call.params.get("customer"),
        "customer_account": None,
        "description": call.params.get("description"),
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": merged({}, call.params.get("metadata") or {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": method["id"] if method else None,
        "payment_method_configuration_details": None,
        "single_use_mandate": None,
        "status": "requires_confirmation" if method else "requires_payment_method",
        "usage": call.params.get("usage", "off_session"),
        **chosen_methods(call),
    }
    return {**intent, "payment_method_options": chosen_options(call, intent)}


def _retrieve(call: Call) -> Json:
    return check_secret(call, call.found("setup_intent", call.path["id"]))


def _update(call: Call) -> Json:
    before = call.found("setup_intent", call.path["id"])
    if set(call.named()) - {"metadata", "description"}:
        need_status(before, "modify", *OPEN)
    intent = relabelled(call, before, tuple(DESCRIBED))
    intent = {**intent, "payment_method_options": chosen_options(call, intent)}
    method = given_method(call)
    if method:
        check_usable(method, intent)
        intent = {**intent, "payment_method": method["id"], "status": "requires_confirmation"}
    return call.state.save(intent)


def confirm(call: Call) -> Json:
    """POST /v1/setup_intents/{id}/confirm."""
    intent = check_secret(call, call.found("setup_intent", call.path["id"]))
    need_status(intent, "confirm", *OPEN)
    need_return_url(call, intent)
    intent = {**intent, "payment_method_options": chosen_options(call, intent)}
    return _attempt(call, intent, method_for(call, intent))


def _attempt(call: Call, intent: Json, method: Json) -> Json:
    """Try to save the method; a decline is on record before it is raised."""
    attempt = call.state.save(new_attempt(call, intent, method))
    intent = {**intent, "payment_method": method["id"], "latest_attempt": attempt["id"]}
    if method["type"] == "us_bank_account":
        return confirming.confirm_setup(call, {**intent, "last_setup_error": None}, method)
    card = vault.card_of(call, method["id"])
    match outcomes.of_setup(card, authenticated=False):
        case outcomes.Approved():
            return succeed(call, intent)
        case outcomes.Declined(decline):
            raise fail(call, intent, decline)
    call.state.save({**attempt, "status": "requires_action"})
    intent = {**intent, "status": "requires_action", "last_setup_error": None}
    intent["next_action"] = authentication_step(call, intent)
    call.state.save(intent)
    emit(call, "setup_intent.requires_action", intent)
    return intent


def authenticate(call: Call, intent: Json, *, passed: bool) -> Json:
    """Finish the payer's step: go on with the card, or fail back to needing a method."""
    need_authentication(intent)
    if not passed:
        raise fail(call, intent, SETUP_NOT_AUTHENTICATED)
    card = vault.card_of(call, intent["payment_method"])
    outcome = outcomes.of_setup(card, authenticated=True)
    if isinstance(outcome, outcomes.Declined):
        raise fail(call, intent, outcome.decline)
    return succeed(call, intent)


def _cancel(call: Call) -> Json:
    before = call.found("setup_intent", call.path["id"])
    need_status(before, "cancel", *OPEN)
    reason = call.params.get("cancellation_reason")
    intent = {**before, "status": "canceled", "cancellation_reason": reason, "next_action": None}
    call.state.save(intent)
    emit(call, "setup_intent.canceled", intent)
    return intent


def _list(call: Call) -> Json:
    customer, method = call.params.get("customer"), call.params.get("payment_method")
    return page(
        call,
        "setup_intent",
        lambda intent: (
            customer in {None, intent["customer"]}
            and method in {None, intent["payment_method"]}
            and created_within(call, intent)
        ),
    )


ONE = "/v1/setup_intents/{id}"
ROUTES = (
    Route("POST", "/v1/setup_intents", create, CREATE),
    Route(
        "GET",
        "/v1/setup_intents",
        _list,
        {**LIST, "customer": text, "payment_method": text, "created": CREATED},
    ),
    Route("GET", ONE, _retrieve, CLIENT_ONLY, client=True),
    Route("POST", ONE, _update, {**DESCRIBED, **METHOD, **OPTIONS}),
    Route("POST", f"{ONE}/confirm", confirm, {**CONFIRM, **CLIENT_ONLY}, client=True),
    Route("POST", f"{ONE}/cancel", _cancel, {"cancellation_reason": CANCEL_REASON}),
)
