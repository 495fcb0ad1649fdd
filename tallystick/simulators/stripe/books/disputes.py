"""Disputes: the payer's bank takes a charge back; the business answers, wins or loses."""

from typing import Literal

from tallystick.simulators.stripe.books.balance import (
    DAY_SECONDS,
    DISPUTE_FEE,
    Movement,
    is_card,
    record,
)
from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.errors import Json, invalid
from tallystick.simulators.stripe.events import emit
from tallystick.simulators.stripe.paging import LIST, created_within, page
from tallystick.simulators.stripe.params import (
    CREATED,
    Shape,
    boolean,
    clearable,
    merged,
    metadata,
    nest,
    text,
)

ANSWER_DAYS = 7
OPEN = ("needs_response", "under_review")
# Stripe's test words: evidence with this text decides the dispute.
WINNING, LOSING = "winning_evidence", "losing_evidence"
EVIDENCE = (
    "access_activity_log", "billing_address", "cancellation_policy",
    "cancellation_policy_disclosure", "cancellation_rebuttal", "customer_communication",
    "customer_email_address", "customer_name", "customer_purchase_ip", "customer_signature",
    "duplicate_charge_documentation", "duplicate_charge_explanation", "duplicate_charge_id",
    "product_description", "receipt", "refund_policy", "refund_policy_disclosure",
    "refund_refusal_explanation", "service_date", "service_documentation", "shipping_address",
    "shipping_carrier", "shipping_date", "shipping_documentation", "shipping_tracking_number",
    "uncategorized_file", "uncategorized_text",
)  # fmt: skip
UPDATE: Shape = {
    "evidence": nest({name: clearable(text) for name in EVIDENCE}),
    "metadata": metadata,
    "submit": boolean,
}


def open_dispute(call: Call, charge: Json, reason: str) -> Json:
    """Take a charge back: the amount and a fee leave the balance at once.

    A debit of a bank account that came back can not be contested: such a dispute is lost when
    it begins.
    """
    dispute = call.state.save(_new(call, charge, reason))
    call.state.save({**charge, "disputed": True})
    emit(call, "charge.dispute.created", dispute)
    moved = _movement(dispute, -dispute["amount"], DISPUTE_FEE, f"Chargeback of {charge['id']}")
    dispute = _with_movement(call, dispute, moved)
    emit(call, "charge.dispute.funds_withdrawn", dispute)
    return dispute if is_card(charge) else close(call, dispute, "lost")


def close(call: Call, before: Json, outcome: Literal["won", "lost"]) -> Json:
    """End a dispute; a won one brings the amount back, its fee stays paid."""
    if before["status"] not in OPEN:
        raise invalid(f"This dispute is already {before['status']}.")
    dispute = call.state.save({**before, "status": outcome})
    if outcome == "won":
        moved = _movement(dispute, dispute["amount"], 0, f"Chargeback reversal of {dispute['id']}")
        dispute = _with_movement(call, dispute, moved)
        emit(call, "charge.dispute.funds_reinstated", dispute)
    emit(call, "charge.dispute.closed", dispute)
    return dispute


def submit(call: Call, before: Json, evidence: Json) -> Json:
    """Hand the evidence to the bank; Stripe's test words decide at once."""
    if before["status"] != "needs_response":
        raise invalid(f"This dispute takes no evidence: it is {before['status']}.")
    details = before["evidence_details"]
    sent = {
        **details,
        "has_evidence": True,
        "submission_count": details["submission_count"] + 1,
        "submission_method": "manual",
    }
    dispute = {**before, "evidence": evidence, "evidence_details": sent, "status": "under_review"}
    emit(call, "charge.dispute.updated", call.state.save(dispute), before)
    words = evidence["uncategorized_text"]
    if words == WINNING:
        return close(call, dispute, "won")
    return close(call, dispute, "lost") if words == LOSING else dispute


def _new(call: Call, charge: Json, reason: str) -> Json:
    contestable = is_card(charge)
    due_by = call.state.now() + ANSWER_DAYS * DAY_SECONDS if contestable else None
    dispute: Json = {
        "id": call.state.ids.new("du"),
        "object": "dispute",
        "amount": charge["amount_captured"] - charge["amount_refunded"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": call.state.now(),
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": due_by,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "intended_submission_method": None,
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "status": "needs_response",
    }
    if contestable:
        card = {
            "brand": charge["payment_method_details"]["card"]["brand"],
            "case_type": "chargeback",
            "network": charge["payment_method_details"]["card"]["brand"],
            "network_reason_code": "10.4",
        }
        dispute["payment_method_details"] = {"type": "card", "card": card}
    return dispute


def _movement(dispute: Json, amount: int, fee: int, description: str) -> Movement:
    return Movement(
        kind="adjustment",
        category="dispute" if amount < 0 else "dispute_reversal",
        amount=amount,
        currency=dispute["currency"],
        source=dispute["id"],
        fee=fee,
        description=description,
    )


def _with_movement(call: Call, dispute: Json, moved: Movement) -> Json:
    transactions = [*dispute["balance_transactions"], record(call, moved)]
    return call.state.save({**dispute, "balance_transactions": transactions})


def _retrieve(call: Call) -> Json:
    return call.found("dispute", call.path["id"])


def _update(call: Call) -> Json:
    before = call.found("dispute", call.path["id"])
    if "metadata" in call.params:
        given = merged(before["metadata"], call.params["metadata"])
        before = call.state.save({**before, "metadata": given})
    evidence = {**before["evidence"], **call.params.get("evidence", {})}
    if call.params.get("submit", "evidence" in call.params):
        return submit(call, before, evidence)
    if evidence == before["evidence"]:
        return before
    details = {**before["evidence_details"], "has_evidence": True}
    staged = call.state.save({**before, "evidence": evidence, "evidence_details": details})
    emit(call, "charge.dispute.updated", staged, before)
    return staged


def _close(call: Call) -> Json:
    return close(call, call.found("dispute", call.path["id"]), "lost")


def _list(call: Call) -> Json:
    charge, intent = call.params.get("charge"), call.params.get("payment_intent")
    return page(
        call,
        "dispute",
        lambda dispute: (
            charge in {None, dispute["charge"]}
            and intent in {None, dispute["payment_intent"]}
            and created_within(call, dispute)
        ),
    )


FILTERS: Shape = {**LIST, "charge": text, "payment_intent": text, "created": CREATED}
ROUTES = (
    Route("GET", "/v1/disputes", _list, FILTERS),
    Route("GET", "/v1/disputes/{id}", _retrieve),
    Route("POST", "/v1/disputes/{id}", _update, UPDATE),
    Route("POST", "/v1/disputes/{id}/close", _close),
)
