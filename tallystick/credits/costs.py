"""What an operation costs: which version holds, and how a quantity becomes credits. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal, localcontext
from typing import Final, Literal
from uuid import UUID

import msgspec

from tallystick.credits.amounts import to_units
from tallystick.kernel.errors import BadInput, NotFound
from tallystick.money.exact import DIGITS_MAX

Rounding = Literal["up", "nearest", "down"]
STEP_DEFAULT: Final = Decimal("0.00001")
_MODES: Final[Mapping[Rounding, str]] = {
    "up": ROUND_UP,
    "nearest": ROUND_HALF_UP,
    "down": ROUND_DOWN,
}


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """One version of what an operation costs.

    `credits_per_unit` for each `unit_size` of `unit` (2 for 1,000 tokens), no less than `minimum`,
    rounded once to a multiple of `step`. `model` None: any that has no cost of its own;
    `account_id` None: everybody without an own cost. A version that is not active ends the cost.
    """

    credit_cost_id: UUID
    account_id: UUID | None
    operation: str
    model: str | None
    version: int
    unit: str
    unit_size: Decimal
    credits_per_unit: Decimal
    minimum: Decimal
    rounding: Rounding
    step: Decimal
    effective_at: datetime
    is_active: bool
    created_at: datetime


class CostBook:
    """All versions of all costs, as they were at one count of changes (`epoch`)."""

    def __init__(self, epoch: int, costs: Iterable[Cost]) -> None:
        self.epoch = epoch
        self._versions: dict[tuple[UUID | None, str, str | None], list[Cost]] = {}
        for cost in sorted(costs, key=lambda one: (one.effective_at, one.version)):
            key = (cost.account_id, cost.operation, cost.model)
            self._versions.setdefault(key, []).append(cost)

    def cost_at(
        self, account_id: UUID, operation: str, model: str | None, at: datetime
    ) -> Cost | None:
        """Return the version that holds at `at`; the account's own first, the model's own first."""
        for owner in (account_id, None):
            for named in dict.fromkeys((model, None)):
                cost = self._newest((owner, operation, named), at)
                if cost is not None and cost.is_active:
                    return cost
        return None

    def price(
        self, account_id: UUID, operation: str, model: str | None, quantity: Decimal, at: datetime
    ) -> tuple[int, UUID]:
        """Return the 1/100,000 credits that a quantity costs, and by which version.

        Raises NotFound `credit_cost_not_found`; BadInput for a quantity that costs nothing.
        """
        cost = self.cost_at(account_id, operation, model, at)
        if cost is None:
            name = operation if model is None else f"{operation} with {model}"
            raise NotFound("credit_cost_not_found", f"No cost is configured for {name[:200]}.")
        return price(cost, quantity), cost.credit_cost_id

    def _newest(self, key: tuple[UUID | None, str, str | None], at: datetime) -> Cost | None:
        versions = self._versions.get(key, ())
        return next((one for one in reversed(versions) if one.effective_at <= at), None)


def price(cost: Cost, quantity: Decimal) -> int:
    """Return what a quantity costs in 1/100,000 credits.

    1,500 tokens at 2 credits for 1,000, step 1, rounded up: 3 credits. Rounded once: the quotient
    is not rounded before. Raises BadInput for a quantity that is not above zero, or for a cost that
    rounds to nothing.
    """
    if not quantity.is_finite() or quantity <= 0:
        raise BadInput.field("quantity", "out_of_range", "must be above 0")
    # q * c / size, at least m, in whole steps: divided once, so that a third is not rounded twice.
    with localcontext(prec=DIGITS_MAX):
        exact = max(quantity * cost.credits_per_unit, cost.minimum * cost.unit_size)
        steps = _divided(exact, cost.unit_size * cost.step, cost.rounding)
        credits_ = steps * cost.step
    if credits_ <= 0:
        raise BadInput.field("quantity", "costs_nothing", "is too small to cost anything")
    return to_units(credits_, "quantity")


def _divided(dividend: Decimal, divisor: Decimal, rounding: Rounding) -> Decimal:
    """Return the quotient as a whole number, rounded from the exact remainder."""
    whole, rest = divmod(dividend, divisor)
    if rounding == "up":
        return whole + (rest > 0)
    if rounding == "nearest":
        return whole + (2 * rest >= divisor)
    return whole
