"""What an invoice and its payment look like when they are new."""

from collections.abc import Mapping

from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.errors import Json

NOT_SIMULATED = (
    "account_tax_ids", "application", "custom_fields", "customer_account", "default_source",
    "from_invoice", "last_finalization_error", "latest_revision", "on_behalf_of", "receipt_number",
    "rendering", "shipping_cost", "shipping_details", "statement_descriptor", "test_clock",
    "webhooks_delivered_at",
)  # fmt: skip
LATER = (
    "automatically_finalizes_at", "default_payment_method", "description", "due_date",
    "effective_at", "ending_balance", "footer", "hosted_invoice_url", "invoice_pdf",
    "next_payment_attempt", "number", "parent",
)  # fmt: skip
ZERO = (
    "amount_overpaid", "amount_paid", "amount_shipping", "attempt_count",
    "post_payment_credit_notes_amount", "pre_payment_credit_notes_amount", "starting_balance",
)  # fmt: skip
MOMENTS = ("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")


def new_invoice(
    call: Call, customer: Json, lines: list[Json], members: Mapping[str, object]
) -> Json:
    """Return a draft; `members` override what is usual. Amounts are minor units."""
    key, now = call.state.ids.new("in"), call.state.now()
    total = sum(line["amount"] for line in lines)
    return {
        **dict.fromkeys((*NOT_SIMULATED, *LATER)),
        **dict.fromkeys(ZERO, 0),
        **_of_customer(customer),
        "id": key,
        "object": "invoice",
        "account_country": "US",
        "account_name": "Stripe simulator",
        "amount_due": max(total, 0),
        "amount_remaining": max(total, 0),
        "attempted": False,
        "auto_advance": True,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "billing_reason": "manual",
        "collection_method": "charge_automatically",
        "created": now,
        "currency": lines[0]["currency"] if lines else "usd",
        "default_tax_rates": [],
        "discounts": [],
        "issuer": {"type": "self"},
        "lines": {
            "object": "list",
            "data": [{**line, "invoice": key} for line in lines],
            "has_more": False,
            "url": f"/v1/invoices/{key}/lines",
        },
        "livemode": False,
        "metadata": {},
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
        "period_end": now,
        "period_start": now,
        "status": "draft",
        "status_transitions": dict.fromkeys(MOMENTS),
        "subtotal": total,
        "subtotal_excluding_tax": total,
        "total": total,
        "total_discount_amounts": [],
        "total_excluding_tax": total,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        **members,
    }


def new_payment(call: Call, invoice: Json, intent: Json) -> Json:
    """Return the record that an intent is to pay an invoice."""
    return {
        "id": call.state.ids.new("inpay"),
        "object": "invoice_payment",
        "amount_paid": None,
        "amount_requested": invoice["amount_remaining"],
        "created": call.state.now(),
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
    }


def _of_customer(customer: Json) -> Json:
    told = ("address", "email", "name", "phone", "shipping", "tax_exempt")
    return {
        "customer": customer["id"],
        **{f"customer_{name}": customer[name] for name in told},
        "customer_tax_ids": [],
    }
