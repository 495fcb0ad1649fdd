"""What all tiers have in common: they ascend without gap, and the last has no end.

A tier says only where it ends, so tiers can neither overlap nor leave anything out unless an end
is not above the one before.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final, Protocol, TypeVar

import msgspec

from tallystick.kernel.errors import BadInput, FieldError
from tallystick.pricing.bounds import TIERS_MAX, price_problems, quantity_problems
from tallystick.pricing.model import ZERO

_AMOUNTS: Final = ("unit", "rate", "amount", "flat")


class Ending(Protocol):
    """A tier over units."""

    @property
    def up_to(self) -> Decimal | None:
        """Where it ends; None is no end."""


AnyTier = TypeVar("AnyTier", bound=Ending)


def tier_of(tiers: Sequence[AnyTier], quantity: Decimal) -> tuple[AnyTier, Decimal]:
    """Return the tier (previous up_to, up_to] with this quantity, and where it starts.

    Zero is in the first one. Raises BadInput where none is, which `tier_problems` forbids.
    """
    start = ZERO
    for tier in tiers:
        if tier.up_to is None or quantity <= tier.up_to:
            return tier, start
        start = tier.up_to
    raise uncovered()


def uncovered() -> BadInput:
    """Return the error for a quantity behind the last tier: it is refused, and never free."""
    return BadInput.field("tiers", "last_tier_closed", "no tier covers this quantity.")


def tier_problems(tiers: Sequence[msgspec.Struct], end: str = "up_to") -> Iterator[FieldError]:
    """Yield what is wrong with the amounts and ends of tiers; `end` is the field that ends one."""
    if not 1 <= len(tiers) <= TIERS_MAX:
        yield FieldError("tiers", "tier_count", f"needs 1 to {TIERS_MAX} tiers.")
        return
    start = ZERO
    for at, tier in enumerate(tiers):
        field = f"tiers[{at}]"
        for name in _AMOUNTS:
            if name in tier.__struct_fields__:
                yield from price_problems(f"{field}.{name}", getattr(tier, name))
        up_to: Decimal | None = getattr(tier, end)
        is_last = at == len(tiers) - 1
        yield from _end_problems(f"{field}.{end}", up_to, start, is_last=is_last)
        if up_to is not None and up_to.is_finite():
            start = up_to


def _end_problems(
    field: str, end: Decimal | None, start: Decimal, *, is_last: bool
) -> Iterator[FieldError]:
    if end is None:
        if not is_last:
            yield FieldError(field, "open_tier_not_last", "only the last tier may have no end.")
        return
    sizes = list(quantity_problems(field, end))
    yield from sizes
    if not sizes and end <= start:
        yield FieldError(field, "tiers_not_ascending", f"must be above {start:f}.")
    if is_last:
        yield FieldError(field, "last_tier_closed", "the last tier must have no end: null.")
