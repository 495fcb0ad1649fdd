"""Invoice lines: from items of a subscription, from usage, and from invoice items."""

from decimal import Decimal

from tallystick.simulators.stripe.billing.rating import amount_of
from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.computed import TIERS
from tallystick.simulators.stripe.errors import Json
from tallystick.simulators.stripe.meters.summing import usage_between


def of_item(call: Call, subscription: Json, item: Json, start: int, end: int) -> Json:
    """Return the line for a licensed item's period, paid in advance."""
    quantity = Decimal(item["quantity"])
    return _line(call, subscription, item, (start, end), quantity)


def of_usage(call: Call, subscription: Json, item: Json, start: int, end: int) -> Json:
    """Return the line for what a metered item has used in a period that is over."""
    meter = call.found("billing.meter", item["price"]["recurring"]["meter"])
    quantity = usage_between(call.state, meter, subscription["customer"], (start, end))
    return _line(call, subscription, item, (start, end), quantity)


def of_invoice_item(call: Call, item: Json) -> Json:
    """Return the line for an invoice item."""
    parent = {
        "invoice_item_details": {
            "invoice_item": item["id"],
            "proration": item["proration"],
            "proration_details": None,
            "subscription": None,
        },
        "subscription_item_details": None,
        "type": "invoice_item_details",
    }
    quantity = Decimal(item["quantity_decimal"])
    words = item["description"] or "Invoice item"
    return {
        **_blank(call, item["currency"], item["amount"], quantity),
        "description": words,
        "metadata": item["metadata"],
        "parent": parent,
        "period": item["period"],
        "pricing": item["pricing"],
    }


def is_metered(item: Json) -> bool:
    """Tell usage from a quantity that is agreed in advance."""
    return bool((item["price"]["recurring"] or {}).get("usage_type") == "metered")


def price_of(call: Call, price: Json, quantity: Decimal) -> int:
    """Return what the quantity costs at a price, with its tiers, in minor units."""
    tiers = (call.state.get(TIERS, price["id"]) or {"tiers": []})["tiers"]
    return amount_of(price, tiers, quantity)


def pricing_of(price: Json) -> Json:
    """Return a line's `pricing`: which price it comes from."""
    return {
        "price_details": {"price": price["id"], "product": price["product"]},
        "type": "price_details",
        "unit_amount_decimal": price["unit_amount_decimal"],
    }


def _line(
    call: Call, subscription: Json, item: Json, period: tuple[int, int], quantity: Decimal
) -> Json:
    price = item["price"]
    product = call.state.get("product", price["product"]) or {}
    amount = price_of(call, price, quantity)
    details = {
        "invoice_item": None,
        "proration": False,
        "proration_details": None,
        "subscription": subscription["id"],
        "subscription_item": item["id"],
    }
    return {
        **_blank(call, price["currency"], amount, quantity),
        "description": f"{quantity.normalize():f} x {product.get('name', 'Item')}",
        "metadata": subscription["metadata"],
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": details,
            "type": "subscription_item_details",
        },
        "period": {"start": period[0], "end": period[1]},
        "pricing": pricing_of(price),
        "subscription": subscription["id"],
    }


def _blank(call: Call, currency: str, amount: int, quantity: Decimal) -> Json:
    return {
        "id": call.state.ids.new("il"),
        "object": "line_item",
        "amount": amount,
        "currency": currency,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "pretax_credit_amounts": [],
        "quantity": int(quantity),
        "quantity_decimal": f"{quantity.normalize():f}",
        "subscription": None,
        "subtotal": amount,
        "taxes": [],
    }
