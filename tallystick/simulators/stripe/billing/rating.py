"""What a quantity costs at a price. Pure rules, no state; one rounding, at the end."""

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from tallystick.simulators.stripe.errors import Json


def amount_of(price: Json, tiers: Sequence[Json], quantity: Decimal) -> int:
    """Return what the quantity costs, in whole minor units; a half rounds away from zero."""
    exact = _tiered(price, tiers, quantity) if tiers else _plain(price, quantity)
    return whole(exact)


def whole(exact: Decimal) -> int:
    """Return the nearest whole number of minor units."""
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def share(amount: int, part: int, of: int) -> int:
    """Return `amount * part / of`, rounded: what a part of a period costs."""
    return whole(Decimal(amount) * part / of)


def _plain(price: Json, quantity: Decimal) -> Decimal:
    packed = price["transform_quantity"]
    if packed:
        way = ROUND_CEILING if packed["round"] == "up" else ROUND_FLOOR
        quantity = (quantity / packed["divide_by"]).quantize(Decimal(1), rounding=way)
    return Decimal(price["unit_amount_decimal"]) * quantity


def _tiered(price: Json, tiers: Sequence[Json], quantity: Decimal) -> Decimal:
    """Volume: one tier prices all. Graduated: each tier prices its own part."""
    if price["tiers_mode"] == "volume":
        reached = (tier for tier in tiers if tier["up_to"] is None or quantity <= tier["up_to"])
        return _in_tier(next(reached), quantity)
    total, below = Decimal(0), Decimal(0)
    for tier in tiers:
        top = quantity if tier["up_to"] is None else min(quantity, Decimal(tier["up_to"]))
        if top <= below and below > 0:
            break
        total += _in_tier(tier, top - below)
        below = top
    return total


def _in_tier(tier: Json, quantity: Decimal) -> Decimal:
    unit, flat = tier["unit_amount_decimal"] or "0", tier["flat_amount_decimal"] or "0"
    return Decimal(unit) * quantity + Decimal(flat)
