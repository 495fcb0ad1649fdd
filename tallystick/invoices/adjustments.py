"""What an invoice leaves to later ones: credit that it can not hold, or too small an amount. Pure.

An invoice is never below zero. Where the unused rest of a period is worth more than what is due, a
line takes the difference back in, and it is kept for the account: a credit comes off its next
invoices before tax, so that the tax on it comes back too; a refund waits for somebody who pays it.

What is less than the least that an invoice asks for is carried: a line takes it out, and the next
invoice bills it. Before tax as well: tax is reckoned once, where the amount is asked for.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from tallystick.invoices.derivation import Derivation
from tallystick.invoices.model import DraftLine
from tallystick.money.amount import Money
from tallystick.pricing.model import FlatPrice
from tallystick.pricing.rate import rate
from tallystick.subscriptions.proration import Share

Kind = Literal["credit", "refund", "carried"]
CODE = "credit"
CARRIED = "carried_forward"
_ONCE = Decimal(1)


class Adjustment(msgspec.Struct, frozen=True, kw_only=True):
    """What an invoice gave back, or carried, and is left of it; `number` is that invoice's."""

    invoice_id: UUID
    number: str
    left: Money


class OpenAdjustment(msgspec.Struct, frozen=True):
    """Whose it is, and whether it is credit or an amount that is carried."""

    account_id: UUID
    kind: Kind
    adjustment: Adjustment


class Kept(msgspec.Struct, frozen=True):
    """What is kept for an account, or carried: above zero."""

    amount: Money
    kind: Kind
    at: datetime


class Balanced(msgspec.Struct, frozen=True, kw_only=True):
    """The lines of an invoice that is not below zero, what of which adjustment is used, what kept.

    `kept` is zero or more, in the invoice's currency.
    """

    lines: tuple[DraftLine, ...]
    used: tuple[tuple[UUID, Money], ...]
    kept: Money


def balance(
    lines: Sequence[DraftLine], open_: Sequence[Adjustment], currency: str, at: datetime
) -> Balanced:
    """Take adjustments off what the lines come to, oldest first, or keep what is below zero."""
    nothing = Money.zero(currency)
    total = sum((line.amount for line in lines), nothing)
    if total < nothing:
        rest = _line("Credit kept for later invoices", -total, at)
        return Balanced(lines=(*lines, rest), used=(), kept=-total)
    used: list[tuple[UUID, Money]] = []
    taken: list[DraftLine] = []
    for one in open_:
        part = min(one.left, total)
        if part > nothing:
            used.append((one.invoice_id, part))
            taken.append(_line(f"Credit from invoice {one.number}", -part, at))
            total -= part
    return Balanced(lines=(*lines, *taken), used=tuple(used), kept=nothing)


def carried_in(carried: Sequence[Adjustment], at: datetime) -> tuple[DraftLine, ...]:
    """Return the lines of what earlier invoices carried, all of it."""
    return tuple(
        _line(f"Carried forward from invoice {one.number}", one.left, at, CARRIED)
        for one in carried
    )


def carried_on(amount: Money, at: datetime) -> DraftLine:
    """Return the line that takes an amount out, for a later invoice."""
    return _line("Carried forward to the next invoice", -amount, at, CARRIED)


def _line(description: str, amount: Money, at: datetime, code: str = CODE) -> DraftLine:
    """Return the line of an amount kept (above zero) or taken off (below): all of it, or back."""
    size = max(amount, -amount)
    price = FlatPrice(currency=amount.currency, code=code, amount=size.to_decimal())
    share = Share("period", 0, 1, 1, 1 if amount == size else -1)
    return DraftLine(
        kind="adjustment",
        description=description,
        price_code=code,
        meter_code=None,
        quantity=_ONCE,
        unit=None,
        period_start=None,
        period_end=None,
        amount=amount,
        derivation=Derivation(
            kind="share",
            plan_version_id=None,
            price=price,
            quantity=_ONCE,
            period_start=at,
            period_end=at,
            steps=rate(price, _ONCE).steps,
            exact=amount.to_decimal(),
            currency=amount.currency,
            rounding="half_away_from_zero",
            share=share,
        ),
    )
