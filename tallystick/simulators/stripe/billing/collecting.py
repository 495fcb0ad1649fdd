"""Collecting an invoice: a payment intent, what comes of it, and the tries after a decline."""

import msgspec

from tallystick.simulators.stripe import charging, payment_intents, timers
from tallystick.simulators.stripe.billing import invoices
from tallystick.simulators.stripe.billing.invoice_shapes import new_payment
from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.errors import Json, StripeError, invalid
from tallystick.simulators.stripe.events import emit

# Which invoice an intent pays, and which payment record stands for it.
INVOICE_OF = "_invoice_of"
# Days after each failed try; then the simulator gives up (Stripe's own times are adaptive).
RETRY_DAYS = (3, 5, 7)
TYPES = ("card", "us_bank_account")


def method_of(call: Call, invoice: Json) -> str | None:
    """Return the id of the method that pays: the invoice's, the subscription's, the customer's."""
    if invoice["default_payment_method"]:
        return str(invoice["default_payment_method"])
    details = (invoice["parent"] or {}).get("subscription_details") or {}
    subscription = call.state.get("subscription", details.get("subscription") or "") or {}
    customer = call.found("customer", invoice["customer"])
    default: str | None = customer["invoice_settings"]["default_payment_method"]
    return subscription.get("default_payment_method") or default


def intent_of(call: Call, invoice: Json) -> Json | None:
    """Return the payment intent that pays the invoice, or has paid it."""
    for payment in call.state.newest_first("invoice_payment"):
        if payment["invoice"] == invoice["id"] and payment["status"] != "canceled":
            return call.found("payment_intent", payment["payment"]["payment_intent"])
    return None


def prepare(call: Call, invoice: Json) -> Json:
    """Return the invoice's payment intent, made where there is none yet."""
    known = intent_of(call, invoice)
    if known:
        return known
    types = TYPES if invoice["currency"] == "usd" else TYPES[:1]
    params = {
        "amount": invoice["amount_remaining"],
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "allowed_payment_method_types": list(types),
        "description": f"Invoice {invoice['number']}",
        "setup_future_usage": "off_session",
    }
    intent = payment_intents.create(call.instead(params))
    payment = call.state.save(new_payment(call, invoice, intent))
    link = {"invoice": invoice["id"], "payment": payment["id"]}
    call.state.put(INVOICE_OF, intent["id"], link)
    return intent


def collect(call: Call, invoice: Json, method_id: str, **asked: object) -> Json:
    """Try to pay with a method; return the payment intent.

    Raises StripeError where the bank declines: the try is on record all the same.
    """
    intent = prepare(call, invoice)
    tried = {**call.found("invoice", invoice["id"]), "attempted": True}
    tried["attempt_count"] += 1
    call.state.save(tried)
    params = {"payment_method": method_id, **(asked or {"off_session": True})}
    confirming = msgspec.structs.replace(call.instead(params), path={"id": intent["id"]})
    return charging.confirm(confirming)


def collect_quietly(
    call: Call, invoice: Json, method_id: str, **asked: object
) -> StripeError | None:
    """Try to pay; return the decline instead of raising it."""
    try:
        collect(call, invoice, method_id, **asked)
    except StripeError as error:
        if not error.stands:
            raise
        return error
    return None


def try_now(call: Call, invoice: Json) -> None:
    """Collect automatically; without a method that is a failed try too."""
    method = method_of(call, invoice)
    if method:
        collect_quietly(call, invoice, method)
        return
    prepare(call, invoice)
    tried = call.state.save({**invoice, "attempt_count": invoice["attempt_count"] + 1})
    _failed(call, {**tried, "attempted": True})


def on_retry(call: Call, invoice_id: str) -> None:
    """Try again to collect an invoice that is still open."""
    invoice = call.found("invoice", invoice_id)
    if invoice["status"] == "open":
        try_now(call, invoice)


def on_paid(call: Call, intent: Json) -> None:
    """Settle the invoice of an intent that succeeded."""
    link = call.state.get(INVOICE_OF, intent["id"])
    if link is None:
        return
    payment = call.found("invoice_payment", link["payment"])
    moved = {**payment["status_transitions"], "paid_at": call.state.now()}
    paid = {
        **payment,
        "amount_paid": intent["amount_received"],
        "status": "paid",
        "status_transitions": moved,
    }
    emit(call, "invoice_payment.paid", call.state.save(paid))
    invoice = call.found("invoice", link["invoice"])
    if invoice["status"] in {"open", "uncollectible"}:
        invoices.settle(call, invoice)


def on_failed(call: Call, intent: Json) -> None:
    """Tell that a try to collect failed, and plan the next one."""
    link = call.state.get(INVOICE_OF, intent["id"])
    if link is None:
        return
    invoice = call.found("invoice", link["invoice"])
    error = intent["last_payment_error"] or {}
    if error.get("code") == "authentication_required":
        emit(call, "invoice.payment_action_required", invoice)
    if invoice["status"] == "open":
        _failed(call, invoice)


def on_action(call: Call, intent: Json) -> None:
    """Tell that the payer has to authenticate before the invoice is paid."""
    link = call.state.get(INVOICE_OF, intent["id"])
    if link:
        emit(call, "invoice.payment_action_required", call.found("invoice", link["invoice"]))


def _failed(call: Call, invoice: Json) -> None:
    tries = invoice["attempt_count"]
    again = None
    if tries <= len(RETRY_DAYS) and invoice["billing_reason"] == "subscription_cycle":
        again = call.state.now() + RETRY_DAYS[tries - 1] * invoices.DAY_SECONDS
        timers.plan(call, again, invoices.RETRY, invoice["id"])
    failed = call.state.save({**invoice, "next_payment_attempt": again})
    emit(call, "invoice.payment_failed", failed)


def need_method(call: Call, invoice: Json) -> str:
    """Return the method that pays. Raises StripeError when the customer has none."""
    method = method_of(call, invoice)
    if method is None:
        raise invalid(
            "This customer has no attached payment source or default payment method. Please "
            "consider adding a default payment method.",
            code="resource_missing",
        )
    return method
