"""Proration: what a change in the middle of a period gives back and what it costs."""

from decimal import Decimal

from tallystick.simulators.stripe.billing.invoice_items import new_item
from tallystick.simulators.stripe.billing.invoice_lines import is_metered, price_of, pricing_of
from tallystick.simulators.stripe.billing.rating import share
from tallystick.simulators.stripe.billing.subscription_shapes import items_of
from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.errors import Json


def prorate(call: Call, before: Json, after: Json) -> None:
    """Make invoice items for the rest of the period: a credit for the old, a debit for the new."""
    if before["status"] == "trialing":
        return
    old = {item["id"]: item for item in items_of(before)}
    new = {item["id"]: item for item in items_of(after)}
    for key in [*old, *(key for key in new if key not in old)]:
        was, becomes = old.get(key), new.get(key)
        if was and becomes and _terms(was) == _terms(becomes):
            continue
        period = was or becomes or {}
        for item, sign in ((was, -1), (becomes, 1)):
            if item and not is_metered(item):
                _rest(call, before, item, sign, period)


def _terms(item: Json) -> tuple[str, int | None]:
    return item["price"]["id"], item.get("quantity")


def _rest(call: Call, subscription: Json, item: Json, sign: int, period: Json) -> None:
    start, end = period["current_period_start"], period["current_period_end"]
    now = call.state.now()
    whole = price_of(call, item["price"], Decimal(item["quantity"]))
    words = "Unused time" if sign < 0 else "Remaining time"
    product = call.state.get("product", item["price"]["product"]) or {}
    new_item(
        call,
        {
            "amount": sign * share(whole, end - now, end - start),
            "currency": item["price"]["currency"],
            "customer": subscription["customer"],
            "description": f"{words} on {product.get('name', 'item')}",
            "period": {"start": now, "end": end},
        },
        pricing=pricing_of(item["price"]),
        proration=True,
    )
