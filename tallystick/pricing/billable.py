"""What no invoice can bill yet: refused when someone subscribes, never billed wrongly."""

from tallystick.pricing.charges import is_metered
from tallystick.pricing.model import Price


def why_not_billable(price: Price) -> str | None:
    """Return what stands in the way of billing the price; None: nothing."""
    if is_metered(price):
        return None
    return "tells usage apart and has none" if price.group_by or price.filters else None
