"""What a subscription and its items look like."""

from typing import Any

from tallystick.simulators.stripe.billing.prices import priced
from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.errors import Json, invalid
from tallystick.simulators.stripe.params import merged

NOT_SIMULATED = (
    "application", "application_fee_percent", "billing_cycle_anchor_config", "billing_thresholds",
    "cancel_at", "canceled_at", "cancellation_details", "customer_account", "days_until_due",
    "default_payment_method", "default_source", "description", "ended_at", "latest_invoice",
    "managed_payments", "next_pending_invoice_item_invoice", "on_behalf_of", "pause_collection",
    "pending_invoice_item_interval", "pending_setup_intent", "pending_update", "schedule",
    "test_clock", "transfer_data", "trial_end", "trial_start",
)  # fmt: skip


def new_subscription(call: Call, data: dict[str, Any], items: list[Json]) -> Json:
    """Return a subscription that is incomplete; its items carry their period."""
    key, now = call.state.ids.new("sub"), call.state.now()
    return {
        **dict.fromkeys(NOT_SIMULATED),
        "id": key,
        "object": "subscription",
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": now,
        "billing_mode": {"flexible": None, "type": "classic"},
        "billing_schedules": [],
        "cancel_at_period_end": data.get("cancel_at_period_end", False),
        "collection_method": data.get("collection_method", "charge_automatically"),
        "created": now,
        "currency": items[0]["price"]["currency"],
        "customer": data["customer"],
        "days_until_due": data.get("days_until_due"),
        "default_payment_method": data.get("default_payment_method"),
        "default_tax_rates": [],
        "description": data.get("description"),
        "discounts": [],
        "invoice_settings": {
            "account_tax_ids": None,
            "custom_fields": None,
            "description": None,
            "footer": None,
            "issuer": {"type": "self"},
        },
        "items": _listed(key, items),
        "livemode": False,
        "metadata": merged({}, data.get("metadata") or {}),
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
            **data.get("payment_settings", {}),
        },
        "start_date": now,
        "status": "incomplete",
        "trial_settings": {
            "end_behavior": {
                "billing_cycle_anchor": None,
                "missing_payment_method": "create_invoice",
            }
        },
    }


def new_items(call: Call, given: list[dict[str, Any]]) -> list[Json]:
    """Return subscription items for what was asked; all have one currency and one interval."""
    found = [priced(call, one, f"items[{place}]") for place, one in enumerate(given)]
    items = [_item(call, price, one) for price, one in found]
    rhythms = {_rhythm(item) for item in items}
    if len(rhythms) != 1:
        raise invalid("All items must have one currency and one interval.", param="items")
    return items


def items_of(subscription: Json) -> list[Json]:
    """Return the subscription's items."""
    found: list[Json] = subscription["items"]["data"]
    return found


def with_items(subscription: Json, items: list[Json]) -> Json:
    """Return the subscription with other items."""
    return {**subscription, "items": _listed(subscription["id"], items)}


def with_period(subscription: Json, start: int, end: int) -> Json:
    """Return the subscription with all items in the given period."""
    period = {"current_period_start": start, "current_period_end": end}
    return with_items(subscription, [{**item, **period} for item in items_of(subscription)])


def _rhythm(item: Json) -> tuple[str, str, int]:
    recurring = item["price"]["recurring"]
    if recurring is None:
        raise invalid("The price of a subscription must be recurring.", param="items")
    return item["price"]["currency"], recurring["interval"], recurring["interval_count"]


def _item(call: Call, price: Json, given: dict[str, Any]) -> Json:
    metered = (price["recurring"] or {}).get("usage_type") == "metered"
    now = call.state.now()
    item: Json = {
        "id": given.get("id") or call.state.ids.new("si"),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": now,
        "current_period_end": now,
        "current_period_start": now,
        "current_trial": None,
        "discounts": [],
        "metadata": merged({}, given.get("metadata") or {}),
        "plan": _plan(price),
        "price": price,
        "subscription": "",
        "tax_rates": [],
    }
    return item if metered else {**item, "quantity": given.get("quantity", 1)}


def _plan(price: Json) -> Json:
    """Return the price in the shape that plans had; Stripe still sends both."""
    recurring = price["recurring"] or {}
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "currency": price["currency"],
        "interval": recurring.get("interval"),
        "interval_count": recurring.get("interval_count"),
        "product": price["product"],
        "usage_type": recurring.get("usage_type"),
    }


def _listed(key: str, items: list[Json]) -> Json:
    return {
        "object": "list",
        "data": [{**item, "subscription": key} for item in items],
        "has_more": False,
        "url": f"/v1/subscription_items?subscription={key}",
    }
