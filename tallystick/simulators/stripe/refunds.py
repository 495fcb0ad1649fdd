"""Refunds: money given back from a charge, in one or more parts, never more than was taken."""

from tallystick.simulators.stripe.amounts import shown
from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.errors import Json, invalid
from tallystick.simulators.stripe.events import emit
from tallystick.simulators.stripe.paging import LIST, created_within, page
from tallystick.simulators.stripe.params import (
    CREATED,
    Shape,
    integer,
    merged,
    metadata,
    one_of,
    text,
)

CREATE: Shape = {
    "amount": integer,
    "charge": text,
    "metadata": metadata,
    "payment_intent": text,
    "reason": one_of("duplicate", "fraudulent", "requested_by_customer"),
}


def _create(call: Call) -> Json:
    charge = _charge(call)
    left = charge["amount_captured"] - charge["amount_refunded"]
    if left == 0:
        raise invalid(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    amount: int = call.params.get("amount", left)
    if amount < 1:
        raise invalid(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param="amount",
        )
    if amount > left:
        currency = charge["currency"]
        raise invalid(
            f"Refund amount ({shown(amount, currency)}) is greater than unrefunded amount on "
            f"charge ({shown(left, currency)})",
            param="amount",
        )
    refund = call.state.save(_new(call, charge, amount))
    emit(call, "refund.created", refund)
    refunded = charge["amount_refunded"] + amount
    after = {
        **charge,
        "amount_refunded": refunded,
        "refunded": refunded == charge["amount_captured"],
    }
    emit(call, "charge.refunded", call.state.save(after), charge)
    return refund


def _charge(call: Call) -> Json:
    """Return the charge to refund, named by itself or by its payment intent."""
    named = [name for name in ("charge", "payment_intent") if name in call.params]
    if not named:
        raise invalid(
            "One of the following params should be provided for this request: payment_intent or "
            "charge.",
            code="parameter_missing",
        )
    key = call.params.get("charge")
    if "payment_intent" in call.params:
        param = "payment_intent"
        intent = call.found("payment_intent", call.params[param], param=param)
        if key not in {None, intent["latest_charge"]}:
            raise invalid("The charge is not of this PaymentIntent.", param="charge")
        key = intent["latest_charge"]
    charge = call.found("charge", key, param="charge") if key else None
    if charge is None or charge["status"] != "succeeded" or not charge["captured"]:
        raise invalid(
            f"This {named[0]} ({call.params[named[0]]}) does not have a successful charge to "
            "refund.",
            param=named[0],
        )
    return charge


def _new(call: Call, charge: Json, amount: int) -> Json:
    return {
        "id": call.state.ids.new("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": call.state.now(),
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "destination_details": {
            "type": "card",
            "card": {
                "reference_status": "pending",
                "reference_type": "acquirer_reference_number",
                "type": "refund",
            },
        },
        "metadata": merged({}, call.params.get("metadata") or {}),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": call.params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }


def _retrieve(call: Call) -> Json:
    return call.found("refund", call.path["id"])


def _update(call: Call) -> Json:
    before = call.found("refund", call.path["id"])
    given = merged(before["metadata"], call.params.get("metadata", {}))
    refund = call.state.save({**before, "metadata": given})
    emit(call, "refund.updated", refund, before)
    return refund


def _list(call: Call) -> Json:
    charge, intent = call.params.get("charge"), call.params.get("payment_intent")
    return page(
        call,
        "refund",
        lambda refund: (
            charge in {None, refund["charge"]}
            and intent in {None, refund["payment_intent"]}
            and created_within(call, refund)
        ),
    )


ROUTES = (
    Route("POST", "/v1/refunds", _create, CREATE),
    Route(
        "GET",
        "/v1/refunds",
        _list,
        {**LIST, "charge": text, "payment_intent": text, "created": CREATED},
    ),
    Route("GET", "/v1/refunds/{id}", _retrieve),
    Route("POST", "/v1/refunds/{id}", _update, {"metadata": metadata}),
)
