"""What else happens when an event is recorded. A new reaction is a line here."""

from collections.abc import Mapping, Sequence

from tallystick.simulators.stripe.checkout import paying
from tallystick.simulators.stripe.state import Reaction

REACTIONS: Mapping[str, Sequence[Reaction]] = {
    "payment_intent.amount_capturable_updated": (paying.on_intent,),
    "payment_intent.payment_failed": (paying.on_failed,),
    "payment_intent.processing": (paying.on_intent,),
    "payment_intent.succeeded": (paying.on_intent,),
    "setup_intent.succeeded": (paying.on_intent,),
}
