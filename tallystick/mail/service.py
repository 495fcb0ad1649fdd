"""Asking for mails, and reading what became of them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from tallystick.accounts.checks import is_email
from tallystick.invoices import service as invoices
from tallystick.invoices.model import Status
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import new_id
from tallystick.kernel.paging import After, Page, PageRequest, make_page
from tallystick.mail import store
from tallystick.mail.model import ADDRESSES_MAX, Mail, MailStatus


async def send_invoice(
    conn: Connection,
    account_id: UUID,
    invoice_id: UUID,
    *,
    addresses: Sequence[str],
    request_key: str,
    now: datetime,
) -> Mail | None:
    """Let the invoice go out by mail; None if it goes, or went, for this reason already.

    `now` is wall time. Raises NotFound; Conflict `invoice_not_final` for a draft; BadInput
    `invalid_email`, `too_many`.
    """
    invoice = await invoices.get_invoice(conn, account_id, invoice_id)
    if invoice.status is Status.DRAFT:
        raise Conflict("invoice_not_final", "A draft is not sent; finalize the invoice first.")
    _check(addresses)
    return await store.insert(
        conn,
        account_id,
        mail_id=new_id(),
        invoice_id=invoice_id,
        payment_method_id=None,
        request_key=request_key,
        addresses=addresses,
        now=now,
    )


async def tell_of_card(
    conn: Connection,
    account_id: UUID,
    payment_method_id: UUID,
    *,
    address: str,
    request_key: str,
    now: datetime,
) -> Mail | None:
    """Let a mail say until when a saved card is valid; None if one does, or did, for this reason.

    `now` is wall time.
    """
    return await store.insert(
        conn,
        account_id,
        mail_id=new_id(),
        invoice_id=None,
        payment_method_id=payment_method_id,
        request_key=request_key,
        addresses=[address],
        now=now,
    )


async def list_mails(
    conn: Connection, account_id: UUID | None, status: MailStatus | None, request: PageRequest
) -> Page[Mail]:
    """Return mails of one account or of all, newest first."""
    rows = await store.page(conn, account_id, status, request)
    total = await store.count(conn, account_id, status)
    return make_page(rows, total, request, lambda row: After(row.created_at, row.mail_id))


def _check(addresses: Sequence[str]) -> None:
    if len(addresses) > ADDRESSES_MAX:
        raise BadInput.field("to", "too_many", f"must be at most {ADDRESSES_MAX} addresses")
    for at, address in enumerate(addresses):
        if not is_email(address):
            raise BadInput.field(f"to.{at}", "invalid_email", "must be an e-mail address")
