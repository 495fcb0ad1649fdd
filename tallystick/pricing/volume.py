"""Volume: all units cost what one tier says, the one that their number falls in.

The tier is picked by the units rounded up, as Lago does: with a tier up to 10, 10.2 units are in
the next one, and each of the 10.2 costs that tier's unit. Zero usage owes the first tier's flat
fee.
"""

from collections.abc import Iterator
from decimal import Decimal

from tallystick.kernel.errors import FieldError
from tallystick.money.exact import add, canonical, multiply
from tallystick.pricing.model import Step, VolumePrice
from tallystick.pricing.started import started
from tallystick.pricing.tiers import tier_of, tier_problems

_ONE = Decimal(1)


def steps(price: VolumePrice, quantity: Decimal) -> Iterator[Step]:
    """Yield the one step: all units by their tier, and its flat fee."""
    tier, start = tier_of(price.tiers, started(quantity, _ONE))
    yield Step(
        kind="volume",
        quantity=quantity,
        unit=canonical(tier.unit),
        flat=canonical(tier.flat),
        from_=canonical(start),
        up_to=None if tier.up_to is None else canonical(tier.up_to),
        amount=canonical(add(multiply(quantity, tier.unit), tier.flat)),
    )


def problems(price: VolumePrice) -> Iterator[FieldError]:
    """Yield what is wrong with the tiers."""
    yield from tier_problems(price.tiers)
