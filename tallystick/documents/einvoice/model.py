"""An invoice in the terms of EN 16931-1, from which both syntaxes are written.

BT and BG are the standard's numbers of business terms and groups. Amounts are whole minor units of
`currency`, prices and quantities exact; days are calendar days.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final, Literal

import msgspec

from tallystick.documents.document import BankAccount, Reference, TaxCategory

DECIMALS_MAX: Final = 2  # BR-DEC-01 to 28: no amount of an e-invoice has more
TypeCode = Literal["380", "381"]
"""BT-3: commercial invoice, credit note (UNTDID 1001)."""


class TradeParty(msgspec.Struct, frozen=True, kw_only=True):
    """Seller (BG-4) or buyer (BG-7). Of `vat_id` and `tax_registration` one is there at most."""

    name: str
    lines: tuple[str, ...]
    country: str
    city: str | None
    postal_code: str | None
    region: str | None
    identifier: str | None
    registration: str | None
    vat_id: str | None
    tax_registration: str | None
    endpoint: tuple[str, str] | None


class Vat(msgspec.Struct, frozen=True):
    """What a line is taxed by: BT-151 and BT-152; a category O has no rate."""

    category: TaxCategory
    percent: Decimal | None


class VatGroup(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the VAT breakdown (BG-23)."""

    vat: Vat
    base_minor: int
    tax_minor: int
    reason: str | None
    reason_code: str | None


class Adjustment(msgspec.Struct, frozen=True, kw_only=True):
    """What comes off (BG-20) or on top of (BG-21) all that has one VAT; above zero."""

    is_charge: bool
    amount_minor: int
    reason: str
    vat: Vat


class TradeLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line (BG-25): `price` for `price_quantity` units; a credit has a quantity below zero."""

    number: int
    name: str
    note: str | None
    quantity: Decimal
    price: Decimal
    price_quantity: Decimal | None
    amount_minor: int
    vat: Vat
    starts_on: date | None
    ends_on: date | None


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """The totals (BG-22), bound by BR-CO-10 to BR-CO-16."""

    lines_minor: int
    allowances_minor: int
    charges_minor: int
    without_tax_minor: int
    tax_minor: int
    with_tax_minor: int
    prepaid_minor: int
    rounding_minor: int
    payable_minor: int


class EInvoice(msgspec.Struct, frozen=True, kw_only=True):
    """A document as EN 16931 knows it."""

    type_code: TypeCode
    number: str
    issued_on: date
    due_on: date | None
    terms: str | None
    currency: str
    decimals: int
    note: str | None
    buyer_reference: str | None
    purchase_order: str | None
    refers_to: Reference | None
    seller: TradeParty
    buyer: TradeParty
    bank: BankAccount | None
    starts_on: date | None
    ends_on: date | None
    groups: Sequence[VatGroup]
    adjustments: Sequence[Adjustment]
    lines: Sequence[TradeLine]
    sums: Sums

    @property
    def is_shipped(self) -> bool:
        """Tell whether goods went to another member state: BR-IC-11 and 12 want when and where."""
        return any(group.vat.category == "K" for group in self.groups)

    def amount(self, minor: int) -> str:
        """Return minor units as major ones with two decimals at most: "12.50" (BR-DEC-01 to 28).

        Of a currency with more nothing is lost: documents that use the third are refused before.
        """
        dropped = max(self.decimals - DECIMALS_MAX, 0)
        return f"{Decimal(minor // 10**dropped).scaleb(dropped - self.decimals):f}"


def plain(value: Decimal) -> str:
    """Return an exact number without an exponent: "0.0004"."""
    return f"{value:f}"
