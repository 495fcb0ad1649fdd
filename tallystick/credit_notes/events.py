"""What credit notes tell: written to the outbox with the change itself."""

from typing import Final
from uuid import UUID

import msgspec

CREDIT_NOTE_ISSUED: Final = "credit_note.issued"
CREDIT_NOTE_VOIDED: Final = "credit_note.voided"
REFUND_REQUESTED: Final = "refund.requested"
REFUND_MADE: Final = "refund.made"
REFUND_FAILED: Final = "refund.failed"
DISPUTE_OPENED: Final = "dispute.opened"
DISPUTE_WON: Final = "dispute.won"
DISPUTE_LOST: Final = "dispute.lost"


class CreditNoteIssued(msgspec.Struct, frozen=True):
    """The note has its number and is in the books."""

    credit_note_id: UUID
    invoice_id: UUID


class CreditNoteVoided(msgspec.Struct, frozen=True):
    """The note counts no longer; its entry is reversed."""

    credit_note_id: UUID
    invoice_id: UUID


class RefundRequested(msgspec.Struct, frozen=True):
    """Money of an invoice is to be paid back."""

    refund_id: UUID
    invoice_id: UUID


class RefundMade(msgspec.Struct, frozen=True):
    """It was paid back."""

    refund_id: UUID
    invoice_id: UUID


class RefundFailed(msgspec.Struct, frozen=True):
    """A gateway refused it, or it came back; a person has to see to it. `code` says why."""

    refund_id: UUID
    invoice_id: UUID
    code: str


class DisputeTold(msgspec.Struct, frozen=True):
    """A bank took money of an invoice back; it came again; or it is gone."""

    dispute_id: UUID
    invoice_id: UUID
    payment_id: UUID | None
