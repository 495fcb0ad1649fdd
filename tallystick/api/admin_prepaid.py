"""For finance staff: money that an account paid before anything was invoiced."""

from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Request, get, post

from tallystick.accounts import service as accounts
from tallystick.api import fields
from tallystick.api.answers import major
from tallystick.api.credit_use import request_key
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.invoices import prepaid
from tallystick.kernel import ids
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import STAFF, WRITER, Connection
from tallystick.ledger import service as ledger
from tallystick.ledger.model import PREPAID
from tallystick.money.amount import Money

PATH: Final = "/api/v1/admin/accounts/{account_id:str}/prepaid"
TAGS: Final = ["Admin: accounts"]


class PrepaidBody(Body, frozen=True, kw_only=True):
    """Money that came in by hand, in the account's currency; `reason` is kept in the books."""

    amount_cents: fields.Minor
    reason: fields.Line


class PrepaidAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the account has prepaid and not used yet."""

    currency: str
    amount: Decimal
    amount_cents: int


@get(PATH, opt={"permission": "staff:read"}, tags=TAGS, summary="Prepaid money")
async def read_prepaid(account_id: str, services: Services) -> PrepaidAnswer:
    """Return what is left; it pays the account's next invoices as they are issued."""
    wanted = ids.parse("account", account_id)
    async with services.db.transaction(STAFF) as conn:
        account = await accounts.get_account(conn, wanted)
        return await _answer(conn, wanted, account.currency)


@post(PATH, opt={"permission": "staff:finance"}, tags=TAGS, summary="Receive prepaid money")
async def receive_prepaid(
    account_id: str, data: PrepaidBody, request: Request[Any, Any, Any], services: Services
) -> PrepaidAnswer:
    """Book money that was received; the same idempotency key books it once."""
    wanted = ids.parse("account", account_id)
    async with services.db.transaction(WRITER) as conn:
        account = await accounts.get_account(conn, wanted)
        now = await account_now(conn, wanted, services.clock())
        amount = Money(data.amount_cents, account.currency)
        await prepaid.receive(
            conn, wanted, amount, key=request_key(request), reason=data.reason, at=now
        )
        return await _answer(conn, wanted, account.currency)


async def _answer(conn: Connection, account_id: UUID, currency: str) -> PrepaidAnswer:
    left = -await ledger.balance(conn, account_id, PREPAID, currency)
    return PrepaidAnswer(currency=currency.lower(), amount=major(left, currency), amount_cents=left)


ROUTES: Final = (read_prepaid, receive_prepaid)
