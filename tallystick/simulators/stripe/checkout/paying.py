"""What happens when the payer presses the button of the hosted page, and when the money comes.

A session is completed by what its intent or invoice reports, never by the page: so a payer who
closes the browser in the middle of the bank's check changes nothing.
"""

import msgspec

from tallystick.simulators.stripe import charging, customers, payment_intents, setup_intents, timers
from tallystick.simulators.stripe.bank import accounts
from tallystick.simulators.stripe.bank import methods as bank_methods
from tallystick.simulators.stripe.billing import collecting, invoices, subscriptions
from tallystick.simulators.stripe.billing.invoice_items import new_item
from tallystick.simulators.stripe.billing.invoice_lines import pricing_of
from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.checkout.sessions import EXPIRE, WISHES
from tallystick.simulators.stripe.checkout.shapes import details
from tallystick.simulators.stripe.computed import LINE_ITEMS
from tallystick.simulators.stripe.errors import Json, invalid, missing_parameter
from tallystick.simulators.stripe.events import emit
from tallystick.simulators.stripe.params import Shape, integer, one_of, text
from tallystick.simulators.stripe.payment_methods import attach, from_data

# The session that an intent or a subscription was made for.
SESSION_OF = "_session_of"
ACCEPTED = {"customer_acceptance": {"type": "online"}}


def pay(call: Call) -> Json:
    """POST /_page/checkout/{id}/pay: use what the payer typed in; say where to go next."""
    session = call.found("checkout.session", call.path["id"])
    if session["status"] != "open":
        raise invalid(f"This Checkout Session is {session['status']}.")
    method = _method(call, session)
    session = call.state.save(_known(call, session))
    if session["mode"] == "setup":
        intent = _set_up(call, session, method)
    elif session["mode"] == "payment":
        intent = _pay_once(call, session, method)
    else:
        intent = _subscribe(call, session, method)
    step = (intent["next_action"] or {}).get("redirect_to_url")
    return {"object": "checkout_step", "url": step["url"] if step else _page_of(call, session)}


def _method(call: Call, session: Json) -> Json:
    """Make the payment method: an account of the test bank is verified at once."""
    holder = {"billing_details": {"name": call.params["name"], "email": call.params.get("email")}}
    kind = call.params["type"]
    if kind not in session["payment_method_types"]:
        raise invalid(f"This session does not take {kind}.", param="type")
    if kind == "us_bank_account":
        account = accounts.by_token(accounts.TOKEN + call.params.get("test_account", ""))
        if account is None:
            raise missing_parameter("test_account")
        return bank_methods.make(call, account, holder, verified=True)
    card = {name: call.params[name] for name in ("number", "cvc") if name in call.params}
    for name in ("exp_month", "exp_year"):
        if name in call.params:
            card[name] = call.params[name]
    return from_data(call, {"type": "card", "card": card, **holder}, "")


def _known(call: Call, session: Json) -> Json:
    """Return the session with the customer it belongs to, made where the session asks for one."""
    email = session["customer_email"] or call.params.get("email")
    name = call.params["name"]
    before = session["customer_details"] or details(name, email, None)
    told = {**before, "name": before["name"] or name, "email": before["email"] or email}
    session = {**session, "customer_details": told}
    wish = (call.state.get(WISHES, session["id"]) or {}).get("payment_intent_data", {})
    needed = session["customer_creation"] == "always" or wish.get("setup_future_usage")
    if session["customer"] or not needed:
        return session
    params = {"name": told["name"]} | ({"email": told["email"]} if told["email"] else {})
    return {**session, "customer": customers.create(call.instead(params))["id"]}


def _set_up(call: Call, session: Json, method: Json) -> Json:
    call.state.put(SESSION_OF, session["setup_intent"], {"session": session["id"]})
    return setup_intents.confirm(_confirming(call, session, session["setup_intent"], method))


def _pay_once(call: Call, session: Json, method: Json) -> Json:
    """Make the payment intent at the first try; a declined card is tried again with the same."""
    if session["payment_intent"] is None:
        wish = (call.state.get(WISHES, session["id"]) or {}).get("payment_intent_data", {})
        params = {
            **wish,
            "amount": session["amount_total"],
            "currency": session["currency"],
            "allowed_payment_method_types": session["payment_method_types"],
        }
        if session["customer"]:
            params["customer"] = session["customer"]
        made = payment_intents.create(call.instead(params))
        call.state.put(SESSION_OF, made["id"], {"session": session["id"]})
        session = call.state.save({**session, "payment_intent": made["id"]})
    return charging.confirm(_confirming(call, session, session["payment_intent"], method))


