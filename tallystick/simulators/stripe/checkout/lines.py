"""Line items of a checkout session: prices and quantities, added up."""

from tallystick.simulators.stripe import amounts
from tallystick.simulators.stripe.billing import prices
from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.errors import Json, invalid, missing_parameter
from tallystick.simulators.stripe.params import between, many, nest, text

QUANTITY_MAX = 999_999
LINES = many(
    nest({"price": text, "price_data": prices.PRICE_DATA, "quantity": between(1, QUANTITY_MAX)})
)


def read_lines(call: Call, mode: str) -> list[Json]:
    """Return the session's line items. Raises StripeError where they do not fit the mode."""
    given = call.params.get("line_items", [])
    if mode == "setup":
        if given:
            raise invalid("`line_items` can not be used in `setup` mode.", param="line_items")
        return []
    if not given:
        raise missing_parameter("line_items")
    found = [prices.priced(call, line, f"line_items[{place}]") for place, line in enumerate(given)]
    items = [_item(call, price, line.get("quantity", 1)) for price, line in found]
    if len({item["currency"] for item in items}) > 1:
        raise invalid("All line items must be in one currency.", param="line_items")
    recurring = [item["price"]["type"] == "recurring" for item in items]
    if mode == "subscription" and not any(recurring):
        raise invalid("In `subscription` mode at least one price must be recurring.")
    if mode == "payment" and any(recurring):
        raise invalid(
            "You specified `payment` mode but passed a recurring price. Either switch to "
            "`subscription` mode or use only one-time prices."
        )
    return items


def total(items: list[Json]) -> int:
    """Return what the items come to, in minor units."""
    return sum(item["amount_total"] for item in items)


def shown(item: Json) -> str:
    """Return a line for people: `2 x Pro: $98.00 usd`."""
    amount = amounts.shown(item["amount_total"], item["currency"])
    return f"{item['quantity']} x {item['description']}: {amount}"


def _item(call: Call, price: Json, quantity: int) -> Json:
    unit = price["unit_amount"]
    metered = (price["recurring"] or {}).get("usage_type") == "metered"
    if unit is None and not metered:
        raise invalid("This simulator's Checkout takes whole unit amounts alone.")
    amount = 0 if metered else unit * quantity
    product = call.found("product", price["product"])
    return {
        "id": call.state.ids.new("li"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price["currency"],
        "description": product["name"],
        "metadata": {},
        "price": price,
        "quantity": None if metered else quantity,
    }
