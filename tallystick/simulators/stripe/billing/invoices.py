"""Invoices: drawn up as drafts, finalized, then paid, voided or written off.

Only here does an invoice's status change.
"""

from tallystick.simulators.stripe import timers
from tallystick.simulators.stripe.billing.invoice_shapes import new_invoice
from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.errors import Json, StripeError, invalid
from tallystick.simulators.stripe.events import emit

FINALIZE = "invoice_finalize"
RETRY = "invoice_retry"
HOUR_SECONDS = 3600
DAY_SECONDS = 24 * HOUR_SECONDS


def draw_up(call: Call, customer: Json, lines: list[Json], **members: object) -> Json:
    """Make a draft of the lines; `members` are its billing reason, parent, period and the like."""
    invoice = new_invoice(call, customer, lines, members)
    emit(call, "invoice.created", call.state.save(invoice))
    return invoice


def with_lines(invoice: Json, lines: list[Json]) -> Json:
    """Return the draft with the lines, and what they come to; amounts in minor units."""
    owned = [{**line, "invoice": invoice["id"]} for line in lines]
    total = sum(line["amount"] for line in owned)
    due = max(total, 0)
    listed = {**invoice["lines"], "data": owned}
    return {
        **invoice,
        "amount_due": due,
        "amount_remaining": due,
        "lines": listed,
        "subtotal": total,
        "subtotal_excluding_tax": total,
        "total": total,
        "total_excluding_tax": total,
    }


def finalize(call: Call, before: Json) -> Json:
    """Give a draft its number; one with nothing to pay is paid at once."""
    need(before, "finalized", "draft")
    timers.unplan(call, FINALIZE, before["id"])
    customer = call.found("customer", before["customer"])
    sequence = customer["next_invoice_sequence"]
    call.state.save({**customer, "next_invoice_sequence": sequence + 1})
    now = call.state.now()
    page = f"{call.base_url}/_page/invoices/{before['id']}"
    invoice = {
        **before,
        "automatically_finalizes_at": None,
        "effective_at": now,
        "ending_balance": 0,
        "hosted_invoice_url": page,
        "invoice_pdf": f"{page}/pdf",
        "number": f"{customer['invoice_prefix']}-{sequence:04}",
        "status": "open",
        "status_transitions": {**before["status_transitions"], "finalized_at": now},
    }
    emit(call, "invoice.finalized", call.state.save(invoice), before)
    return settle(call, invoice) if invoice["amount_due"] == 0 else invoice


def settle(call: Call, before: Json, **members: object) -> Json:
    """Mark an invoice as paid in full."""
    need(before, "paid", "open", "uncollectible")
    timers.unplan(call, RETRY, before["id"])
    moved = {**before["status_transitions"], "paid_at": call.state.now()}
    invoice = {
        **before,
        "amount_paid": before["amount_due"],
        "amount_remaining": 0,
        "attempted": True,
        "next_payment_attempt": None,
        "status": "paid",
        "status_transitions": moved,
        **members,
    }
    call.state.save(invoice)
    emit(call, "invoice.updated", invoice, before)
    emit(call, "invoice.paid", invoice)
    emit(call, "invoice.payment_succeeded", invoice)
    return invoice


def void(call: Call, before: Json) -> Json:
    """Declare an open invoice void: it is not owed."""
    need(before, "voided", "open", "uncollectible")
    return _closed(call, before, "void", "voided")


def write_off(call: Call, before: Json) -> Json:
    """Declare an open invoice uncollectible; it may still be paid."""
    need(before, "marked uncollectible", "open")
    return _closed(call, before, "uncollectible", "marked_uncollectible")


def need(invoice: Json, verb: str, *allowed: str) -> None:
    """Refuse what can not be done in the invoice's status."""
    if invoice["status"] not in allowed:
        raise state_error(f"This invoice is {invoice['status']}: it can not be {verb}.")


def state_error(message: str) -> StripeError:
    """Return the error of an invoice that is in another state."""
    return invalid(message, code="invoice_not_editable")


def _closed(call: Call, before: Json, status: str, event: str) -> Json:
    timers.unplan(call, RETRY, before["id"])
    moved = {**before["status_transitions"], f"{event}_at": call.state.now()}
    told = {"next_payment_attempt": None, "status": status, "status_transitions": moved}
    invoice = call.state.save({**before, **told})
    emit(call, f"invoice.{event}", invoice, before)
    return invoice
