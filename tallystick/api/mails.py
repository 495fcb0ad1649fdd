"""Invoices by e-mail: at the account's or staff's request, and what became of each mail."""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from litestar import get, post
from msgspec import Meta

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.api.answers import Pagination, pagination
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.invoices import service as invoices
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF, WRITER
from tallystick.kernel.errors import Unavailable
from tallystick.kernel.paging import PageRequest
from tallystick.mail import service
from tallystick.mail.model import ADDRESSES_MAX, Mail, MailStatus

BASE: Final = "/api/v1/admin"
TAGS: Final = ["Mail"]
WRITE: Final = {"permission": "billing:write"}
FINANCE: Final = {"permission": "staff:finance"}
READ: Final = {"permission": "staff:read"}
Address = Annotated[
    str, Meta(extra_json_schema={"format": "email", "minLength": 3, "maxLength": 254})
]
_SWITCHED_OFF: Final = "mail_not_configured", "Mail is switched off: set TALLYSTICK_MAIL_URL."
StatusName = Literal["waiting", "sending", "sent", "failed"]


class MailBody(Body, frozen=True):
    """Whom to send it to; left out: the account's address."""

    to: Annotated[tuple[Address, ...], Meta(extra_json_schema={"maxItems": ADDRESSES_MAX})] = ()


class MailAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A mail with an invoice, or (`payment_method`) about a card that expires.

    `error` is a server's code or ours, of the last try that failed.
    """

    id: str
    account: str
    invoice: str | None
    payment_method: str | None
    to: list[str]
    status: str
    tries: int
    error: str | None
    next_try_at: datetime | None
    created: datetime
    sent_at: datetime | None


class MailList(msgspec.Struct, frozen=True):
    """One part of the mails, newest first."""

    mails: list[MailAnswer]
    pagination: Pagination
    total: int


@post(
    "/invoices/{invoice_id:str}/send",
    opt=WRITE,
    tags=TAGS,
    status_code=202,
    summary="Send an invoice by e-mail",
)
async def send_own_invoice(invoice_id: str, services: Services, account: Account) -> MailAnswer:
    """Send the invoice with its PDF to the account's address; the answer is what waits."""
    return await _send(services, account, ids.parse("invoice", invoice_id), ())


@post(
    f"{BASE}/accounts/{{account_id:str}}/invoices/{{invoice_id:str}}/send",
    opt=FINANCE,
    tags=TAGS,
    status_code=202,
    summary="Send an account's invoice by e-mail",
)
async def send_invoice(
    account_id: str, invoice_id: str, data: MailBody, services: Services
) -> MailAnswer:
    """Send the invoice to these addresses, each seeing the others, or to the account's."""
    of, wanted = ids.parse("account", account_id), ids.parse("invoice", invoice_id)
    async with services.db.transaction(STAFF) as conn:
        account = await accounts.get_account(conn, of)
    return await _send(services, account, wanted, data.to)


@get(f"{BASE}/mails", opt=READ, tags=TAGS, summary="Mails")
async def list_mails(
    services: Services,
    paging: PageRequest,
    account_id: str | None = None,
    status: StatusName | None = None,
) -> MailList:
    """List mails, newest first."""
    of = ids.parse("account", account_id) if account_id else None
    wanted = MailStatus(status) if status else None
    async with services.db.transaction(STAFF) as conn:
        found = await service.list_mails(conn, of, wanted, paging)
    return MailList([_answer(mail) for mail in found.items], pagination(found), found.total)


async def _send(
    services: Services, account: Account, invoice_id: UUID, to: tuple[str, ...]
) -> MailAnswer:
    async with services.db.transaction(WRITER) as conn:
        await invoices.get_invoice(conn, account.account_id, invoice_id)
        if not services.settings.mail_configured:
            raise Unavailable(*_SWITCHED_OFF)
        mail = await service.send_invoice(
            conn,
            account.account_id,
            invoice_id,
            addresses=to or (account.email,),
            request_key=str(ids.new_id()),
            now=services.clock(),
        )
    assert mail is not None  # noqa: S101 -- its request key is new
    return _answer(mail)


def _answer(mail: Mail) -> MailAnswer:
    method = mail.payment_method_id
    is_waiting = mail.status in (MailStatus.WAITING, MailStatus.SENDING)
    return MailAnswer(
        id=ids.show("mail", mail.mail_id),
        account=ids.show("account", mail.account_id),
        invoice=ids.show("invoice", mail.invoice_id) if mail.invoice_id else None,
        payment_method=ids.show("payment_method", method) if method else None,
        to=list(mail.addresses),
        status=mail.status.value,
        tries=mail.try_count,
        error=mail.error,
        next_try_at=mail.try_after if is_waiting else None,
        created=mail.created_at,
        sent_at=mail.sent_at,
    )


ACCOUNT_ROUTES: Final = (send_own_invoice,)
ROUTES: Final = (send_invoice, list_mails)
