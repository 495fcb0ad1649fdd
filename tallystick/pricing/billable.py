"""What no invoice can bill yet: refused when someone subscribes, never billed wrongly."""

from tallystick.pricing.charges import is_metered
from tallystick.pricing.model import Price
from tallystick.pricing.usage import needs


def why_not_billable(price: Price) -> str | None:
    """Return what stands in the way of billing the price, such as "is grouped"; None: nothing."""
    if price.filters:
        return "has filters"
    if price.maximum is not None:
        return "has a maximum"
    if price.custom_unit is not None:
        return "is in a custom unit"
    if needs(price) not in ("nothing", "quantity"):
        return "needs single events"
    if is_metered(price):
        return "bills usage in advance" if price.billing == "in_advance" else None
    return "is grouped and has no usage" if price.group_by else None
