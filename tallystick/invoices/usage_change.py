"""Usage that changed after it was billed: what it costs now less what was billed. Pure."""

from decimal import Decimal
from uuid import UUID

import msgspec

from tallystick.money.amount import Money
from tallystick.pricing.charges import Part, charged
from tallystick.pricing.model import Price
from tallystick.pricing.use import Use


class ChangedUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Usage of one price in a closed period, then and now.

    The invoice that billed the period billed `billed_minor` for the price, for `old_quantity`, with
    what later invoices added or gave back. `uses` is all that the price is rated for now.
    """

    invoice_id: UUID
    number: str
    billed_minor: int
    old_quantity: Decimal
    new_quantity: Decimal
    uses: tuple[Use, ...]


class Billed(msgspec.Struct, frozen=True):
    """What later invoices added to a price of a closed period, and for what quantity at last."""

    minor: int
    quantity: Decimal


def difference(price: Price, changed: ChangedUsage, part: Part | None) -> Money:
    """Return what is still to be billed, or to be given back, for a price as it was sold."""
    now = charged(price, changed.uses, part)
    return now - Money(changed.billed_minor, price.currency)
