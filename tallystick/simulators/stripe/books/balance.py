"""Balance transactions: what each charge, refund and dispute did to the business's balance."""

from typing import Literal

import msgspec

from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.errors import Json
from tallystick.simulators.stripe.paging import LIST, created_within, page
from tallystick.simulators.stripe.params import CREATED, Shape, text

DAY_SECONDS = 24 * 3600
AVAILABLE_AFTER_SECONDS = 2 * DAY_SECONDS
# 2.9 % and 30 minor units for a charge, whatever its method or currency; 15.00 for a dispute.
FEE_PER_MILLE = 29
FEE_FIXED = 30
DISPUTE_FEE = 1500

Kind = Literal[
    "adjustment",
    "charge",
    "payment",
    "payment_failure_refund",
    "payment_refund",
    "refund",
    "refund_failure",
]


class Movement(msgspec.Struct, frozen=True):
    """One movement of the balance: `amount` and `fee` in minor units, the net is their difference.

    `source` is the id of the charge, refund or dispute that caused it.
    """

    kind: Kind
    category: str
    amount: int
    currency: str
    source: str
    fee: int = 0
    description: str | None = None


def fee_of(amount: int) -> int:
    """Return the fee for a charge of an amount, both in minor units; a half rounds up."""
    return (amount * FEE_PER_MILLE + 500) // 1000 + FEE_FIXED


def record(call: Call, moved: Movement) -> Json:
    """Write a movement down and return its balance transaction."""
    details = {
        "amount": moved.fee,
        "application": None,
        "currency": moved.currency,
        "description": "Stripe processing fees",
        "type": "stripe_fee",
    }
    return call.state.save(
        {
            "id": call.state.ids.new("txn"),
            "object": "balance_transaction",
            "amount": moved.amount,
            "available_on": call.state.now() + AVAILABLE_AFTER_SECONDS,
            "balance_type": "payments",
            "created": call.state.now(),
            "currency": moved.currency,
            "description": moved.description,
            "exchange_rate": None,
            "fee": moved.fee,
            "fee_details": [details] if moved.fee else [],
            "net": moved.amount - moved.fee,
            "reporting_category": moved.category,
            "source": moved.source,
            "status": "pending",
            "type": moved.kind,
        }
    )


def earn(call: Call, charge: Json) -> Json:
    """Book a charge that was taken, and return it with its balance transaction."""
    amount = charge["amount_captured"]
    moved = Movement(
        kind="charge" if is_card(charge) else "payment",
        category="charge",
        amount=amount,
        currency=charge["currency"],
        source=charge["id"],
        fee=fee_of(amount),
        description=charge["description"],
    )
    return call.state.save({**charge, "balance_transaction": record(call, moved)["id"]})


def is_card(charge: Json) -> bool:
    """Tell a charge of a card from a debit of a bank account."""
    return bool(charge["payment_method_details"]["type"] == "card")


def shown(call: Call, transaction: Json) -> Json:
    """Return a balance transaction as it stands now: pending until its day has come."""
    due = transaction["available_on"] <= call.state.now()
    return {**transaction, "status": "available" if due else "pending"}


def _retrieve(call: Call) -> Json:
    return shown(call, call.found("balance_transaction", call.path["id"]))


def _list(call: Call) -> Json:
    wanted = {name: call.params[name] for name in FILTERS if name in call.params}
    found = page(
        call,
        "balance_transaction",
        lambda one: (
            all(one[name] == value for name, value in wanted.items()) and created_within(call, one)
        ),
    )
    return {**found, "data": [shown(call, one) for one in found["data"]]}


FILTERS: Shape = {"currency": text, "source": text, "type": text}
ROUTES = (
    Route("GET", "/v1/balance_transactions", _list, {**LIST, **FILTERS, "created": CREATED}),
    Route("GET", "/v1/balance_transactions/{id}", _retrieve),
)
