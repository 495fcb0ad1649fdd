"""What a charge tells of the payment method that it was made with."""

from tallystick.simulators.stripe import vault
from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.errors import Json


def of_card(intent: Json, card: Json, *, declined: bool, authenticated: bool) -> Json:
    """Return `payment_method_details.card`."""
    shown = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding")
    return {
        **{name: card[name] for name in shown},
        "amount_authorized": None if declined else intent["amount"],
        "authorization_code": None,
        "electronic_commerce_indicator": None,
        "extended_authorization": {"status": "disabled"},
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "last4": card["last4"],
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": card["brand"],
        "network_token": {"used": False},
        "network_transaction_id": None,
        "overcapture": {
            "maximum_amount_capturable": intent["amount"],
            "status": "unavailable",
        },
        "regulated_status": "unregulated",
        "three_d_secure": _three_d_secure() if authenticated else None,
        "transaction_link_id": None,
        "wallet": None,
    }


def of_bank(call: Call, method: Json) -> Json:
    """Return `payment_method_details.us_bank_account`."""
    account = method["us_bank_account"]
    shown = ("account_holder_type", "account_type", "bank_name", "fingerprint", "last4")
    return {
        **{name: account[name] for name in shown},
        "mandate": vault.mandate_of(call, method["id"]),
        "payment_reference": None,
        "routing_number": account["routing_number"],
    }


def _three_d_secure() -> Json:
    return {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": None,
        "version": "2.2.0",
    }
