"""Who sells in a story, and which taxes hold: what is said before it, and what changes in it."""

from datetime import datetime

import msgspec

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, AccountChange
from tallystick.catalog.plan_terms import read_amounts
from tallystick.documents.document import Party
from tallystick.issuers import service as issuers
from tallystick.issuers.model import TaxRegistration
from tallystick.kernel.db import Connection
from tallystick.simulation.refusals import named_place
from tallystick.simulation.scenario import ChangeAccount, IssuerFacts, RateFacts
from tallystick.taxes import service as taxes
from tallystick.taxes.model import NewTaxRate

SOURCE = "the scenario"


async def make_issuer(conn: Connection, facts: IssuerFacts, told: Party, now: datetime) -> None:
    """Let the default issuer be what the scenario says; raises BadInput naming each bad field."""
    default = await issuers.follow_settings(conn, told, now)
    asked = {
        "country": facts.country,
        "region": facts.region,
        "vat_number": facts.vat_number,
        "tax_registrations": tuple(
            TaxRegistration(country=one.country, region=one.region, number=one.number)
            for one in facts.tax_registrations
        ),
        "minimum_amounts": read_amounts("minimum_amounts", facts.minimum_amounts),
        "zero_rule": facts.zero_rule,
        "grace_hours": facts.grace_hours,
    }
    await issuers.change_issuer(conn, default.issuer_id, asked)


async def add_rates(conn: Connection, rates: list[RateFacts], now: datetime) -> None:
    """Let these rates be known, each ending the one before; raises BadInput with its place."""
    for at, facts in enumerate(rates):
        with named_place(f"tax_rates[{at}]"):
            await add_rate(conn, facts, now)


async def add_rate(conn: Connection, facts: RateFacts, now: datetime) -> None:
    """Let a rate be known; raises BadInput, Conflict `tax_rate_overlaps`."""
    told = msgspec.structs.asdict(facts)
    new = NewTaxRate(source=SOURCE, looked_up_on=now.date(), **told)
    await taxes.add_rate(conn, new, now)


async def change_account(conn: Connection, account: Account, step: ChangeAccount) -> Account:
    """Return the account with what the step says of where it is and its tax number."""
    fields = msgspec.structs.asdict(step)
    named = {name: fields[name] for name in ("country", "region", "tax_number")}
    return await accounts.update_account(conn, account.account_id, AccountChange(**named))
