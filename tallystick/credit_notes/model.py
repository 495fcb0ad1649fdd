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

    `total_minor` in place of `takes`: so much of the total, tax included, of all lines in
    proportion. `split` None: first what is due, then `rest`. `request_key` names the intent within
    the account, so that it is done once.
    """

    invoice_id: UUID
    reason: Reason
    text: str = ""
    takes: tuple[Take, ...] | None = None
    total_minor: int | None = None
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
    """The wish to pay back, under way at a gateway, done, or taken back with its note."""

    REQUESTED = "requested"
    PROCESSING = "processing"
    MADE = "made"
    CANCELED = "canceled"


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """Money of an invoice that is to be paid back.

    `made` is how much of it was; `made_through`: the gateway of the last part, or `manual`.
    `problem` says why a person has to see to it: `by_hand` (nothing can be done at a gateway), or
    the code with which a gateway refused.
    """

    account_id: UUID
    refund_id: UUID
    credit_note_id: UUID
    invoice_id: UUID
    currency: str
    amount: Money
    made: Money
    status: RefundStatus
    problem: str | None
    made_through: str | None
    reference: str | None
    requested_at: datetime
    made_at: datetime | None

    @property
    def left(self) -> Money:
        """What is still to be paid back."""
        return self.amount - self.made


class RefundPart(msgspec.Struct, frozen=True, kw_only=True):
    """What was paid back of a wish at once; with `failed_at` it came back and counts no longer."""

    account_id: UUID
    refund_part_id: UUID
    refund_id: UUID
    amount: Money
    through: str
    reference: str
    made_at: datetime
    failed_at: datetime | None = None


class DisputeStatus(StrEnum):
    """Money that a bank asks about, or took back, and who has it in the end."""

    WARNING = "warning"
    OPENED = "opened"
    WON = "won"
    LOST = "lost"


AfterLoss = Literal["reopen", "write_off"]
"""A lost dispute lets the invoice be due again, or gives the money up."""
DisputeKind = Literal["dispute", "return"]
"""A return (of a bank debit, or a void) is for good: nobody can contest it."""


class Grounds(msgspec.Struct, frozen=True, kw_only=True):
    """What else is known of a dispute: its payment, the bank's reason, until when to answer.

    `paid_minor` is what of the amount the invoice got; None: all of it.
    """

    kind: DisputeKind = "dispute"
    payment_id: UUID | None = None
    paid_minor: int | None = None
    code: str | None = None
    respond_by: datetime | None = None


class Dispute(msgspec.Struct, frozen=True, kw_only=True):
    """One dispute of a payment of an invoice; `reference` is the gateway's name for it."""

    account_id: UUID
    dispute_id: UUID
    invoice_id: UUID
    payment_id: UUID | None
    gateway: str
    reference: str
    kind: DisputeKind
    code: str | None
    currency: str
    amount: Money
    paid: Money
    status: DisputeStatus
    respond_by: datetime | None
    opened_at: datetime
    ended_at: datetime | None
