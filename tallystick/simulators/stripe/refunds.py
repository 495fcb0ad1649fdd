"""Refunds: money given back from a charge, in one or more parts, never more than was taken."""

from typing import Literal

from tallystick.simulators.stripe import timers, vault
from tallystick.simulators.stripe.amounts import shown
from tallystick.simulators.stripe.books import balance
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

SETTLE = "refund_settle"
# How long Stripe's "some time later" is here: cards that stand for it, and bank accounts.
LATER_SECONDS = 60
BANK_SECONDS = 5 * 24 * 3600
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
    course = _course(call, charge)
    refund = call.state.save(_new(call, charge, amount, waits=course == "waits"))
    refund = call.state.save({**refund, "balance_transaction": _book(call, refund, -amount)})
    emit(call, "refund.created", refund)
    refunded = charge["amount_refunded"] + amount
    emit(call, "charge.refunded", call.state.save(_with_refunded(charge, refunded)), charge)
    if course != "ends":
        seconds = BANK_SECONDS if not balance.is_card(charge) else LATER_SECONDS
        timers.plan(call, call.state.now() + seconds, SETTLE, refund["id"])
    return refund


def _course(call: Call, charge: Json) -> Literal["ends", "fails", "waits"]:
    """Tell what becomes of a refund: done at once, done at once but failed later, or pending."""
    if not balance.is_card(charge):
        return "waits"
    after = vault.card_of(call, charge["payment_method"]).after
    if after == "refund_fails":
        return "fails"
    return "waits" if after == "refund_waits" else "ends"


def settle(call: Call, refund_id: str) -> None:
    """End a refund: a pending one succeeds, one that had succeeded fails after all."""
    before = call.found("refund", refund_id)
    if before["status"] == "pending":
        succeed(call, before)
    elif before["status"] == "succeeded":
        fail(call, before, "lost_or_stolen_card")


def succeed(call: Call, before: Json) -> Json:
    """End a pending refund: the money has arrived."""
    refund = {name: value for name, value in before.items() if name != "pending_reason"}
    refund["status"] = "succeeded"
    _tell(call, call.state.save(refund), before)
    return refund


def fail(call: Call, before: Json, reason: str) -> Json:
    """End a refund that the payer's bank sent back: the money is the business's again."""
    if before["status"] not in {"pending", "succeeded"}:
        raise invalid(f"This refund is {before['status']} already.")
    timers.unplan(call, SETTLE, before["id"])
    booked = _book(call, before, before["amount"], failed=True)
    kept = {name: value for name, value in before.items() if name != "pending_reason"}
    told = {"failure_balance_transaction": booked, "failure_reason": reason, "status": "failed"}
    refund = call.state.save({**kept, **told})
    charge = call.found("charge", before["charge"])
    call.state.save(_with_refunded(charge, charge["amount_refunded"] - before["amount"]))
    _tell(call, refund, before)
    emit(call, "refund.failed", refund, before)
    return refund


def _tell(call: Call, refund: Json, before: Json) -> None:
    emit(call, "refund.updated", refund, before)
    emit(call, "charge.refund.updated", refund, before)


def _with_refunded(charge: Json, refunded: int) -> Json:
    whole = refunded == charge["amount_captured"]
    return {**charge, "amount_refunded": refunded, "refunded": whole}


def _book(call: Call, refund: Json, amount: int, *, failed: bool = False) -> str:
    charge = call.found("charge", refund["charge"])
    given: balance.Kind = "refund" if balance.is_card(charge) else "payment_refund"
    moved = balance.Movement(
        kind="refund_failure" if failed else given,
        category="refund_failure" if failed else "refund",
        amount=amount,
        currency=refund["currency"],
        source=refund["id"],
        description=f"{'REFUND FAILURE' if failed else 'REFUND'} FOR CHARGE",
    )
    return str(balance.record(call, moved)["id"])


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
    if any(_lost(dispute, charge) for dispute in call.state.newest_first("dispute")):
        raise invalid(
            f"The charge {charge['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
        )
    return charge


def _lost(dispute: Json, charge: Json) -> bool:
    return bool(dispute["charge"] == charge["id"] and dispute["status"] != "won")


def _new(call: Call, charge: Json, amount: int, *, waits: bool) -> Json:
    refund: Json = {
        "id": call.state.ids.new("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": call.state.now(),
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "destination_details": _destination(charge),
        "metadata": merged({}, call.params.get("metadata") or {}),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": call.params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if waits else "succeeded",
        "transfer_reversal": None,
    }
    return {**refund, "pending_reason": "processing"} if waits else refund


def _destination(charge: Json) -> Json:
    if not balance.is_card(charge):
        bank = {"reference": None, "reference_status": None}
        return {"type": "us_bank_transfer", "us_bank_transfer": bank}
    card = {
        "reference_status": "pending",
        "reference_type": "acquirer_reference_number",
        "type": "refund",
    }
    return {"type": "card", "card": card}


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
