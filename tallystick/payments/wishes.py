"""The wish to collect an amount, as it is made. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from tallystick.invoices.model import Invoice, Status
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import new_id, unknown
from tallystick.money.amount import Money
from tallystick.payments.declines import words
from tallystick.payments.gateway import Gateway
from tallystick.payments.model import Part, Payment, PaymentMethod, PaymentStatus
from tallystick.payments.requests import Authentication, Capabilities
from tallystick.payments.shares import parts_of, total_of

PAYABLE: Final = frozenset({Status.OPEN, Status.UNCOLLECTIBLE})


def wish(
    asking: Sequence[Invoice],
    method: PaymentMethod,
    request_key: str,
    *,
    created_at: datetime,
    next_attempt_at: datetime | None = None,
    parts: tuple[Part, ...] | None = None,
) -> Payment:
    """Return the wish to collect `parts` of invoices of one currency through a saved method.

    `parts` None: all that is due on them.
    """
    parts = parts_of(asking) if parts is None else parts
    return Payment(
        account_id=method.account_id,
        payment_id=new_id(),
        request_key=request_key,
        gateway=method.gateway,
        payment_method_id=method.payment_method_id,
        currency=asking[0].currency,
        amount_minor=total_of(parts),
        status=PaymentStatus.PENDING,
        reference=None,
        failure_code=None,
        note=None,
        next_attempt_at=next_attempt_at,
        created_at=created_at,
        settled_at=None,
        parts=parts,
    )


def need_payable(invoice: Invoice) -> None:
    """Raise unless something can be paid on the invoice; a draft does not exist for a payer."""
    if invoice.status is Status.DRAFT:
        raise unknown("invoice")
    if invoice.status is Status.PAID or (invoice.status in PAYABLE and invoice.due.is_zero()):
        raise Conflict("already_paid", "Nothing is left to pay on this invoice.")
    if invoice.status not in PAYABLE:
        raise Conflict("invoice_not_open", f"The invoice is {invoice.status}.")


def part_of(invoice: Invoice, amount_minor: int) -> Part:
    """Return a part of what is due on an invoice; raises BadInput for nothing, or for more."""
    if not 1 <= amount_minor <= invoice.due.minor:
        message = f"must be from 1 to {invoice.due.minor} minor units of {invoice.currency}"
        raise BadInput.field("amount_cents", "not_payable", message)
    return Part(invoice.invoice_id, amount_minor)


def need_within_limits(capabilities: Capabilities, amount: Money) -> None:
    """Raise BadInput for an amount that the gateway does not charge at once."""
    limits = capabilities.amount_limits.get(amount.currency)
    if limits is None or limits[0] <= amount.minor <= limits[1]:
        return
    code = "amount_too_small" if amount.minor < limits[0] else "amount_too_large"
    message = (
        f"{amount.minor} is to be charged, and this way of paying takes from {limits[0]} to "
        f"{limits[1]} minor units of {amount.currency} at once"
    )
    raise BadInput.field("amount_cents", code, message)


def need_chargeable(gateway: Gateway, amount: Money) -> None:
    """Raise BadInput for an amount that the gateway does not charge, as is known without a call."""
    need_within_limits(gateway.capabilities, amount)
    code = gateway.refusal(amount)
    if code is not None:
        raise BadInput.field("amount_cents", code, words(code))


def need_currency(capabilities: Capabilities, method: PaymentMethod, currency: str) -> None:
    """Raise BadInput for a currency that this type of method is not charged in."""
    if not capabilities.charges_in(method.type, currency):
        message = f"does not take {currency}; choose another method"
        raise BadInput.field("payment_method_id", "currency_not_supported", message)


def need_authentication_taken(
    capabilities: Capabilities, authentication: Authentication | None
) -> None:
    """Raise BadInput for what a payer's bank said to a gateway that takes no such thing."""
    if authentication is not None and not capabilities.takes_authentication:
        message = "is not taken with this payment method; leave it out"
        raise BadInput.field("threeds", "authentication_not_taken", message)


def in_progress() -> Conflict:
    """Return the error for an invoice of which a payment may still bring money."""
    return Conflict("payment_in_progress", "A payment of this invoice is under way; wait for it.")
