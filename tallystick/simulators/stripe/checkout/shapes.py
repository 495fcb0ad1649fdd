"""What a checkout session looks like when it is new."""

from tallystick.simulators.stripe import amounts
from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.checkout import lines
from tallystick.simulators.stripe.errors import Json
from tallystick.simulators.stripe.params import merged

TEXTS = ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")
# Told as they were sent, or not at all.
AS_SENT = (
    "allow_promotion_codes",
    "billing_address_collection",
    "cancel_url",
    "client_reference_id",
    "customer_email",
    "locale",
    "submit_type",
    "success_url",
)
NOT_SIMULATED = (
    "adaptive_pricing", "after_expiration", "branding_settings", "client_secret",
    "collected_information", "consent", "consent_collection", "currency_conversion",
    "customer_account", "integration_identifier", "managed_payments", "origin_context",
    "payment_link", "payment_method_configuration_details", "permissions", "recovered_from",
    "saved_payment_method_options", "shipping_address_collection", "shipping_cost",
    "wallet_options",
)  # fmt: skip
OPTIONAL = ("branding_settings",)


def new_session(call: Call, items: list[Json], expires_at: int) -> Json:
    """Return an open session for the items; amounts in minor units, null in `setup` mode."""
    given = call.params
    mode = given["mode"]
    key = call.state.ids.new("cs_test")
    amount = None if mode == "setup" else lines.total(items)
    allowed = given.get("allowed_payment_method_types")
    customer = call.state.get("customer", given.get("customer", ""))
    return {
        **{name: None for name in NOT_SIMULATED if name not in OPTIONAL},
        "id": key,
        "object": "checkout.session",
        "allowed_payment_method_types": allowed,
        "amount_subtotal": amount,
        "amount_total": amount,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "created": call.state.now(),
        "currency": _currency(call, items),
        "custom_fields": [],
        "custom_text": dict.fromkeys(TEXTS),
        "customer": given.get("customer"),
        "customer_creation": _creation(call),
        "customer_details": _details(customer, given.get("customer_email")),
        "discounts": [],
        "expires_at": expires_at,
        "invoice": None,
        "invoice_creation": _no_invoice() if mode == "payment" else None,
        "livemode": False,
        "metadata": merged({}, given.get("metadata") or {}),
        "mode": mode,
        "payment_intent": None,
        "payment_method_collection": given.get(
            "payment_method_collection", "always" if mode == "subscription" else "if_required"
        ),
        "payment_method_options": {},
        "payment_method_types": allowed or ["card"],
        "payment_status": "no_payment_required" if mode == "setup" else "unpaid",
        "setup_intent": None,
        "shipping_options": [],
        "status": "open",
        "subscription": None,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{call.base_url}/_page/checkout/{key}",
        **{name: given.get(name) for name in AS_SENT},
    }


def _currency(call: Call, items: list[Json]) -> str | None:
    if items:
        return str(items[0]["currency"])
    named = call.params.get("currency")
    return amounts.read_currency(named) if named else None


def _creation(call: Call) -> str | None:
    """Tell whether a customer is made; null where there is one already."""
    if "customer" in call.params:
        return None
    always = call.params["mode"] == "subscription"
    return str(call.params.get("customer_creation", "always" if always else "if_required"))


def _details(customer: Json | None, email: str | None) -> Json | None:
    if customer is None and email is None:
        return None
    known = customer or {}
    return details(known.get("name"), known.get("email") or email, known.get("address"))


def details(name: str | None, email: str | None, address: Json | None) -> Json:
    """Return `customer_details`: what the payer has told, or the customer is known by."""
    return {
        "address": address,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": None,
    }


def _no_invoice() -> Json:
    data = ("account_tax_ids", "custom_fields", "description", "footer", "issuer",
            "metadata", "rendering_options")  # fmt: skip
    return {"enabled": False, "invoice_data": dict.fromkeys(data)}
