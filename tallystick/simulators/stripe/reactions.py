"""What else happens when an event is recorded. A new reaction is a line here."""

from collections.abc import Mapping, Sequence

from tallystick.simulators.stripe.billing import collecting, cycles
from tallystick.simulators.stripe.checkout import paying
from tallystick.simulators.stripe.state import Reaction

REACTIONS: Mapping[str, Sequence[Reaction]] = {
    "customer.deleted": (cycles.on_customer_deleted,),
    "invoice.paid": (cycles.on_invoice_paid, paying.on_invoice_paid),
    "invoice.payment_failed": (cycles.on_invoice_failed,),
    "payment_intent.amount_capturable_updated": (paying.on_intent,),
    "payment_intent.payment_failed": (collecting.on_failed, paying.on_failed),
    "payment_intent.processing": (cycles.on_debit_started, paying.on_intent),
    "payment_intent.requires_action": (collecting.on_action,),
    "payment_intent.succeeded": (collecting.on_paid, paying.on_intent),
    "setup_intent.succeeded": (paying.on_intent,),
}