def _subscribe(call: Call, session: Json, method: Json) -> Json:
    """Start the subscription at the first try; its first invoice is paid with the method."""
    method = attach(call, method, session["customer"])
    if session["subscription"]:
        subscription = call.found("subscription", session["subscription"])
        subscription = call.state.save({**subscription, "default_payment_method": method["id"]})
        invoice = call.found("invoice", subscription["latest_invoice"])
    else:
        subscription, draft = subscriptions.start(call, _wished(call, session, method))
        told = {"subscription": subscription["id"], "invoice": draft["id"]}
        session = call.state.save({**session, **told})
        call.state.put(SESSION_OF, draft["id"], {"session": session["id"]})
        invoice = invoices.finalize(call, draft)
    if invoice["status"] == "paid":
        return {"next_action": None}
    intent = collecting.prepare(call, invoice)
    call.state.put(SESSION_OF, intent["id"], {"session": session["id"]})
    back = _confirming(call, session, intent["id"], method).params
    asked = {name: value for name, value in back.items() if name != "payment_method"}
    return collecting.collect(call, invoice, method["id"], **asked)


def _wished(call: Call, session: Json, method: Json) -> Json:
    wish = (call.state.get(WISHES, session["id"]) or {}).get("subscription_data", {})
    lines = (call.state.get(LINE_ITEMS, session["id"]) or {"items": []})["items"]
    items = [
        {"price": line["price"]["id"], "quantity": line["quantity"] or 1}
        for line in lines
        if line["price"]["type"] == "recurring"
    ]
    for line in lines:
        if line["price"]["type"] == "one_time":
            once = {"amount": line["amount_total"], "currency": line["currency"]}
            told = {"customer": session["customer"], "description": line["description"]}
            new_item(call, {**once, **told}, pricing=pricing_of(line["price"]))
    return {
        **wish,
        "customer": session["customer"],
        "default_payment_method": method["id"],
        "items": items,
    }


def _confirming(call: Call, session: Json, intent_id: str, method: Json) -> Call:
    """Return the call that confirms an intent; the bank's check leads back to the page."""
    params = {
        "payment_method": method["id"],
        "return_url": _page_of(call, session),
        "mandate_data": ACCEPTED,
    }
    return msgspec.structs.replace(call.instead(params), path={"id": intent_id})


def _page_of(call: Call, session: Json) -> str:
    return f"{call.base_url}/_page/checkout/{session['id']}"


def on_intent(call: Call, intent: Json) -> None:
    """Complete the session of an intent that succeeded or is processing, or tell the late result.

    Raises nothing for an intent that no session made.
    """
    session = _session_of(call, intent["id"])
    if session is None:
        return
    paid = "paid" if intent["status"] == "succeeded" else "unpaid"
    if session["mode"] == "setup":
        paid = session["payment_status"]
    if session["status"] == "open":
        complete(call, session, paid)
    elif session["payment_status"] == "unpaid" and paid == "paid":
        done = call.state.save({**session, "payment_status": paid})
        emit(call, "checkout.session.async_payment_succeeded", done)


def on_invoice_paid(call: Call, invoice: Json) -> None:
    """Complete the session of an invoice that needed no intent: a trial, or nothing to pay."""
    session = _session_of(call, invoice["id"])
    if session and session["status"] == "open":
        paid = "paid" if invoice["total"] else "no_payment_required"
        complete(call, session, paid)


def on_failed(call: Call, intent: Json) -> None:
    """Tell that a debit failed after its session was complete."""
    session = _session_of(call, intent["id"])
    if session and session["status"] == "complete" and session["payment_status"] == "unpaid":
        emit(call, "checkout.session.async_payment_failed", session)


def complete(call: Call, session: Json, paid: str, **members: str | None) -> None:
    """Close a session that the payer has finished."""
    timers.unplan(call, EXPIRE, session["id"])
    done = {**session, **members, "payment_status": paid, "status": "complete", "url": None}
    emit(call, "checkout.session.completed", call.state.save(done))


def _session_of(call: Call, key: str) -> Json | None:
    link = call.state.get(SESSION_OF, key)
    return call.state.get("checkout.session", link["session"]) if link else None


PAID: Shape = {
    "cvc": text,
    "email": text,
    "exp_month": integer,
    "exp_year": integer,
    "name": text,
    "number": text,
    "test_account": one_of(*(account.token for account in accounts.ACCOUNTS)),
    "type": one_of("card", "us_bank_account"),
}
ROUTES = (Route("POST", "/_page/checkout/{id}/pay", pay, PAID, ("name", "type"), client=True),)
