"""Sending what waits. A mail is leased, sent outside any transaction, and then marked.

A worker that dies in between leaves it `sending`; when the lease runs out it is sent again, under
the same Message-ID: rather twice, which mail programs can tell, than not at all.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from tallystick.accounts import service as accounts
from tallystick.invoices.files import invoice_file, issued_document
from tallystick.kernel.db import WRITER, Database, account_scope
from tallystick.kernel.due import WallKind
from tallystick.kernel.errors import NotFound, TallystickError
from tallystick.kernel.ids import show
from tallystick.mail import store
from tallystick.mail.message import card_letter, letter, message
from tallystick.mail.model import Mail, MailStatus, Sender
from tallystick.mail.transport import MailDelayed, MailRefused, Transport
from tallystick.payments import methods

log = structlog.get_logger()

LEASE: Final = timedelta(minutes=10)
BATCH_MAX: Final = 10
WAITS: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 480, 1440, 1440))
"""After each failure in turn; after the last one a mail has failed."""


class Mailer:
    """Sends mails; `public_url` is where customers read their invoices and change their cards."""

    def __init__(self, db: Database, transport: Transport, sender: Sender, public_url: str) -> None:
        self._db = db
        self._transport = transport
        self._sender = sender
        self._public_url = public_url

    def kind(self) -> WallKind:
        """Return the work as the worker takes it."""
        return WallKind("mail", self.run_due)

    async def run_due(self, now: datetime) -> int:
        """Send some of what is due and return how many that were."""
        async with self._db.transaction(WRITER) as conn:
            due = await store.lease_due(conn, now, LEASE, BATCH_MAX)
        for mail in due:
            await self._send(mail, now)
        return len(due)

    async def _send(self, mail: Mail, now: datetime) -> None:
        try:
            content = await self._message(mail)
            await self._transport.send(mail.mail_id, self._sender.address, mail.addresses, content)
        except MailRefused as error:
            await self._finish(mail, MailStatus.FAILED, error.code, now)
        except MailDelayed as error:
            await self._delay(mail, error.code, now)
        except TallystickError as error:  # the PDF could not be drawn
            await self._delay(mail, error.code, now)
        else:
            await self._finish(mail, MailStatus.SENT, None, now)

    async def _delay(self, mail: Mail, code: str, now: datetime) -> None:
        if mail.try_count > len(WAITS):
            await self._finish(mail, MailStatus.FAILED, code, now)
            return
        await self._finish(mail, MailStatus.WAITING, code, now + WAITS[mail.try_count - 1])

    async def _finish(
        self, mail: Mail, status: MailStatus, error: str | None, at: datetime
    ) -> None:
        async with self._db.transaction(WRITER) as conn:
            await store.finish(conn, mail, status, error, at)
        log.info(
            "mail_handled",
            account_id=str(mail.account_id),
            mail_id=str(mail.mail_id),
            status=status.value,
            error=error,
        )

    async def _message(self, mail: Mail) -> bytes:
        if mail.payment_method_id is not None:
            return await self._about_card(mail, mail.payment_method_id)
        assert mail.invoice_id is not None  # noqa: S101 - the table has one of the two
        return await self._with_invoice(mail, mail.invoice_id)

    async def _about_card(self, mail: Mail, payment_method_id: UUID) -> bytes:
        async with self._db.transaction(account_scope(mail.account_id)) as conn:
            account = await accounts.get_account(conn, mail.account_id)
            try:
                method = await methods.get_method(conn, mail.account_id, payment_method_id)
            except NotFound as error:
                raise MailRefused(error.code) from error
        if method.card is None:
            raise MailRefused("payment_method_not_found")
        link = f"{self._public_url}/billing/payment-methods"
        content = card_letter(method.card, account.locale, self._sender.name, link)
        return message(mail.mail_id, self._sender, mail.addresses, content, at=mail.created_at)

    async def _with_invoice(self, mail: Mail, invoice_id: UUID) -> bytes:
        async with self._db.transaction(account_scope(mail.account_id)) as conn:
            invoice, document = await issued_document(conn, mail.account_id, invoice_id)
        pdf = await invoice_file(self._db, mail.account_id, invoice_id)
        link = f"{self._public_url}/billing/invoices/{show('invoice', invoice_id)}"
        return message(
            mail.mail_id,
            self._sender,
            mail.addresses,
            letter(document, invoice.due, link),
            pdf.content,
            file_name=f"{invoice.number}.pdf",
            at=mail.created_at,
        )
