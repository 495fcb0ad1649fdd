"""The routes of invoices and of their payments."""

import msgspec

from tallystick.simulators.stripe import amounts, charging, timers
from tallystick.simulators.stripe.billing import collecting, invoices
from tallystick.simulators.stripe.billing.invoice_lines import of_invoice_item
from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.errors import Json, missing_parameter
from tallystick.simulators.stripe.events import emit
from tallystick.simulators.stripe.paging import LIST, created_within, page
from tallystick.simulators.stripe.params import (
    CREATED,
    Shape,
    between,
    boolean,
    clearable,
    integer,
    merged,
    metadata,
    nest,
    one_of,
    text,
)

COLLECTION = one_of("charge_automatically", "send_invoice")
TOLD: Shape = {
    "auto_advance": boolean,
    "collection_method": COLLECTION,
    "days_until_due": between(0, 1000),
    "default_payment_method": clearable(text),
    "description": clearable(text),
    "due_date": integer,
    "footer": clearable(text),
    "metadata": metadata,
}
CREATE: Shape = {
    **TOLD,
    "currency": text,
    "customer": text,
    "pending_invoice_items_behavior": one_of("exclude", "include"),
}
PAY: Shape = {
    "off_session": boolean,
    "paid_out_of_band": boolean,
    "payment_method": text,
}


def _create(call: Call) -> Json:
    customer = call.found("customer", call.params["customer"], param="customer")
    currency = amounts.read_currency(call.params.get("currency", customer["currency"] or "usd"))
    waiting = []
    if call.params.get("pending_invoice_items_behavior", "exclude") == "include":
        waiting = _waiting(call, customer, currency)
    lines = [of_invoice_item(call, item) for item in waiting]
    members = {"auto_advance": False, **_members(call), "currency": currency}
    draft = invoices.draw_up(call, customer, lines, **members)
    for item in waiting:
        call.state.save({**item, "invoice": draft["id"]})
    if draft["auto_advance"]:
        at = call.state.now() + invoices.HOUR_SECONDS
        draft = call.state.save({**draft, "automatically_finalizes_at": at})
        timers.plan(call, at, invoices.FINALIZE, draft["id"])
    return draft


def _waiting(call: Call, customer: Json, currency: str) -> list[Json]:
    return [
        item
        for item in reversed(list(call.state.newest_first("invoiceitem")))
        if (item["customer"], item["invoice"], item["currency"]) == (customer["id"], None, currency)
    ]


def _members(call: Call) -> Json:
    given = {name: call.params[name] for name in TOLD if name in call.params}
    days = given.pop("days_until_due", None)
    if given.get("collection_method") == "send_invoice" and not days and "due_date" not in given:
        raise missing_parameter("days_until_due")
    if days:
        given["due_date"] = call.state.now() + days * invoices.DAY_SECONDS
    if "metadata" in given:
        given["metadata"] = merged({}, given["metadata"] or {})
    return given


def _retrieve(call: Call) -> Json:
    return call.found("invoice", call.path["id"])


def _update(call: Call) -> Json:
    before = call.found("invoice", call.path["id"])
    given = dict(call.named())
    if set(given) - {"metadata", "description", "auto_advance", "default_payment_method"}:
        invoices.need(before, "changed", "draft")
    members = _members(call)
    if "metadata" in given:
        members["metadata"] = merged(before["metadata"], given["metadata"])
    invoice = call.state.save({**before, **members})
    emit(call, "invoice.updated", invoice, before)
    return invoice


def _delete(call: Call) -> Json:
    invoice = call.found("invoice", call.path["id"])
    invoices.need(invoice, "deleted", "draft")
    timers.unplan(call, invoices.FINALIZE, invoice["id"])
    emit(call, "invoice.deleted", invoice)
    call.state.drop("invoice", invoice["id"])
    return {"id": invoice["id"], "object": "invoice", "deleted": True}


