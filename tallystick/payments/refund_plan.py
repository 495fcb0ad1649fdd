"""Which payments a refund is paid from, and how money that goes back is shared. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.errors import Conflict
from tallystick.money.amount import Money
from tallystick.money.rounding import allocate
from tallystick.payments.model import PaymentStatus
from tallystick.payments.refund_model import Giver
from tallystick.payments.requests import Capabilities

CAME: Final = frozenset(
    {
        PaymentStatus.SUCCEEDED,
        PaymentStatus.PARTIALLY_REFUNDED,
        PaymentStatus.REFUNDED,
        PaymentStatus.DISPUTED,
    }
)
"""A payment that came in, whatever went back of it since."""


class Part(msgspec.Struct, frozen=True):
    """So much of a payment goes back."""

    giver: Giver
    amount_minor: int


class Share(msgspec.Struct, frozen=True):
    """So much of what goes back is of this invoice, `paid_minor` of it at most from its price."""

    invoice_id: UUID
    amount_minor: int
    paid_minor: int


def plan(
    wished: int,
    invoice_id: UUID,
    givers: Iterable[Giver],
    can: dict[str, Capabilities],
) -> tuple[Part, ...]:
    """Return from which payments of an invoice a refund is paid through their gateways.

    The newest first, never above what a payment gave this invoice less what went back of it; a
    gateway that refunds whole charges alone gives all or nothing. What the parts do not come to
    is for a person: 60.00 of an invoice that was paid 40.00 by card and then 20.00 by transfer is
    40.00 through the gateway and 20.00 by hand.
    """
    parts: list[Part] = []
    for giver in sorted(givers, key=lambda one: (one.settled_at, one.payment_id), reverse=True):
        ability = can.get(giver.gateway)
        if ability is None or not ability.refunds or not giver.charge_reference:
            continue
        part = min(_left(giver, invoice_id), wished)
        is_whole = part == giver.received_minor
        if part > 0 and (is_whole or ability.refunds_in_part):
            parts.append(Part(giver, part))
            wished -= part
    return tuple(parts)


def by_hand(wished: int, invoice_id: UUID, givers: Iterable[Giver]) -> tuple[Part, ...]:
    """Return of which payments money is that was paid back by hand, the newest first."""
    parts: list[Part] = []
    for giver in sorted(givers, key=lambda one: (one.settled_at, one.payment_id), reverse=True):
        part = min(_left(giver, invoice_id), wished)
        if part > 0:
            parts.append(Part(giver, part))
            wished -= part
    return tuple(parts)


def shares_of_refund(giver: Giver, amount: int) -> tuple[Share, ...]:
    """Share a refund over a payment's invoices by what is left of what each got.

    Raises Conflict `refund_exceeds_payment` for more than is left, with `left_cents`.
    """
    if amount > giver.left_minor:
        left = f"Only {giver.left_minor} {giver.currency} minor units of the payment are left"
        text = f"{left}: not what was given back or promised, and not what is disputed."
        raise Conflict("refund_exceeds_payment", text, extra={"left_cents": giver.left_minor})
    return _shares(giver, amount, [one.left_minor for one in giver.gave])


def shares_of_dispute(giver: Giver, amount: int) -> tuple[Share, ...]:
    """Share what a bank took over a payment's invoices by what each got, whatever went back.

    Raises Conflict `dispute_exceeds_payment` for more than came, with `received_cents`.
    """
    if amount > giver.received_minor:
        received = giver.received_minor
        text = f"Only {received} {giver.currency} minor units came with this payment."
        raise Conflict("dispute_exceeds_payment", text, extra={"received_cents": received})
    return _shares(giver, amount, [one.paid_minor for one in giver.gave])


def status_after(received: int, *, refunded: int, disputed: int, returned: int) -> PaymentStatus:
    """Return the status of a payment that came in, by what went back of it, in minor units.

    `disputed` is what banks have, `returned` among it what came back for good: a payment that is
    gone whole has failed after all.
    """
    if returned and returned + refunded >= received:
        return PaymentStatus.FAILED
    if disputed > returned:
        return PaymentStatus.DISPUTED
    gone = refunded + returned
    if gone >= received:
        return PaymentStatus.REFUNDED
    return PaymentStatus.PARTIALLY_REFUNDED if gone else PaymentStatus.SUCCEEDED


def _left(giver: Giver, invoice_id: UUID) -> int:
    if giver.status not in CAME:
        return 0
    return sum(one.left_minor for one in giver.gave if one.invoice_id == invoice_id)


def _shares(giver: Giver, amount: int, weights: Sequence[int]) -> tuple[Share, ...]:
    there = [(one, weight) for one, weight in zip(giver.gave, weights, strict=True) if weight > 0]
    # One that gave nothing to any invoice brought prepaid money; its first invoice stands for it.
    there = there or [(giver.gave[0], 1)]
    parts = allocate(Money(amount, giver.currency), [weight for _, weight in there])
    return tuple(
        Share(one.invoice_id, part.minor, min(part.minor, one.paid_minor))
        for (one, _), part in zip(there, parts, strict=True)
        if part.minor
    )
