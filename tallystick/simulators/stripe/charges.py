"""Charges: one try to take money through a card, made by payment intents."""

import msgspec

from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.cards import Decline
from tallystick.simulators.stripe.errors import Json
from tallystick.simulators.stripe.paging import LIST, created_within, page
from tallystick.simulators.stripe.params import CREATED, text


class Attempt(msgspec.Struct, frozen=True):
    """How the card's bank answered: taken, held for a later capture, or declined."""

    captured: bool
    authenticated: bool
    decline: Decline | None = None


def new_charge(call: Call, intent: Json, method: Json, attempt: Attempt) -> Json:
    """Return the charge of an intent's attempt; amounts are minor units."""
    taken = attempt.decline is None
    return {
        "id": call.state.ids.new("ch"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if taken and attempt.captured else 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "STRIPE SIMULATOR",
        "captured": taken and attempt.captured,
        "created": call.state.now(),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": attempt.decline.code if attempt.decline else None,
        "failure_message": attempt.decline.message if attempt.decline else None,
        "fraud_details": {},
        "livemode": False,
        "metadata": intent["metadata"],
        "on_behalf_of": None,
        "outcome": _outcome(attempt.decline),
        "paid": taken,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {"type": "card", "card": _card(intent, method, attempt)},
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": intent["shipping"],
        "source": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "succeeded" if taken else "failed",
        "transfer_data": None,
        "transfer_group": None,
    }


def _outcome(decline: Decline | None) -> Json:
    approved = decline is None
    return {
        "advice_code": decline.advice_code if decline else None,
        "network_advice_code": None,
        "network_decline_code": decline.network_decline_code if decline else None,
        "network_status": "approved_by_network" if approved else "declined_by_network",
        "reason": (decline.decline_code or decline.code) if decline else None,
        "risk_level": "normal",
        "risk_score": 10,
        "seller_message": "Payment complete." if approved else "The bank did not approve it.",
        "type": "authorized" if approved else "issuer_declined",
    }


def _card(intent: Json, method: Json, attempt: Attempt) -> Json:
    card = method["card"]
    shown = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding")
    return {
        **{name: card[name] for name in shown},
        "amount_authorized": None if attempt.decline else intent["amount"],
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
        "three_d_secure": _three_d_secure() if attempt.authenticated else None,
        "transaction_link_id": None,
        "wallet": None,
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


def _retrieve(call: Call) -> Json:
    return call.found("charge", call.path["id"])


def _list(call: Call) -> Json:
    customer, intent = call.params.get("customer"), call.params.get("payment_intent")
    return page(
        call,
        "charge",
        lambda charge: (
            customer in {None, charge["customer"]}
            and intent in {None, charge["payment_intent"]}
            and created_within(call, charge)
        ),
    )


ROUTES = (
    Route(
        "GET",
        "/v1/charges",
        _list,
        {**LIST, "customer": text, "payment_intent": text, "created": CREATED},
    ),
    Route("GET", "/v1/charges/{id}", _retrieve),
)
