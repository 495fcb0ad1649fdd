"""What an issued invoice billed for usage, as values."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from tallystick.invoices.derivation import Derivation
from tallystick.invoices.model import LineKind
from tallystick.money.amount import Money
from tallystick.pricing.charges import Charge

PriceKey = tuple[UUID, UUID, str]
"""An invoice, a subscription on it and the code of a price, whose lines are rated together."""
Charges = Mapping[PriceKey, tuple[Charge, ...]]


class UsageLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an issued invoice over a meter's usage in [period_start, period_end), UTC.

    Of usage that is billed as it comes it is the period's last line, and the amount is what all of
    them billed. Kind `usage`, or `minimum` and `maximum` for what brought the price to those.
    """

    invoice_id: UUID
    number: str
    subscription_id: UUID
    invoice_line_id: UUID
    position: int
    kind: LineKind
    description: str
    meter_code: str
    period_start: datetime
    period_end: datetime
    amount: Money
    derivation: Derivation

    @property
    def quantity(self) -> Decimal:
        """What was billed."""
        return self.derivation.quantity

    @property
    def price_key(self) -> PriceKey:
        """Which price of which subscription on which invoice it belongs to."""
        return self.invoice_id, self.subscription_id, self.derivation.price.code


class UsageChange(msgspec.Struct, frozen=True, kw_only=True):
    """An issued invoice whose period's usage of a meter changed since it was billed."""

    account_id: UUID
    invoice_id: UUID
    meter_code: str
    subscription_id: UUID
    period_start: datetime
    period_end: datetime
    changed_since: datetime
    changed_at: datetime
