"""Customers: who is charged, and their default payment method."""

from tallystick.simulators.stripe import vault
from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.errors import Json, invalid
from tallystick.simulators.stripe.events import emit
from tallystick.simulators.stripe.paging import LIST, created_within, page
from tallystick.simulators.stripe.params import (
    ADDRESS,
    CREATED,
    SHIPPING,
    Shape,
    clearable,
    integer,
    many,
    merged,
    metadata,
    nest,
    one_of,
    text,
)
from tallystick.simulators.stripe.payment_methods import attach, owned_by, usable

FIELDS: Shape = {
    "address": clearable(ADDRESS),
    "balance": integer,
    "description": clearable(text),
    "email": clearable(text),
    "invoice_prefix": text,
    "invoice_settings": nest(
        {"default_payment_method": clearable(text), "footer": clearable(text)}
    ),
    "metadata": metadata,
    "name": clearable(text),
    "next_invoice_sequence": integer,
    "phone": clearable(text),
    "preferred_locales": many(text),
    "shipping": clearable(SHIPPING),
    "tax_exempt": clearable(one_of("none", "exempt", "reverse")),
}
DEFAULT_PARAM = "invoice_settings[default_payment_method]"
EMPTY_ADDRESS = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))


def create(call: Call) -> Json:
    """POST /v1/customers, and what makes one on the way."""
    blank: Json = {
        "id": call.state.ids.new("cus"),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": call.state.now(),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": call.state.ids.new("x")[2:10].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    customer = call.state.save(blank)
    if "payment_method" in call.params:
        method = usable(call, call.params["payment_method"], "payment_method")
        attach(call, method, customer["id"])
    customer = call.state.save(_filled(call, customer))
    emit(call, "customer.created", customer)
    return customer


def _update(call: Call) -> Json:
    before = call.found("customer", call.path["id"])
    customer = call.state.save(_filled(call, before))
    if customer != before:
        emit(call, "customer.updated", customer, before)
    return customer


def _filled(call: Call, customer: Json) -> Json:
    """Return the customer with the parameters of a create or an update laid over it."""
    given = dict(call.named())
    given.pop("payment_method", None)
    if "metadata" in given:
        given["metadata"] = merged(customer["metadata"], given["metadata"])
    if given.get("address"):
        given["address"] = {**EMPTY_ADDRESS, **given["address"]}
    if given.get("shipping"):
        shipping = given["shipping"]
        given["shipping"] = {
            "phone": None,
            **shipping,
            "address": {**EMPTY_ADDRESS, **shipping["address"]},
        }
    if "tax_exempt" in given:
        given["tax_exempt"] = given["tax_exempt"] or "none"
    if "invoice_settings" in given:
        _check_default(call, customer, given["invoice_settings"].get("default_payment_method"))
        given["invoice_settings"] = {**customer["invoice_settings"], **given["invoice_settings"]}
    return {**customer, **given}


def _check_default(call: Call, customer: Json, method_id: str | None) -> None:
    if method_id is None:
        return
    method = call.state.get("payment_method", method_id)
    if method is None or method["customer"] != customer["id"]:
        raise invalid(
            f"The customer does not have a payment method with the ID {method_id}. The payment "
            "method must be attached to the customer.",
            code="resource_missing",
            param=DEFAULT_PARAM,
        )


def _retrieve(call: Call) -> Json:
    customer = call.state.get("customer", call.path["id"])
    # A deleted customer can still be looked up: Stripe answers with what is left of it.
    if customer and customer.get("deleted"):
        return customer
    return call.found("customer", call.path["id"])


def _delete(call: Call) -> Json:
    customer = call.found("customer", call.path["id"])
    for method in list(owned_by(call, customer["id"])):
        call.state.save({**method, "customer": None})
        vault.mark(call, method["id"], spent=True)
    emit(call, "customer.deleted", customer)
    return call.state.save({"id": customer["id"], "object": "customer", "deleted": True})


def _list(call: Call) -> Json:
    email = call.params.get("email")
    return page(
        call,
        "customer",
        lambda customer: (
            not customer.get("deleted")
            and (email is None or customer["email"] == email)
            and created_within(call, customer)
        ),
    )


ROUTES = (
    Route("POST", "/v1/customers", create, {**FIELDS, "payment_method": text}),
    Route("GET", "/v1/customers", _list, {**LIST, "email": text, "created": CREATED}),
    Route("GET", "/v1/customers/{id}", _retrieve),
    Route("POST", "/v1/customers/{id}", _update, FIELDS),
    Route("DELETE", "/v1/customers/{id}", _delete),
)
