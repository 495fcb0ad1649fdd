"""What is to be sent to whom, and what became of it."""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

ADDRESSES_MAX: Final = 10
ON_FINALIZED: Final = "finalized"
"""The request key of the mail that an invoice sends by itself: one."""


class MailStatus(StrEnum):
    """Where a mail is; `sending`: handed to the server, whose answer is not known (yet)."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """One mail with an invoice, or about a card that expires; instants are wall time.

    `error` says in a server's code ("550") or ours why it failed, or waits to be tried again.
    """

    account_id: UUID
    mail_id: UUID
    invoice_id: UUID | None
    payment_method_id: UUID | None
    request_key: str
    addresses: tuple[str, ...]
    status: MailStatus
    try_count: int
    try_after: datetime
    error: str | None
    created_at: datetime
    sent_at: datetime | None


class Sender(msgspec.Struct, frozen=True):
    """Who mails come from: `address` is in the From field, `name` before it."""

    address: str
    name: str
