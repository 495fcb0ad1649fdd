"""Mails over a real server: sent once, tried again, given up, never lost with a worker."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.paging import PageRequest
from tallystick.mail import service
from tallystick.mail.jobs import LEASE, WAITS, Mailer
from tallystick.mail.model import Mail, MailStatus, Sender
from tallystick.mail.transport import Folder, Smtp, transport_of

if TYPE_CHECKING:
    from tests.service.mail.conftest import Inbox, Issued

NOW = datetime.fromisoformat("2026-03-01T12:00:00Z")
SENDER = Sender("billing@example.com", "Seller")


async def ask(issued: "Issued", *to: str, key: str = "k") -> Mail | None:
    async with issued.db.transaction(WRITER) as conn:
        return await service.send_invoice(
            conn,
            issued.account.account_id,
            issued.invoice_id,
            addresses=to or ["ada@example.com"],
            request_key=key,
            now=NOW,
        )


async def mails(issued: "Issued") -> Sequence[Mail]:
    async with issued.db.transaction(WRITER) as conn:
        return (await service.list_mails(conn, None, None, PageRequest())).items


def mailer(issued: "Issued", transport: Any) -> Mailer:
    return Mailer(issued.db, transport, SENDER, "https://pay.example")


async def test_a_mail_goes_out_once_with_the_pdf(issued: "Issued", inbox: "Inbox") -> None:
    assert await ask(issued) is not None
    assert await ask(issued) is None
    worker = mailer(issued, transport_of(inbox.url))
    assert await worker.run_due(NOW) == 1
    assert await worker.run_due(NOW) == 0
    (envelope,) = inbox.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("billing@example.com", ["ada@example.com"])
    assert isinstance(envelope.content, bytes)
    (pdf,) = [
        part
        for part in message_from_bytes(envelope.content).walk()
        if part.get_content_type() == "application/pdf"
    ]
    content = pdf.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert content.startswith(b"%PDF")
    (mail,) = await mails(issued)
    assert (mail.status, mail.sent_at, mail.error) == (MailStatus.SENT, NOW, None)


async def test_a_server_that_refuses_for_good_is_not_asked_again(
    issued: "Issued", inbox: "Inbox"
) -> None:
    await ask(issued, "nobody@example.com")
    worker = mailer(issued, Smtp(inbox.url))
    await worker.run_due(NOW)
    (mail,) = await mails(issued)
    assert (mail.status, mail.error) == (MailStatus.FAILED, "550")
    assert await worker.run_due(NOW + timedelta(days=9)) == 0


async def test_who_is_there_gets_it_when_another_address_is_wrong(
    issued: "Issued", inbox: "Inbox"
) -> None:
    await ask(issued, "nobody@example.com", "ada@example.com")
    await mailer(issued, Smtp(inbox.url)).run_due(NOW)
    assert [envelope.rcpt_tos for envelope in inbox.envelopes] == [["ada@example.com"]]


async def test_what_is_not_taken_now_is_tried_again(issued: "Issued", inbox: "Inbox") -> None:
    inbox.answers = ["451 later", "451 later"]
    await ask(issued)
    worker = mailer(issued, Smtp(inbox.url))
    await worker.run_due(NOW)
    (mail,) = await mails(issued)
    assert (mail.status, mail.error, mail.try_after) == (MailStatus.WAITING, "451", NOW + WAITS[0])
    assert await worker.run_due(NOW) == 0
    await worker.run_due(NOW + WAITS[0])
    await worker.run_due(NOW + WAITS[0] + WAITS[1])
    assert len(inbox.envelopes) == 1


async def test_a_server_that_is_away_is_given_up_after_eight_tries(issued: "Issued") -> None:
    await ask(issued)
    worker = mailer(issued, Smtp("smtp://127.0.0.1:9?tls=none"))
    now = NOW
    for _ in range(len(WAITS) + 1):
        assert await worker.run_due(now) == 1
        (mail,) = await mails(issued)
        now = mail.try_after
    assert (mail.status, mail.error) == (MailStatus.FAILED, "server_unreachable")
    assert await worker.run_due(now + timedelta(days=9)) == 0


async def test_a_server_without_tls_gets_no_mail_unless_told(
    issued: "Issued", inbox: "Inbox"
) -> None:
    await ask(issued)
    await mailer(issued, Smtp(f"smtp://127.0.0.1:{inbox.port}")).run_due(NOW)
    (mail,) = await mails(issued)
    assert mail.status is MailStatus.WAITING
    assert not inbox.envelopes


class Dying:
    """A worker that is killed while the server takes the mail."""

    async def send(self, _: UUID, __: str, ___: Sequence[str], ____: bytes) -> None:
        raise asyncio.CancelledError


async def test_a_worker_that_dies_leaves_the_mail_to_the_next_one(
    issued: "Issued", inbox: "Inbox"
) -> None:
    mail = await ask(issued)
    assert mail is not None
    with pytest.raises(asyncio.CancelledError):
        await mailer(issued, Dying()).run_due(NOW)
    worker = mailer(issued, Smtp(inbox.url))
    assert await worker.run_due(NOW) == 0
    assert await worker.run_due(NOW + LEASE) == 1
    (envelope,) = inbox.envelopes
    assert isinstance(envelope.content, bytes)
    assert message_from_bytes(envelope.content)["Message-ID"] == f"<{mail.mail_id}@example.com>"


async def test_an_address_in_another_script_is_sent_as_it_is(
    issued: "Issued", inbox: "Inbox"
) -> None:
    await ask(issued, "jürgen@example.com")
    await mailer(issued, Smtp(inbox.url)).run_due(NOW)
    assert [envelope.rcpt_tos for envelope in inbox.envelopes] == [["jürgen@example.com"]]


async def test_a_folder_takes_mails_as_files(issued: "Issued", tmp_path: Path) -> None:
    mail = await ask(issued)
    assert mail is not None
    folder = tmp_path / "out"
    assert isinstance(transport_of(f"file://{folder}"), Folder)
    await mailer(issued, transport_of(f"file://{folder}")).run_due(NOW)
    written = (folder / f"{mail.mail_id}.eml").read_bytes()
    assert message_from_bytes(written)["To"] == "ada@example.com"


async def test_an_address_that_is_none_is_named(issued: "Issued") -> None:
    with pytest.raises(BadInput) as refused:
        await ask(issued, "ada@example.com", "ada")
    assert [(one.field, one.code) for one in refused.value.errors] == [("to.1", "invalid_email")]
    with pytest.raises(BadInput, match="at most"):
        await ask(issued, *["ada@example.com"] * 11)


async def test_a_draft_is_not_sent(issued: "Issued") -> None:
    async with issued.db.transaction(WRITER) as conn:
        with pytest.raises(Conflict, match="draft"):
            await service.send_invoice(
                conn,
                issued.account.account_id,
                await _draft(conn, issued),
                addresses=["ada@example.com"],
                request_key="k",
                now=NOW,
            )


async def _draft(conn: Any, issued: "Issued") -> UUID:
    found: UUID = await conn.fetchval(
        "INSERT INTO invoices (account_id, invoice_id, status, currency, subtotal_minor, tax_minor,"
        " total_minor, created_at) VALUES ($1, gen_random_uuid(), 'draft', 'EUR', 0, 0, 0, $2)"
        " RETURNING invoice_id",
        issued.account.account_id,
        NOW,
    )
    return found
