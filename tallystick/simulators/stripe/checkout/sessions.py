"""Checkout sessions: made by the business, paid or left by the payer, expired by the clock."""

from tallystick.simulators.stripe import setup_intents, timers
from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.checkout import lines, shapes
from tallystick.simulators.stripe.computed import LINE_ITEMS, whole_list
from tallystick.simulators.stripe.errors import Json, invalid, missing_parameter
from tallystick.simulators.stripe.events import emit
from tallystick.simulators.stripe.paging import LIST, created_within, page
from tallystick.simulators.stripe.params import (
    CREATED,
    Shape,
    between,
    boolean,
    integer,
    many,
    merged,
    metadata,
    nest,
    one_of,
    text,
)
from tallystick.simulators.stripe.payment_intents import CAPTURE_METHOD, FUTURE

EXPIRE = "session_expire"
# What was asked for the intent or subscription that a session makes later.
WISHES = "_session_wishes"
HOUR_SECONDS = 3600
LIFE_SECONDS = 24 * HOUR_SECONDS
LIFE_MIN_SECONDS = 30 * 60
CREATE: Shape = {
    "allow_promotion_codes": boolean,
    "allowed_payment_method_types": many(one_of("card", "us_bank_account")),
    "automatic_tax": nest({"enabled": boolean}),
    "billing_address_collection": one_of("auto", "required"),
    "cancel_url": text,
    "client_reference_id": text,
    "currency": text,
    "customer": text,
    "customer_creation": one_of("always", "if_required"),
    "customer_email": text,
    "expires_at": integer,
    "line_items": lines.LINES,
    "locale": text,
    "metadata": metadata,
    "mode": one_of("payment", "setup", "subscription"),
    "payment_intent_data": nest(
        {
            "capture_method": CAPTURE_METHOD,
            "description": text,
            "metadata": metadata,
            "receipt_email": text,
            "setup_future_usage": FUTURE,
            "statement_descriptor": text,
            "statement_descriptor_suffix": text,
        }
    ),
    "payment_method_collection": one_of("always", "if_required"),
    "payment_method_options": nest(
        {"us_bank_account": nest({"verification_method": one_of("automatic", "instant")})}
    ),
    "setup_intent_data": nest({"description": text, "metadata": metadata}),
    "submit_type": one_of("auto", "book", "donate", "pay", "subscribe"),
    "subscription_data": nest(
        {
            "description": text,
            "metadata": metadata,
            "trial_end": integer,
            "trial_period_days": between(1, 730),
        }
    ),
    "success_url": text,
    "ui_mode": one_of("hosted_page"),
}
DATA_OF = {
    "payment": "payment_intent_data",
    "setup": "setup_intent_data",
    "subscription": "subscription_data",
}


def _create(call: Call) -> Json:
    mode = call.params["mode"]
    _check(call, mode)
    items = lines.read_lines(call, mode)
    session = shapes.new_session(call, items, _expires_at(call))
    call.state.put(LINE_ITEMS, session["id"], {"items": items})
    wishes = {name: call.params[name] for name in DATA_OF.values() if name in call.params}
    call.state.put(WISHES, session["id"], wishes)
    if mode == "setup":
        session = {**session, "setup_intent": _setup_intent(call, session)["id"]}
    call.state.save(session)
    timers.plan(call, session["expires_at"], EXPIRE, session["id"])
    return session


def _check(call: Call, mode: str) -> None:
    for other, name in DATA_OF.items():
        if name in call.params and other != mode:
            raise invalid(f"You can not pass `{name}` in `{mode}` mode.", param=name)
    if call.params.get("automatic_tax", {}).get("enabled"):
        raise invalid("Taxes are not simulated.", param="automatic_tax[enabled]")
    if "success_url" not in call.params:
        raise missing_parameter("success_url")
    if mode == "setup" and not {"currency", "allowed_payment_method_types"} & set(call.params):
        raise missing_parameter("currency")
    if "customer" in call.params:
        call.found("customer", call.params["customer"], param="customer")
        if "customer_email" in call.params:
            raise invalid("You may only specify one of these: customer, customer_email.")


def _expires_at(call: Call) -> int:
    now = call.state.now()
    at: int = call.params.get("expires_at", now + LIFE_SECONDS)
    if not now + LIFE_MIN_SECONDS <= at <= now + LIFE_SECONDS:
        raise invalid(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from now.",
            param="expires_at",
        )
    return at


def _setup_intent(call: Call, session: Json) -> Json:
    wish = call.params.get("setup_intent_data", {})
    params = {**wish, "allowed_payment_method_types": session["payment_method_types"]}
    if session["customer"]:
        params["customer"] = session["customer"]
    return setup_intents.create(call.instead(params))


def expire(call: Call, before: Json) -> Json:
    """Close an open session; nothing can be paid with it any more."""
    timers.unplan(call, EXPIRE, before["id"])
    session = call.state.save({**before, "status": "expired", "url": None})
    emit(call, "checkout.session.expired", session)
    return session


def on_time_up(call: Call, session_id: str) -> None:
    """Expire a session whose time is up."""
    session = call.found("checkout.session", session_id)
    if session["status"] == "open":
        expire(call, session)


def _expire(call: Call) -> Json:
    session = call.found("checkout.session", call.path["id"])
    if session["status"] != "open":
        raise invalid(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout '
            f"Session has a status of `{session['status']}`."
        )
    return expire(call, session)


def _retrieve(call: Call) -> Json:
    return call.found("checkout.session", call.path["id"])


def _update(call: Call) -> Json:
    before = call.found("checkout.session", call.path["id"])
    given = merged(before["metadata"], call.params.get("metadata", {}))
    return call.state.save({**before, "metadata": given})


def _lines(call: Call) -> Json:
    session = call.found("checkout.session", call.path["id"])
    kept = call.state.get(LINE_ITEMS, session["id"]) or {"items": []}
    return whole_list(kept["items"], f"/v1/checkout/sessions/{session['id']}/line_items")


def _list(call: Call) -> Json:
    wanted = {name: call.params[name] for name in PLAIN if name in call.params}
    return page(
        call,
        "checkout.session",
        lambda session: (
            all(session[name] == value for name, value in wanted.items())
            and created_within(call, session)
        ),
        "/v1/checkout/sessions",
    )


ONE = "/v1/checkout/sessions/{id}"
PLAIN: Shape = {
    "customer": text,
    "payment_intent": text,
    "status": one_of("complete", "expired", "open"),
    "subscription": text,
}
ROUTES = (
    Route("POST", "/v1/checkout/sessions", _create, CREATE, ("mode",)),
    Route("GET", "/v1/checkout/sessions", _list, {**LIST, **PLAIN, "created": CREATED}),
    Route("GET", ONE, _retrieve),
    Route("POST", ONE, _update, {"metadata": metadata}),
    Route("POST", f"{ONE}/expire", _expire),
    Route("GET", f"{ONE}/line_items", _lines, LIST),
)
