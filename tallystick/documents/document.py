"""What an invoice says, frozen word for word when it is finalized.

The invoice keeps this as JSON, so that a name, a price or a tax rate that changes later changes
nothing that was already sent. `encode` and `decode` are its one form: decimals and instants are
strings, dates are ISO 8601 days, amounts of money are whole minor units of `currency`.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

import msgspec

DetailKind = Literal[
    "below_zero",
    "included",
    "held",
    "flat",
    "per_unit",
    "package",
    "tier",
    "volume",
    "capacity",
    "block",
    "free_events",
    "percentage",
    "event_min",
    "event_max",
    "percentage_tier",
    "dynamic",
    "conversion",
    "minimum",
    "maximum",
]
TaxCategory = Literal["S", "Z", "E", "AE", "K", "G", "O"]
"""Standard rate, zero rated, exempt, reverse charge, supply within the EU, export, no tax."""
PaymentStatus = Literal["open", "paid", "void", "uncollectible"]
DocumentKind = Literal["invoice", "credit_note"]
LineRole = Literal["line", "allowance", "charge"]
"""What is sold, what comes off the whole document (a coupon), what comes on top of it."""


class Party(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who sells, or who is billed. `address` holds one printed line per item.

    `country` (ISO 3166-1, "CA"), `region` (ISO 3166-2 without the country, "QC"), `city` and
    `postal_code` say where that is in parts; they are printed where the lines do not name the city
    (`address.py`). `registration_number` is the entry in the register of companies (BT-30, BT-47).
    `endpoint` is the address in a network of e-invoices (BT-34, BT-49): its scheme, a colon, the
    address ("0088:7300010000001").
    """

    name: str
    address: tuple[str, ...] = ()
    email: str | None = None
    tax_id: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None
    postal_code: str | None = None
    registration_number: str | None = None
    endpoint: str | None = None


class BankAccount(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a transfer goes; `holder` is absent where it is the seller."""

    iban: str
    bic: str | None = None
    bank_name: str | None = None
    holder: str | None = None


class CustomField(msgspec.Struct, frozen=True):
    """A fact that the account wants to see on its documents: "Cost centre", "4711"."""

    label: str
    value: str


class Reference(msgspec.Struct, frozen=True):
    """The document to which this one refers, by what is printed on it."""

    number: str
    issued_on: date


class LineDetail(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step of how a line came to its amount: the terms of `pricing.model.Step`.

    It has the fields of a step and is a struct of its own, so that what was frozen stays readable
    when pricing changes. `quantity` units at `unit` each plus `flat` make `amount`, exact and not
    rounded, in major units; the line alone is rounded. A tier covers (`from_`, `up_to`], no
    `up_to` is no end; of the `up_to` included units `quantity` were used. Packages and blocks are
    of `size` units. A percentage takes `rate` percent, and `fixed` for each of `event_count`
    events. A step with a `custom_unit` has its amounts in that unit.
    """

    kind: DetailKind
    amount: Decimal
    quantity: Decimal | None = None
    unit: Decimal | None = None
    flat: Decimal | None = None
    from_: Decimal | None = msgspec.field(default=None, name="from")
    up_to: Decimal | None = None
    size: Decimal | None = None
    rate: Decimal | None = None
    fixed: Decimal | None = None
    event_count: int | None = None
    custom_unit: str | None = None


class DocumentLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line. The period is half-open in UTC and printed as days of the invoice's time zone.

    `unit` names what is counted ("calls"); `unit_price` is in major units and absent where no
    single price applies. `details` hold the steps in the order in which they are added up. Lines
    with the same `heading` stand together under it: the plan that they bill, where there are more.
    `amount_minor` contains `included_minor` of tax, none for most; what comes off is below zero.
    `taxes` are those of the document's taxes that are reckoned on this line, by their place there;
    none said: all of them.
    """

    description: str
    amount_minor: int
    period_start: datetime | None = None
    period_end: datetime | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    unit_price: Decimal | None = None
    details: tuple[LineDetail, ...] = ()
    role: LineRole = "line"
    taxes: tuple[int, ...] = ()
    heading: str | None = None
    included_minor: int = 0

    @property
    def net_minor(self) -> int:
        """The amount without the tax that it contains."""
        return self.amount_minor - self.included_minor


class TaxLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One tax at one rate: `percent` 20 of `base_minor` is `amount_minor`.

    `category` is the code of UNCL5305 that EN 16931 takes in BT-118, None where nobody said it;
    `reason` says why nothing is charged (BT-120), as it is to be printed.
    """

    name: str
    percent: Decimal
    base_minor: int
    amount_minor: int
    category: TaxCategory | None = None
    reason: str | None = None


class InvoiceDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """A finalized invoice or an issued credit note: `total_minor` is the subtotal plus the taxes.

    `locale` ("en-US") says the language, and how numbers and dates are written; `timezone`
    ("Europe/Paris") which days the periods cover. `account_id` is the public id of who is billed.

    A credit note has positive amounts, those that it gives back; it refers to its invoice and has
    no day on which it is due. `prepaid_minor` was paid before the document was issued (credit that
    was used); what is to be paid is total - prepaid + rounding (BT-115). `logo` is the SHA-256 of
    the picture in hexadecimal: the renderer is given the picture itself.
    """

    number: str
    issued_on: date
    due_on: date | None
    currency: str
    locale: str
    timezone: str
    account_id: str
    seller: Party
    customer: Party
    lines: tuple[DocumentLine, ...]
    subtotal_minor: int
    total_minor: int
    taxes: tuple[TaxLine, ...] = ()
    memo: str | None = None
    purchase_order: str | None = None
    payment_instructions: str | None = None
    kind: DocumentKind = "invoice"
    refers_to: Reference | None = None
    bank: BankAccount | None = None
    custom_fields: tuple[CustomField, ...] = ()
    buyer_reference: str | None = None
    prepaid_minor: int = 0
    rounding_minor: int = 0
    logo: str | None = None


class PaymentState(msgspec.Struct, frozen=True):
    """How far an invoice is paid: all that is printed and may change after finalization.

    `paid_minor` counts credit that was used as well as money. `paid_on` and `method` ("Visa ending
    4242", "Prepaid credit") are those of the last payment. `credited_minor` is what credit notes
    took off what is due.
    """

    status: PaymentStatus
    paid_minor: int = 0
    paid_on: date | None = None
    method: str | None = None
    credited_minor: int = 0


class Receipt(msgspec.Struct, frozen=True):
    """A payment that came in, as its receipt says it; `number` is the public id of the payment."""

    number: str
    paid_on: date
    amount_minor: int
    method: str | None = None


def encode(document: InvoiceDocument) -> bytes:
    """Return the document as JSON, the same bytes for the same document."""
    return msgspec.json.encode(document)


def decode(stored: bytes | str) -> InvoiceDocument:
    """Read what `encode` wrote; fields added since then have their defaults.

    Raises msgspec.ValidationError for anything else.
    """
    return msgspec.json.decode(stored, type=InvoiceDocument)
