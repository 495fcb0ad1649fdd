"""Usage that is billed as it comes: each time what it costs with the new less what it did before.

So the fees of a period sum to what all its usage costs at once. That needs a price that no further
unit makes cheaper, which one by volume or by a peak is not (Lago refuses the same ones).
"""

from collections.abc import Iterator

from tallystick.kernel.errors import FieldError
from tallystick.pricing.charges import is_metered
from tallystick.pricing.model import BlockPrice, CapacityPrice, Price, VolumePrice


def bills_as_it_comes(price: Price) -> bool:
    """Tell whether usage of the price is billed in advance of its period's end."""
    return price.billing == "in_advance" and is_metered(price)


def keeps_peak(price: Price) -> bool:
    """Tell whether units that are held are paid to the period's end, however soon they go."""
    return bills_as_it_comes(price) and price.prorate and price.on_decrease == "keep"


def problems(price: Price) -> Iterator[FieldError]:
    """Yield what can not be billed in advance, and settings that only go with that."""
    is_asked = bills_as_it_comes(price)
    if is_asked and any(map(_may_fall, (price, *(one.price for one in price.filters)))):
        message = "by volume, or by a peak, more units may cost less: in_arrears"
        yield FieldError("billing", "usage_in_advance", message)
    if price.invoice_at != "event" and not is_asked:
        yield FieldError("invoice_at", "invalid", "goes with usage in_advance")
    if price.on_decrease != "keep" and not (is_asked and price.prorate):
        yield FieldError("on_decrease", "invalid", "goes with prorate and in_advance")


def _may_fall(price: Price) -> bool:
    is_volume = isinstance(price, BlockPrice) and price.policy == "volume"
    return is_volume or isinstance(price, VolumePrice | CapacityPrice)
