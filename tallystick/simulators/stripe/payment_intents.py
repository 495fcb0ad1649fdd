"""Payment intents: the wish to take an amount; created, updated, looked up."""

from tallystick.simulators.stripe import amounts
from tallystick.simulators.stripe.bank.mandates import MANDATE
from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.charging import attempt, cancel, capture, confirm
from tallystick.simulators.stripe.errors import Json, invalid
from tallystick.simulators.stripe.events import emit
from tallystick.simulators.stripe.intents import (
    CLIENT_ONLY,
    DESCRIBED,
    METHOD,
    METHOD_CHOICE,
    check_currency,
    check_secret,
    check_usable,
    chosen_methods,
    given_method,
    method_for,
    need_return_url,
    need_status,
    relabelled,
)
from tallystick.simulators.stripe.method_options import OPTIONS, chosen_options
from tallystick.simulators.stripe.paging import LIST, created_within, page
from tallystick.simulators.stripe.params import (
    CREATED,
    SHIPPING,
    Shape,
    boolean,
    clearable,
    either,
    integer,
    merged,
    metadata,
    one_of,
    text,
)

FUTURE = one_of("off_session", "on_session")
CAPTURE_METHOD = one_of("automatic", "automatic_async", "manual")
CONFIRM: Shape = {
    **METHOD,
    **OPTIONS,
    **MANDATE,
    "error_on_requires_action": boolean,
    "off_session": either(boolean, one_of("one_off", "recurring")),
    "receipt_email": clearable(text),
    "return_url": text,
    "setup_future_usage": FUTURE,
    "use_stripe_sdk": boolean,
}
TOLD: Shape = {
    **DESCRIBED,
    "receipt_email": clearable(text),
    "setup_future_usage": clearable(FUTURE),
    "shipping": clearable(SHIPPING),
    "statement_descriptor": text,
    "statement_descriptor_suffix": text,
}
CREATE: Shape = {
    **CONFIRM,
    **METHOD_CHOICE,
    **TOLD,
    "amount": integer,
    "capture_method": CAPTURE_METHOD,
    "confirm": boolean,
    "currency": text,
}
UPDATE: Shape = {
    **TOLD,
    **METHOD,
    **OPTIONS,
    "amount": integer,
    "capture_method": CAPTURE_METHOD,
    "currency": text,
}
CAPTURE: Shape = {"amount_to_capture": integer, "metadata": metadata, "final_capture": boolean}
CANCEL: Shape = {
    "cancellation_reason": one_of("abandoned", "duplicate", "fraudulent", "requested_by_customer")
}
# Members that only make sense for a request that also confirms.
CONFIRM_ONLY = ("off_session", "return_url", "error_on_requires_action")
UNCONFIRMED = ("requires_payment_method", "requires_confirmation", "requires_action")


def create(call: Call) -> Json:
    """POST /v1/payment_intents, and what makes one on the way."""
    currency = amounts.read_currency(call.params["currency"])
    amounts.check(call.params["amount"], currency)
    if "customer" in call.params:
        call.found("customer", call.params["customer"], param="customer")
    confirming = call.params.get("confirm", False)
    for name in CONFIRM_ONLY:
        if call.params.get(name) and not confirming:
            raise invalid(f"`{name}` can only be used with `confirm=true`.", param=name)
    method = given_method(call)
    intent = call.state.save(_new(call, currency, method))
    check_currency(intent)
    if method:
        check_usable(method, intent)
    emit(call, "payment_intent.created", intent)
    if confirming:
        need_return_url(call, intent)
        return attempt(call, intent, method or method_for(call, intent))
    return intent


def _new(call: Call, currency: str, method: Json | None) -> Json:
    key = call.state.ids.new("pi")
    given = call.params
    intent = {
        "id": key,
        "object": "payment_intent",
        "amount": given["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": given.get("capture_method", "automatic_async"),
        "client_secret": call.state.ids.client_secret(key),
        "confirmation_method": "automatic",
        "created": call.state.now(),
        "currency": currency,
        "customer": given.get("customer"),
        "customer_account": None,
        "description": given.get("description"),
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": merged({}, given.get("metadata") or {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": method["id"] if method else None,
        "payment_method_configuration_details": None,
        "payment_record": None,
        "processing": None,
        "receipt_email": given.get("receipt_email"),
        "review": None,
        "setup_future_usage": given.get("setup_future_usage"),
        "shipping": _shipping(given.get("shipping")),
        "source": None,
        "statement_descriptor": given.get("statement_descriptor"),
        "statement_descriptor_suffix": given.get("statement_descriptor_suffix"),
        "status": "requires_confirmation" if method else "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
        **chosen_methods(call),
    }
    return {**intent, "payment_method_options": chosen_options(call, intent)}


def _shipping(given: Json | None) -> Json | None:
    if given is None:
        return None
    return {"carrier": None, "phone": None, "tracking_number": None, **given}


def _retrieve(call: Call) -> Json:
    return check_secret(call, call.found("payment_intent", call.path["id"]))


def _update(call: Call) -> Json:
    before = call.found("payment_intent", call.path["id"])
    if set(call.named()) - {"metadata", "description", "receipt_email"}:
        need_status(before, "modify", *UNCONFIRMED)
    intent = relabelled(call, before, (*TOLD, "amount", "capture_method"))
    if "shipping" in call.params:
        intent = {**intent, "shipping": _shipping(call.params["shipping"])}
    if "currency" in call.params:
        intent = {**intent, "currency": amounts.read_currency(call.params["currency"])}
    if "amount" in call.params or "currency" in call.params:
        amounts.check(intent["amount"], intent["currency"])
    intent = {**intent, "payment_method_options": chosen_options(call, intent)}
    method = given_method(call)
    if method:
        check_usable(method, intent)
        intent = {**intent, "payment_method": method["id"], "status": "requires_confirmation"}
    return call.state.save(intent)


def _list(call: Call) -> Json:
    customer = call.params.get("customer")
    return page(
        call,
        "payment_intent",
        lambda intent: customer in {None, intent["customer"]} and created_within(call, intent),
    )


ONE = "/v1/payment_intents/{id}"
ROUTES = (
    Route("POST", "/v1/payment_intents", create, CREATE, ("amount", "currency")),
    Route("GET", "/v1/payment_intents", _list, {**LIST, "customer": text, "created": CREATED}),
    Route("GET", ONE, _retrieve, CLIENT_ONLY, client=True),
    Route("POST", ONE, _update, UPDATE),
    Route("POST", f"{ONE}/confirm", confirm, {**CONFIRM, **CLIENT_ONLY}, client=True),
    Route("POST", f"{ONE}/capture", capture, CAPTURE),
    Route("POST", f"{ONE}/cancel", cancel, CANCEL),
)
