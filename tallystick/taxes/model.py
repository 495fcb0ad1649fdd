"""Taxes as values: rates by place and day, who sells, who buys, and what holds for a supply."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal
from uuid import UUID

import msgspec

from tallystick.documents.document import TaxCategory
from tallystick.money.amount import Money

STANDARD: Final = "standard"
"""The tax code of what says no other."""
EU_SCHEME: Final = "EU"
"""As the country of a registration: the One-Stop Shop, for buyers in all member states."""
CheckOutcome = Literal["confirmed", "refused", "unknown"]
"""What its authority says of a tax number: it is somebody's, it is nobody's, or no answer."""


class NewTaxRate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rate to be known: what a tax takes of one kind of supply in one place, from a day on.

    `country` is ISO 3166-1, `region` ISO 3166-2 without the country (None: everywhere in it).
    `percent` is of the net price. `inclusive`: prices there contain it unless they say otherwise.
    A region's rate holds beside those of the whole country; with `replaces_national` in their
    place, and whoever is registered for the country charges it. `category` is UNCL5305, `reason`
    what an invoice says where nothing is charged. It holds in the half-open
    [`valid_from`, `valid_until`). `source` says where it was looked up, `looked_up_on` when.
    """

    country: str
    name: str
    percent: Decimal
    valid_from: date
    source: str
    looked_up_on: date
    region: str | None = None
    tax_code: str = STANDARD
    category: TaxCategory = "S"
    reason: str | None = None
    inclusive: bool = False
    replaces_national: bool = False
    valid_until: date | None = None


class TaxRate(NewTaxRate, frozen=True, kw_only=True):
    """A rate that is known. It never changes: another percentage is another rate."""

    tax_rate_id: UUID
    created_at: datetime

    def holds_on(self, day: date) -> bool:
        """Tell whether it holds on this day."""
        return self.valid_from <= day and (self.valid_until is None or day < self.valid_until)


class Place(msgspec.Struct, frozen=True):
    """A country (ISO 3166-1), or a part of it (ISO 3166-2 without the country).

    As a place where somebody is registered, EU is the One-Stop Shop.
    """

    country: str
    region: str | None = None

    def __str__(self) -> str:
        return self.country if self.region is None else f"{self.country}-{self.region}"


class Seller(msgspec.Struct, frozen=True, kw_only=True):
    """Who sells, as far as taxes ask: a tax number shows that it is registered at home.

    `registrations` are those elsewhere, those of regions, and the One-Stop Shop. Without any the
    seller charges no tax.
    """

    country: str | None = None
    region: str | None = None
    tax_number: str | None = None
    registrations: tuple[Place, ...] = ()

    @property
    def places(self) -> tuple[Place, ...]:
        """Where it is registered."""
        if self.country is None or self.tax_number is None:
            return self.registrations
        return (Place(self.country), *self.registrations)

    @property
    def is_registered(self) -> bool:
        """Whether it charges taxes anywhere."""
        return bool(self.places)


class NewExemption(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why an account pays no tax in [`valid_from`, `valid_until`); `country` None: anywhere.

    `reason` is printed; `certificate` is the number of the paper that shows it.
    """

    reason: str
    valid_from: date
    certificate: str | None = None
    country: str | None = None
    region: str | None = None
    valid_until: date | None = None


class Exemption(NewExemption, frozen=True, kw_only=True):
    """An account's exemption from taxes."""

    account_id: UUID
    tax_exemption_id: UUID
    created_at: datetime

    def holds(self, place: Place, day: date) -> bool:
        """Tell whether it frees from the taxes of a place on a day."""
        is_there = self.country in (None, place.country) and self.region in (None, place.region)
        is_then = self.valid_from <= day and (self.valid_until is None or day < self.valid_until)
        return is_there and is_then


class NumberCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What the authority said of an account's tax number at `checked_at`, None: nothing yet.

    `unknown`: it gave no answer, `try_count` times.
    """

    account_id: UUID
    country: str
    tax_number: str
    outcome: CheckOutcome
    checked_at: datetime | None
    try_count: int
    next_check_at: datetime


class ManualRate(msgspec.Struct, frozen=True):
    """One tax that somebody set for an account: it holds for everything, in place of all rates."""

    name: str
    percent: Decimal


class Buyer(msgspec.Struct, frozen=True, kw_only=True):
    """Who buys, as far as taxes ask; `tax_number` None: none, or one that was refused."""

    country: str
    region: str | None = None
    tax_number: str | None = None
    exemptions: tuple[Exemption, ...] = ()
    manual: ManualRate | None = None


class Supply(msgspec.Struct, frozen=True, kw_only=True):
    """One amount that taxes are reckoned on.

    `tax_code` None: it belongs to all others (a discount over the whole invoice) and is spread
    over them. `inclusive` None: as the rates say. `on` is the day of supply.
    """

    amount: Money
    on: date
    tax_code: str | None = STANDARD
    inclusive: bool | None = None


class Applied(msgspec.Struct, frozen=True):
    """A tax that holds for a supply."""

    name: str
    percent: Decimal
    category: TaxCategory | None = None
    reason: str | None = None
    inclusive: bool = False


class TaxTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What taxes of a batch of invoices need to know besides the accounts, read at once.

    `rates` go by country, `exemptions` by account; `refused` are accounts whose number the
    authority does not know.
    """

    seller: Seller = Seller()
    rates: Mapping[str, Sequence[TaxRate]] = {}
    exemptions: Mapping[UUID, Sequence[Exemption]] = {}
    refused: frozenset[UUID] = frozenset()


NO_TAXES: Final = TaxTerms()
"""The terms of a business that is registered nowhere: only accounts' own rates hold."""
