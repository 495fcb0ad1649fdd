"""What an account is taxed with today, for people: the same rules as an invoice's."""

from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from tallystick.accounts.model import Account
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.taxes import service
from tallystick.taxes.model import STANDARD, Applied, Buyer, Exemption, NumberCheck
from tallystick.taxes.rules import buyer_of, determine


class TaxesToday(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for the standard tax code; `problem` says why that can not be told."""

    buyer: Buyer
    taxes: tuple[Applied, ...]
    problem: str | None
    exemptions: tuple[Exemption, ...]
    tax_number: str | None
    number_check: NumberCheck | None


async def taxes_today(conn: Connection, account: Account, now: datetime) -> TaxesToday:
    """Return what an invoice issued at `now`, the account's present, would be taxed with."""
    terms = (await service.read_terms(conn, [account]))[account.account_id]
    buyer = buyer_of(account, terms)
    taxes: tuple[Applied, ...] = ()
    problem = None
    try:
        taxes = determine(terms)(buyer, STANDARD, now.astimezone(ZoneInfo(account.timezone)).date())
    except Conflict as error:
        problem = error.detail
    return TaxesToday(
        buyer=buyer,
        taxes=taxes,
        problem=problem,
        exemptions=await service.list_exemptions(conn, account.account_id),
        tax_number=account.tax_number,
        number_check=await service.number_check(conn, account.account_id),
    )
