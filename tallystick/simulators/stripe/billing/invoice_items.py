"""Invoice items: amounts that wait for the customer's next invoice."""

from decimal import Decimal
from typing import Any

from tallystick.simulators.stripe import amounts
from tallystick.simulators.stripe.billing import invoices
from tallystick.simulators.stripe.billing.invoice_lines import (
    of_invoice_item,
    price_of,
    pricing_of,
)
from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.errors import Json, invalid, missing_parameter
from tallystick.simulators.stripe.events import emit
from tallystick.simulators.stripe.paging import LIST, created_within, page
from tallystick.simulators.stripe.params import (
    CREATED,
    Shape,
    between,
    boolean,
    integer,
    merged,
    metadata,
    nest,
    text,
)

CREATE: Shape = {
    "amount": integer,
    "currency": text,
    "customer": text,
    "description": text,
    "invoice": text,
    "metadata": metadata,
    "period": nest({"start": integer, "end": integer}, required=("start", "end")),
    "pricing": nest({"price": text}),
    "quantity": between(1, 999_999_999),
    "subscription": text,
}


def new_item(
    call: Call, data: dict[str, Any], *, pricing: Json | None = None, proration: bool = False
) -> Json:
    """Make an invoice item; `amount` in minor units, negative for a credit."""
    now, quantity = call.state.now(), data.get("quantity", 1)
    item = {
        "id": call.state.ids.new("ii"),
        "object": "invoiceitem",
        "amount": data["amount"],
        "currency": data["currency"],
        "customer": data["customer"],
        "customer_account": None,
        "date": now,
        "description": data.get("description"),
        "discountable": not proration,
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": merged({}, data.get("metadata") or {}),
        "parent": _parent(data.get("subscription")),
        "period": data.get("period", {"start": now, "end": now}),
        "pricing": pricing,
        "proration": proration,
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "tax_rates": [],
        "test_clock": None,
    }
    emit(call, "invoiceitem.created", call.state.save(item))
    return item


def _parent(subscription_id: str | None) -> Json | None:
    if subscription_id is None:
        return None
    details = {"subscription": subscription_id}
    return {"subscription_details": details, "type": "subscription_details"}


def _create(call: Call) -> Json:
    data = dict(call.named())
    call.found("customer", data["customer"], param="customer")
    if "subscription" in data:
        call.found("subscription", data["subscription"], param="subscription")
    pricing = None
    if "pricing" in data:
        price = call.found("price", data.pop("pricing")["price"], param="pricing[price]")
        quantity = Decimal(data.get("quantity", 1))
        data |= {"amount": price_of(call, price, quantity), "currency": price["currency"]}
        pricing = pricing_of(price)
    if "amount" not in data:
        raise missing_parameter("amount")
    data["currency"] = amounts.read_currency(data.get("currency", "usd"))
    item = new_item(call, data, pricing=pricing)
    return _placed(call, item, data["invoice"]) if "invoice" in data else item


def _placed(call: Call, item: Json, invoice_id: str) -> Json:
    """Put the item on a draft at once."""
    draft = call.found("invoice", invoice_id, param="invoice")
    invoices.need(draft, "changed", "draft")
    if draft["customer"] != item["customer"]:
        raise invalid("The invoice is another customer's.", param="invoice")
    lines = [*draft["lines"]["data"], of_invoice_item(call, item)]
    call.state.save(invoices.with_lines({**draft, "currency": item["currency"]}, lines))
    return call.state.save({**item, "invoice": invoice_id})


def _retrieve(call: Call) -> Json:
    return call.found("invoiceitem", call.path["id"])


def _delete(call: Call) -> Json:
    item = call.found("invoiceitem", call.path["id"])
    if item["invoice"]:
        raise invalid("This invoice item is on an invoice already.")
    call.state.drop("invoiceitem", item["id"])
    return {"id": item["id"], "object": "invoiceitem", "deleted": True}


def _list(call: Call) -> Json:
    wanted = {name: call.params[name] for name in ("customer", "invoice") if name in call.params}
    pending = call.params.get("pending")
    return page(
        call,
        "invoiceitem",
        lambda item: (
            all(item[name] == value for name, value in wanted.items())
            and pending in {None, item["invoice"] is None}
            and created_within(call, {"created": item["date"]})
        ),
    )


FILTERS: Shape = {**LIST, "created": CREATED, "customer": text, "invoice": text, "pending": boolean}
ROUTES = (
    Route("POST", "/v1/invoiceitems", _create, CREATE, ("customer",)),
    Route("GET", "/v1/invoiceitems", _list, FILTERS),
    Route("GET", "/v1/invoiceitems/{id}", _retrieve),
    Route("DELETE", "/v1/invoiceitems/{id}", _delete),
)
