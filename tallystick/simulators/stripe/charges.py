"""Charges: one try to take money from a card or a bank account, made by payment intents."""

import msgspec

from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.cards import Decline
from tallystick.simulators.stripe.charge_details import of_bank, of_card
from tallystick.simulators.stripe.errors import Json
from tallystick.simulators.stripe.paging import LIST, created_within, page
from tallystick.simulators.stripe.params import CREATED, text


class Attempt(msgspec.Struct, frozen=True):
    """How the bank answered: taken, held for a later capture, pending (ACH), or declined."""

    captured: bool
    authenticated: bool = False
    decline: Decline | None = None
    pending: bool = False

    @property
    def status(self) -> str:
        """The charge's status."""
        if self.decline:
            return "failed"
        return "pending" if self.pending else "succeeded"


def new_charge(call: Call, intent: Json, method: Json, attempt: Attempt) -> Json:
    """Return the charge of an intent's attempt; amounts are minor units."""
    taken = attempt.decline is None
    return {
        "id": call.state.ids.new("ch" if method["type"] == "card" else "py"),
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
        "outcome": outcome_of(attempt.decline),
        "paid": attempt.status == "succeeded",
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": _details(call, intent, method, attempt),
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
        "status": attempt.status,
        "transfer_data": None,
        "transfer_group": None,
    }


def outcome_of(decline: Decline | None) -> Json:
    """Return a charge's `outcome`."""
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


def _details(call: Call, intent: Json, method: Json, attempt: Attempt) -> Json:
    if method["type"] == "us_bank_account":
        return {"type": "us_bank_account", "us_bank_account": of_bank(call, method)}
    card = of_card(
        intent,
        method["card"],
        declined=attempt.decline is not None,
        authenticated=attempt.authenticated,
    )
    return {"type": "card", "card": card}


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
