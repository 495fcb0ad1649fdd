"""A payment in words for the one who pays. Pure."""

from collections.abc import Mapping
from typing import Final

import msgspec

from tallystick.console.formats import Formats
from tallystick.console.method_views import method_name
from tallystick.kernel import ids
from tallystick.payments.declines import words
from tallystick.payments.model import AttemptOutcome, PaymentMethod, PaymentStatus
from tallystick.payments.service import PaymentView

_TEXTS: Final[Mapping[PaymentStatus, str]] = {
    PaymentStatus.SUCCEEDED: "The payment went through. Thank you.",
    PaymentStatus.CANCELLED: "The payment was cancelled. Nothing was taken.",
    PaymentStatus.REFUNDED: "The payment was paid back.",
    PaymentStatus.PARTIALLY_REFUNDED: "A part of the payment was paid back.",
    PaymentStatus.DISPUTED: "The payment is disputed with the bank.",
}
_UNDER_WAY: Final = "The payment is under way. There is nothing to do for you."
_ASKED: Final = "Your bank wants you to confirm this payment. Nothing has been taken yet."


class PaymentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A payment as it stands on its page; `needs_action`: it waits for the payer."""

    id: str
    amount: str
    method: str
    text: str
    invoice: str | None
    needs_action: bool
    failed: bool


def payment_view(
    found: PaymentView, method: PaymentMethod | None, formats: Formats
) -> PaymentFacts:
    """Return what the payer reads."""
    payment, attempt = found.payment, found.attempt
    asked = attempt is not None and attempt.outcome is AttemptOutcome.NEEDS_ACTION
    named = attempt is not None and attempt.gateway_reference is not None
    failed = payment.status is PaymentStatus.FAILED
    text = words(payment.failure_code or "") if failed else _TEXTS.get(payment.status, _UNDER_WAY)
    return PaymentFacts(
        id=ids.show("payment", payment.payment_id),
        amount=formats.money(payment.amount),
        method=method_name(method) if method else "",
        text=_ASKED if asked and named else text,
        invoice=ids.show("invoice", payment.invoice_id) if payment.invoice_id else None,
        needs_action=asked and named,
        failed=failed,
    )
