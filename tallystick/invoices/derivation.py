"""How a line came to its amount: stored with it, and computed again from what is stored."""

from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from tallystick.money.amount import Money
from tallystick.money.rounding import round_decimal
from tallystick.pricing.charges import missing_to_minimum
from tallystick.pricing.model import Price, Rated, Step
from tallystick.pricing.rate import rate


class Derivation(msgspec.Struct, frozen=True, kw_only=True):
    """All that a line's amount follows from.

    `price` is the price as it was sold in this version of the plan, `quantity` what was used in
    [`period_start`, `period_end`), by the `group` alone where there is one. Kind `rated` is what
    the price asks for that: `exact` in major units, the sum of the `steps`, rounded once. Kind
    `minimum` is what the price's other lines of the period, `counted_minor` in sum, are short of
    its minimum; it has no steps.
    """

    kind: Literal["rated", "minimum"]
    plan_version_id: UUID | None  # None: sold once, outside any plan
    price: Price
    quantity: Decimal
    period_start: datetime
    period_end: datetime
    steps: tuple[Step, ...]
    exact: Decimal
    currency: str
    rounding: Literal["half_away_from_zero"]
    group: dict[str, str | None] = {}
    counted_minor: int | None = None


def rated_amount(rated: Rated) -> Money:
    """Return what a line bills for a rating: rounded once, half away from zero."""
    return round_decimal(rated.amount, rated.currency)


def recompute(derivation: Derivation) -> Money:
    """Return the amount that follows from the stored inputs: price, quantity and rules alone."""
    if derivation.kind == "minimum":
        counted = Money(derivation.counted_minor or 0, derivation.currency)
        return missing_to_minimum(derivation.price, counted)
    return rated_amount(rate(derivation.price, derivation.quantity))


def encode(derivation: Derivation) -> str:
    """Return the derivation as JSON; every decimal is a string, so that none is ever a float."""
    return msgspec.json.encode(derivation).decode()


def decode(stored: str | bytes) -> Derivation:
    """Read what `encode` wrote. Raises msgspec.ValidationError for anything else."""
    return msgspec.json.decode(stored, type=Derivation)
