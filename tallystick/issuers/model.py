"""Issuers as values: the legal entities in whose name documents go out."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from tallystick.documents.document import Party

NumberReset = Literal["yearly", "monthly", "never"]
"""When the numbers of an issuer begin again with 1; a format says the year or month then."""
DocumentKind = Literal["invoice", "credit_note"]
"""What is numbered; each kind has a series of its own."""
ZeroRule = Literal["issue", "skip"]
"""What becomes of a bill over nothing: it is issued and paid at once, or no invoice is made."""
LogoType = Literal["image/png", "image/svg+xml"]


class TaxRegistration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where an issuer is registered for a tax besides its VAT number.

    `country` is ISO 3166-1, `region` ISO 3166-2 without the country.
    """

    country: str
    number: str
    region: str | None = None


class NumberRule(msgspec.Struct, frozen=True, kw_only=True):
    """How the numbers of one kind look, and when they begin again."""

    kind: DocumentKind
    format: str
    reset: NumberReset


class Issuer(msgspec.Struct, frozen=True, kw_only=True):
    """A legal entity that issues documents.

    `address` is what is printed, line by line; `city`, `postal_code`, `region` and `country` say
    the same in parts. `former_numbers` are the rules it numbered by before, oldest first.
    `minimum_amounts` are by currency, in major units: an invoice below one is not issued yet.
    `grace_hours` is how long an invoice stays a draft after its period. `logo_id` is the SHA-256
    of the picture. `follows_settings`: it is what the settings say, until somebody changes it.
    """

    issuer_id: UUID
    code: str
    legal_name: str
    created_at: datetime
    address: tuple[str, ...] = ()
    city: str | None = None
    postal_code: str | None = None
    region: str | None = None
    country: str | None = None
    vat_number: str | None = None
    tax_registrations: tuple[TaxRegistration, ...] = ()
    registration_number: str | None = None
    email: str | None = None
    logo_id: str | None = None
    bank_name: str | None = None
    iban: str | None = None
    bic: str | None = None
    payment_instructions: str | None = None
    locale: str = "en-US"
    payment_due_days: int = 14
    grace_hours: int = 0
    invoice_format: str = "INV-{year}-{number:06}"
    credit_note_format: str = "CN-{year}-{number:06}"
    number_reset: NumberReset = "yearly"
    former_numbers: tuple[NumberRule, ...] = ()
    minimum_amounts: Mapping[str, Decimal] = {}
    zero_rule: ZeroRule = "issue"
    is_default: bool = False
    follows_settings: bool = False
    retired_at: datetime | None = None

    @property
    def party(self) -> Party:
        """Who sells, as it is printed."""
        return Party(
            self.legal_name,
            self.address,
            self.email,
            self.vat_number,
            country=self.country,
            region=self.region,
            city=self.city,
            postal_code=self.postal_code,
            registration_number=self.registration_number,
        )

    def number_rule(self, kind: DocumentKind) -> NumberRule:
        """Return how documents of this kind are numbered."""
        text = self.invoice_format if kind == "invoice" else self.credit_note_format
        return NumberRule(kind=kind, format=text, reset=self.number_reset)


class Logo(msgspec.Struct, frozen=True):
    """A picture for documents; `logo_id` is the SHA-256 of its bytes in hexadecimal."""

    logo_id: str
    media_type: LogoType
    content: bytes


class Numbered(msgspec.Struct, frozen=True):
    """What a number is wanted for: a document of this day (the one printed on it)."""

    issuer: Issuer
    kind: DocumentKind
    year: int
    month: int
    is_test: bool
