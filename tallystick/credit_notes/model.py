"""Credit notes as values. Amounts are whole minor units of the note's currency."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal
from uuid import UUID

import msgspec

from tallystick.money.amount import Money

Reason = Literal[
    "duplicate", "product_unsatisfactory", "order_change", "fraudulent", "late_usage", "other"
]
Rest = Literal["credit", "refund"]
"""What becomes of what was paid: kept for later invoices, or paid back."""


class Status(StrEnum):
    """A note is issued, and void when it should not have been."""

    ISSUED = "issued"
    VOID = "void"


class Take(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted of a line: so much of its amount, so many of its units, or all that is left.

    `amount_minor` is before discounts and tax, as the line says it.
    """

    invoice_line_id: UUID
    amount_minor: int | None = None
    quantity: Decimal | None = None


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a note, in minor units, none below zero.

    `offset` comes off what is due on the invoice, `credit` is kept for later invoices, `refund` is
    to be paid back.
    """

    offset: int = 0
    credit: int = 0
    refund: int = 0

    @property
    def total(self) -> int:
        """What they come to."""
        return self.offset + self.credit + self.refund


class NewNote(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. `takes` None: all that is left of the invoice.

    `split` None: first what is due, then `rest`. `request_key` names the intent within the
    account, so that it is done once.
    """

    invoice_id: UUID
    reason: Reason
    text: str = ""
    takes: tuple[Take, ...] | None = None
    split: Split | None = None
    rest: Rest = "credit"
    request_key: str | None = None


class NoteLine(msgspec.Struct, frozen=True, kw_only=True):
    """What a note gives back of one line: `amount` as the line says it, `net` after discounts.

    `quantity` None: it was asked for by amount.
    """

    invoice_line_id: UUID
    position: int
    description: str
    quantity: Decimal | None
    amount_minor: int
    net_minor: int


class NoteTax(msgspec.Struct, frozen=True, kw_only=True):
    """What a note gives back of one tax; `place` counts the invoice's taxes from 0."""

    place: int
    name: str
    percent: Decimal
    base_minor: int
    amount_minor: int


class CreditNote(msgspec.Struct, frozen=True, kw_only=True):
    """A note: `subtotal` is its lines after discounts, `total` that plus its taxes.

    One that is only shown, and not issued, has no number.
    """

    account_id: UUID
    credit_note_id: UUID
    invoice_id: UUID
    number: str | None
    invoice_number: str
    status: Status
    reason: Reason
    text: str
    currency: str
    subtotal: Money
    tax: Money
    total: Money
    offset: Money
    credit: Money
    refund: Money
    issued_at: datetime
    voided_at: datetime | None
    lines: tuple[NoteLine, ...] = ()
    taxes: tuple[NoteTax, ...] = ()


class RefundStatus(StrEnum):
    """The wish to pay back, done, or taken back with its note."""

    REQUESTED = "requested"
    MADE = "made"
    CANCELED = "canceled"


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """Money of an invoice that is to be paid back; `made_through`: the gateway, or `manual`."""

    account_id: UUID
    refund_id: UUID
    credit_note_id: UUID
    invoice_id: UUID
    currency: str
    amount: Money
    status: RefundStatus
    made_through: str | None
    reference: str | None
    requested_at: datetime
    made_at: datetime | None


class DisputeStatus(StrEnum):
    """Money that a bank took back, and who has it in the end."""

    OPENED = "opened"
    WON = "won"
    LOST = "lost"


AfterLoss = Literal["reopen", "write_off"]
"""A lost dispute lets the invoice be due again, or gives the money up."""


class Dispute(msgspec.Struct, frozen=True, kw_only=True):
    """One dispute of a payment of an invoice; `reference` is the gateway's name for it."""

    account_id: UUID
    dispute_id: UUID
    invoice_id: UUID
    gateway: str
    reference: str
    currency: str
    amount: Money
    status: DisputeStatus
    opened_at: datetime
    ended_at: datetime | None
