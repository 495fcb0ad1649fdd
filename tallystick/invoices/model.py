"""Invoices as values. `Money` inside; whole minor units only at the edges."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal
from uuid import UUID

import msgspec

from tallystick.documents.document import TaxLine
from tallystick.invoices.derivation import Derivation
from tallystick.invoices.terms import Terms
from tallystick.money.amount import Money

LineKind = Literal[
    "subscription",
    "usage",
    "adjustment",
    "minimum",
    "maximum",
    "one_off",
    "credit_purchase",
    "proration",
    "discount",
]


class Status(StrEnum):
    """Where an invoice is in its life (Stripe's five)."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"


class Event(StrEnum):
    """What can happen to an invoice; `settle` is its payment in whole."""

    FINALIZE = "finalize"
    SETTLE = "settle"
    CANCEL = "cancel"
    WRITE_OFF = "write_off"
    REOPEN = "reopen"


class BillKey(msgspec.Struct, frozen=True):
    """One bill of a subscription, which is invoiced once."""

    subscription_id: UUID
    bill_index: int


class DraftLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line before its invoice is written; `derivation` says how the amount came.

    `subscription_id` None: it belongs to no subscription. `heading` is the plan under whose name it
    is printed where the invoice bills several subscriptions, `plan_code` the one
    by which coupons cover it; None: it is of no plan.
    """

    kind: LineKind
    description: str
    price_code: str
    meter_code: str | None
    quantity: Decimal
    unit: str | None
    period_start: datetime | None
    period_end: datetime | None
    amount: Money
    derivation: Derivation
    subscription_id: UUID | None = None
    heading: str | None = None
    plan_code: str | None = None


class LineTaxes(msgspec.Struct, frozen=True):
    """Which of the draft's taxes hold for a line, by their place, and how much its amount contains.

    `places` None: it lowers or raises the invoice as a whole.
    """

    places: tuple[int, ...] | None
    included_minor: int = 0


class InvoiceDraft(msgspec.Struct, frozen=True, kw_only=True):
    """What an invoice will say: `total` is the subtotal plus all taxes; `bills` are all it bills.

    One that is sold once, outside any subscription, has no period and no bills.
    """

    currency: str
    period_start: datetime | None
    period_end: datetime | None
    lines: tuple[DraftLine, ...]
    subtotal: Money
    taxes: tuple[TaxLine, ...]
    tax: Money
    total: Money
    bills: tuple[BillKey, ...] = ()
    terms: Terms = Terms()
    line_taxes: tuple[LineTaxes, ...] = ()


class InvoiceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One amount of an invoice. The period is half-open, UTC; `position` counts from 1."""

    invoice_line_id: UUID
    position: int
    kind: LineKind
    description: str
    price_code: str | None
    meter_code: str | None
    quantity: Decimal
    unit: str | None
    period_start: datetime | None
    period_end: datetime | None
    amount: Money
    subscription_id: UUID | None = None


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice with its lines. Once no draft, only status and what was paid or credited move.

    `paid` counts money and customer credit that was used. `credited` is the sum of its credit
    notes, `offset` the part of that which came off what is due; the rest was given back. A draft
    becomes final at `finalize_at`; None: when somebody says so.
    """

    account_id: UUID
    invoice_id: UUID
    number: str | None
    status: Status
    currency: str
    subtotal: Money
    tax: Money
    total: Money
    paid: Money
    credited: Money
    offset: Money
    subscription_ids: tuple[UUID, ...]
    period_start: datetime | None
    period_end: datetime | None
    issued_at: datetime | None
    due_at: datetime | None
    paid_at: datetime | None
    created_at: datetime
    terms: Terms = Terms()
    finalize_at: datetime | None = None
    lines: tuple[InvoiceLine, ...] = ()

    @property
    def subscription_id(self) -> UUID | None:
        """The one subscription that it bills; None: it bills several, or none."""
        return self.subscription_ids[0] if len(self.subscription_ids) == 1 else None

    @property
    def is_of_period(self) -> bool:
        """Whether it is a draft that bills subscriptions, and is made anew until it is final."""
        return self.status is Status.DRAFT and bool(self.subscription_ids)

    @property
    def due(self) -> Money:
        """What is still to be paid; nothing on an invoice that is void or a draft."""
        if self.status in (Status.DRAFT, Status.VOID):
            return Money.zero(self.currency)
        return self.total - self.paid - self.offset

    @property
    def asked(self) -> Money:
        """What it asks for: paid and still due together; nothing on one that is void or a draft."""
        return self.due + self.paid if self.status is not Status.VOID else self.due

    @property
    def creditable(self) -> Money:
        """What no credit note has taken back yet; nothing on an invoice that is void or a draft."""
        if self.status in (Status.DRAFT, Status.VOID):
            return Money.zero(self.currency)
        return self.total - self.credited

    @property
    def returnable(self) -> Money:
        """What was paid and not given back by a credit note, as credit or as a refund."""
        return self.paid - (self.credited - self.offset)
