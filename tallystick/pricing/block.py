"""Block: units are sold in blocks, and a started block is a whole block.

Tiers count blocks. Kill Bill's two policies: `graduated`, each block by its own tier, and
`volume`, all of them by the tier of the last one.
"""

from collections.abc import Iterator
from decimal import Decimal

from tallystick.kernel.errors import FieldError
from tallystick.money.exact import canonical, multiply, subtract
from tallystick.pricing.bounds import size_problems
from tallystick.pricing.model import ZERO, BlockPrice, BlockTier, Step
from tallystick.pricing.started import started
from tallystick.pricing.tiers import tier_problems, uncovered


def steps(price: BlockPrice, quantity: Decimal) -> Iterator[Step]:
    """Yield a step for each tier that was entered, or the one that prices all blocks.

    Blocks of 100, up to 2 blocks at 5, then 4: 201 units are 2 x 5 and 1 x 4; as a volume, 3 x 4.
    """
    entered = list(_graduated(price, quantity))
    if price.policy == "graduated":
        yield from (step for step, _ in entered)
        return
    last, tier = entered[-1]
    start = last.from_ or ZERO
    yield _step(tier, start, started(quantity, _size(price, tier)), _size(price, tier))


def problems(price: BlockPrice) -> Iterator[FieldError]:
    """Yield what is wrong with the sizes and the tiers."""
    if price.size is not None:
        yield from size_problems("size", price.size)
    yield from tier_problems(price.tiers, "up_to_blocks")
    for at, tier in enumerate(price.tiers):
        if tier.size is not None:
            yield from size_problems(f"tiers[{at}].size", tier.size)
        elif price.size is None:
            yield FieldError(f"tiers[{at}].size", "missing", "say how many units a block has.")
        end = tier.up_to_blocks
        if end is not None and end.is_finite() and end != end.to_integral_value():
            message = "must be a whole number of blocks."
            yield FieldError(f"tiers[{at}].up_to_blocks", "not_whole", message)


def _graduated(price: BlockPrice, quantity: Decimal) -> Iterator[tuple[Step, BlockTier]]:
    left, start = quantity, ZERO
    for tier in price.tiers:
        size = _size(price, tier)
        count = started(left, size)
        if tier.up_to_blocks is None or count <= subtract(tier.up_to_blocks, start):
            yield _step(tier, start, count, size), tier
            return
        taken = subtract(tier.up_to_blocks, start)
        yield _step(tier, start, taken, size), tier
        left, start = subtract(left, multiply(taken, size)), tier.up_to_blocks
    raise uncovered()


def _size(price: BlockPrice, tier: BlockTier) -> Decimal:
    size = price.size if tier.size is None else tier.size
    if size is None:
        raise uncovered()  # `problems` forbids it
    return size


def _step(tier: BlockTier, start: Decimal, count: Decimal, size: Decimal) -> Step:
    return Step(
        kind="block",
        quantity=canonical(count),
        size=canonical(size),
        unit=canonical(tier.amount),
        from_=canonical(start),
        up_to=None if tier.up_to_blocks is None else canonical(tier.up_to_blocks),
        amount=canonical(multiply(count, tier.amount)),
    )