def _finalize(call: Call) -> Json:
    draft = call.found("invoice", call.path["id"])
    advance = call.params.get("auto_advance", draft["auto_advance"])
    return invoices.finalize(call, {**draft, "auto_advance": advance})


def _send(call: Call) -> Json:
    invoice = call.found("invoice", call.path["id"])
    if invoice["status"] == "draft":
        invoice = invoices.finalize(call, invoice)
    emit(call, "invoice.sent", invoice)
    return invoice


def _pay(call: Call) -> Json:
    invoice = call.found("invoice", call.path["id"])
    if invoice["status"] == "draft":
        invoice = invoices.finalize(call, invoice)
    invoices.need(invoice, "paid", "open", "uncollectible")
    if call.params.get("paid_out_of_band"):
        return invoices.settle(call, invoice)
    method = call.params.get("payment_method") or collecting.need_method(call, invoice)
    collecting.collect(call, invoice, method, off_session=call.params.get("off_session", True))
    return call.found("invoice", invoice["id"])


def _void(call: Call) -> Json:
    invoice = invoices.void(call, call.found("invoice", call.path["id"]))
    for payment in call.state.newest_first("invoice_payment"):
        if payment["invoice"] == invoice["id"] and payment["status"] == "open":
            intent = payment["payment"]["payment_intent"]
            charging.cancel(msgspec.structs.replace(call.instead({}), path={"id": intent}))
            break
    return invoice


def _write_off(call: Call) -> Json:
    return invoices.write_off(call, call.found("invoice", call.path["id"]))


def _lines(call: Call) -> Json:
    found: Json = call.found("invoice", call.path["id"])["lines"]
    return found


def _list(call: Call) -> Json:
    wanted = {name: call.params[name] for name in PLAIN if name in call.params}
    subscription = call.params.get("subscription")
    return page(
        call,
        "invoice",
        lambda invoice: (
            all(invoice[name] == value for name, value in wanted.items())
            and subscription in {None, _subscription(invoice)}
            and created_within(call, invoice)
        ),
    )


def _subscription(invoice: Json) -> str | None:
    details = (invoice["parent"] or {}).get("subscription_details") or {}
    return details.get("subscription")


def _payments(call: Call) -> Json:
    invoice, status = call.params.get("invoice"), call.params.get("status")
    intent = call.params.get("payment", {}).get("payment_intent")
    return page(
        call,
        "invoice_payment",
        lambda payment: (
            invoice in {None, payment["invoice"]}
            and status in {None, payment["status"]}
            and intent in {None, payment["payment"]["payment_intent"]}
        ),
    )


def _payment(call: Call) -> Json:
    return call.found("invoice_payment", call.path["id"])


ONE = "/v1/invoices/{id}"
PLAIN: Shape = {
    "collection_method": COLLECTION,
    "customer": text,
    "status": one_of("draft", "open", "paid", "uncollectible", "void"),
}
FILTERS: Shape = {**LIST, **PLAIN, "created": CREATED, "subscription": text}
PAYMENTS: Shape = {
    **LIST,
    "invoice": text,
    "payment": nest({"payment_intent": text, "type": one_of("payment_intent")}),
    "status": one_of("canceled", "open", "paid"),
}
ROUTES = (
    Route("POST", "/v1/invoices", _create, CREATE, ("customer",)),
    Route("GET", "/v1/invoices", _list, FILTERS),
    Route("GET", ONE, _retrieve),
    Route("POST", ONE, _update, TOLD),
    Route("DELETE", ONE, _delete),
    Route("POST", f"{ONE}/finalize", _finalize, {"auto_advance": boolean}),
    Route("POST", f"{ONE}/send", _send),
    Route("POST", f"{ONE}/pay", _pay, PAY),
    Route("POST", f"{ONE}/void", _void),
    Route("POST", f"{ONE}/mark_uncollectible", _write_off),
    Route("GET", f"{ONE}/lines", _lines, LIST),
    Route("GET", "/v1/invoice_payments", _payments, PAYMENTS),
    Route("GET", "/v1/invoice_payments/{id}", _payment),
)
