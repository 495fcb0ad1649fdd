"""What coupons took off an amount that is given back: their share is taken back with it. Pure.

A share is the difference of two points of one rounded line, over what was billed. 49.00 with a
coupon of 50 % cost 24.50; of it 31.61 are given back: up to 17.39 the coupon took 8.70, up to 49.00
it took 24.50, so 15.80 are taken back and 15.81 are given back. What was used cost 8.69 then, and
what a coupon made free gives back nothing.
"""

from uuid import UUID

import msgspec
from msgspec.structs import replace

from tallystick.money.rounding import round_ratio


class DiscountBack(msgspec.Struct, frozen=True, kw_only=True):
    """What was billed by `number`, in minor units, and what of its discount is taken back.

    Coupons took `taken_minor` off `billed_minor`; what is given back ends at the point
    `until_minor` of that. `invoice_id` None: several invoices billed it, or it is still to come.
    """

    invoice_id: UUID | None
    number: str
    billed_minor: int
    taken_minor: int
    until_minor: int
    back_minor: int = 0


def with_share(was: DiscountBack, given_minor: int) -> DiscountBack:
    """Return it with what follows where so much (above zero, before coupons) is given back."""
    until = _taken_up_to(was, was.until_minor)
    return replace(was, back_minor=until - _taken_up_to(was, was.until_minor - given_minor))


def checked_back(was: DiscountBack, given_minor: int) -> int:
    """Return what is taken back; raises ValueError when what is stored is not what follows."""
    if with_share(was, given_minor) != was:
        raise ValueError("the discount that is taken back is not the one that follows")
    return was.back_minor


def _taken_up_to(was: DiscountBack, point: int) -> int:
    """Return what coupons took off the first so many minor units of what was billed."""
    if was.billed_minor <= 0:
        return 0
    inside = min(max(point, 0), was.billed_minor)
    return round_ratio(was.taken_minor * inside, was.billed_minor)
