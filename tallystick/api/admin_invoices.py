"""For staff: what becomes of an invoice that is not paid."""

from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

import msgspec
from litestar import get, post

from tallystick.api import fields
from tallystick.api.answers import major
from tallystick.api.invoices import InvoiceAnswer, invoice_answer
from tallystick.api.reasons import because
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.invoices import closing, service
from tallystick.invoices.closing_store import Closing
from tallystick.kernel import ids
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import STAFF, WRITER, acting
from tallystick.payments.closing import void_invoice as void_unpaid
from tallystick.payments.closing import write_off as give_up

BASE: Final = "/api/v1/admin/accounts/{account_id:str}/invoices"
ONE: Final = f"{BASE}/{{invoice_id:str}}"
TAGS: Final = ["Admin: invoices"]
READ: Final = {"permission": "staff:read"}
FINANCE: Final = {"permission": "staff:finance"}


class CloseBody(Body, frozen=True, kw_only=True):
    """Why; it is kept with the invoice and in the audit."""

    reason: fields.Reason


class VoidBody(CloseBody, frozen=True, kw_only=True):
    """`rebill`: an invoice over the same lines takes its place; else it is waived for good."""

    rebill: bool


class VoidAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The void invoice, and the one that bills the same anew."""

    invoice: InvoiceAnswer
    replacement: InvoiceAnswer | None


class ClosingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The invoice was voided, written off or opened again; so much was due then."""

    kind: Literal["void", "write_off", "reopen"]
    amount: Decimal
    amount_cents: int
    currency: str
    reason: str
    actor: str
    replaced_by: str | None
    closed_at: datetime


class ClosingList(msgspec.Struct, frozen=True):
    """What became of an invoice, oldest first."""

    closings: list[ClosingAnswer]
    total: int


@post(f"{ONE}/void", opt=FINANCE, tags=TAGS, status_code=200, summary="Void an invoice")
async def void_invoice(
    account_id: str, invoice_id: str, data: VoidBody, services: Services
) -> VoidAnswer:
    """Let an open invoice, of which no money came, count no longer; its number stays taken."""
    account, wanted = ids.parse("account", account_id), ids.parse("invoice", invoice_id)
    with acting(because(data.reason)):
        async with services.db.transaction(WRITER) as conn:
            done = await void_unpaid(
                conn,
                account,
                wanted,
                rebill=data.rebill,
                seller=services.seller,
                reason=data.reason,
                wall=services.clock(),
            )
    base = services.settings.public_url
    replacement = done.replacement
    return VoidAnswer(
        invoice=invoice_answer(done.invoice, base),
        replacement=invoice_answer(replacement, base) if replacement else None,
    )


@post(f"{ONE}/write-off", opt=FINANCE, tags=TAGS, status_code=200, summary="Write an invoice off")
async def write_off(
    account_id: str, invoice_id: str, data: CloseBody, services: Services
) -> InvoiceAnswer:
    """Give up what is due: `uncollectible`. Money that comes all the same is taken."""
    account, wanted = ids.parse("account", account_id), ids.parse("invoice", invoice_id)
    with acting(because(data.reason)):
        async with services.db.transaction(WRITER) as conn:
            after = await give_up(conn, account, wanted, reason=data.reason, wall=services.clock())
    return invoice_answer(after, services.settings.public_url)


@post(f"{ONE}/reopen", opt=FINANCE, tags=TAGS, status_code=200, summary="Collect it again")
async def reopen(
    account_id: str, invoice_id: str, data: CloseBody, services: Services
) -> InvoiceAnswer:
    """Let an invoice that was written off be open again. One that is void stays void."""
    account, wanted = ids.parse("account", account_id), ids.parse("invoice", invoice_id)
    with acting(because(data.reason)):
        async with services.db.transaction(WRITER) as conn:
            now = await account_now(conn, account, services.clock())
            after = await closing.reopen(conn, account, wanted, reason=data.reason, at=now)
    return invoice_answer(after, services.settings.public_url)


@get(f"{ONE}/closings", opt=READ, tags=TAGS, summary="What became of an invoice")
async def list_closings(account_id: str, invoice_id: str, services: Services) -> ClosingList:
    """List when and why it was voided, written off or opened again."""
    account, wanted = ids.parse("account", account_id), ids.parse("invoice", invoice_id)
    async with services.db.transaction(STAFF) as conn:
        invoice = await service.get_invoice(conn, account, wanted)
        found = await closing.closings(conn, account, wanted)
    return ClosingList([_closing_answer(one, invoice.currency) for one in found], len(found))


def _closing_answer(one: Closing, currency: str) -> ClosingAnswer:
    return ClosingAnswer(
        kind=one.kind,
        amount=major(one.amount_minor, currency),
        amount_cents=one.amount_minor,
        currency=currency.lower(),
        reason=one.reason,
        actor=one.actor,
        replaced_by=ids.show("invoice", one.replaced_by) if one.replaced_by else None,
        closed_at=one.closed_at,
    )


ROUTES: Final = (void_invoice, write_off, reopen, list_closings)
