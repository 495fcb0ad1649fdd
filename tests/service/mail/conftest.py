"""A real mail server on a port of its own."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, NewAccount
from tallystick.documents.document import Party
from tallystick.invoices.model import Invoice
from tallystick.invoices.one_off import issue_one_off, one_off_draft
from tallystick.kernel.db import WRITER, Database
from tallystick.money.amount import Money

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Inbox:
    """What came, and what the server answers next instead of taking a mail."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.answers: list[str] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?tls=none"

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd's name
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        if address.startswith("nobody@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        self.envelopes.append(envelope)
        return "250 OK"


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    found = Inbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(found, enable_SMTPUTF8=True), "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        await server.wait_closed()


class Issued:
    """An account with an open invoice over 12.00."""

    def __init__(self, db: Database, account: Account, invoice: Invoice) -> None:
        self.db = db
        self.account = account
        self.invoice = invoice
        self.invoice_id: UUID = invoice.invoice_id


@pytest.fixture
async def issued(db: Database) -> Issued:
    new = NewAccount(name="Ada", email="ada@example.com", currency="EUR", country="FR")
    async with db.transaction(WRITER) as conn:
        account = await accounts.create_account(conn, new, NOW)
        draft = one_off_draft(
            account, "one_off", Money(1200, "EUR"), description="Setup", code="setup", at=NOW
        )
        invoice = await issue_one_off(conn, account, draft, seller=Party("Seller"), at=NOW)
    return Issued(db, account, invoice)
