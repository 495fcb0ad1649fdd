"""The sample of the demo: plans, meters, credits, an account with an owner, a staff admin."""

import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from tallystick import demo_credits
from tallystick.accounts import keys, service, users
from tallystick.accounts.model import Account, NewAccount, NewUser
from tallystick.api.services import Services
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewMeter, NewPlanVersion, PlanCredits
from tallystick.kernel import test_clocks
from tallystick.kernel.db import WRITER, Actor, Connection, acting
from tallystick.kernel.ids import new_id
from tallystick.metering import service as metering
from tallystick.metering.model import UsageEvent
from tallystick.pricing.validate import read_price
from tallystick.subscriptions import service as subscriptions

DAYS_USED: Final = 20
_SOURCE: Final = "demo"
SUBJECT: Final = "atelier"

METERS: Final = (
    NewMeter(code="impressions", name="Ad impressions", unit="impressions", aggregation="sum",
             property="quantity"),
    NewMeter(code="api_calls", name="API calls", unit="calls", aggregation="sum",
             property="quantity"),
    NewMeter(code="data_transfer", name="Data transfer", unit="GB", aggregation="sum",
             property="quantity"),
)  # fmt: skip


class Offer(msgspec.Struct, frozen=True):
    """A plan in figures: EUR and credits a month, for each meter what is included and the price.

    Impressions get cheaper with volume: the first million beyond the plan at the first price.
    """

    code: str
    name: str
    fee: str
    credits: int
    impressions: tuple[str, str, str]
    api_calls: tuple[str, str]
    data_transfer: tuple[str, str]


OFFERS: Final = (
    Offer("indie", "Indie", "29", 100, ("250000", "0.00005", "0.00004"), ("50000", "0.0004"),
          ("50", "0.09")),
    Offer("studio", "Studio", "149", 1_000, ("2000000", "0.00004", "0.00003"), ("500000", "0.0003"),
          ("500", "0.07")),
    Offer("enterprise", "Enterprise", "990", 10_000, ("50000000", "0.00002", "0.00001"),
          ("10000000", "0.0001"), ("10000", "0.04")),
)  # fmt: skip


class SignIns(msgspec.Struct, frozen=True):
    """How to get in; made at random for each demo."""

    owner_email: str
    owner_password: str
    staff_email: str
    staff_password: str
    api_key: str


async def load(services: Services) -> SignIns:
    """Load everything in one transaction, but for the usage, which comes as usage does."""
    who = SignIns(
        "owner@atelier.example",
        secrets.token_urlsafe(9),
        "admin@tallystick.example",
        secrets.token_urlsafe(9),
        "",
    )
    hashes = [
        await services.passwords.hash(text) for text in (who.owner_password, who.staff_password)
    ]
    now = services.clock()
    started = now - timedelta(days=DAYS_USED)
    with acting(Actor("job", "demo")):
        async with services.db.transaction(WRITER) as conn:
            await _make_catalog(conn, started)
            account = await _make_account(conn, now)
            await _make_people(conn, account, who, hashes, now)
            await demo_credits.offer(conn, account, now)
            plan = await catalog.current_plan_version(conn, "studio")
            await subscriptions.subscribe(conn, account, plan, started)
            _, secret = await keys.create_api_key(
                conn, None, name="Demo", scopes=["usage:write", "billing:write", "admin"], now=now
            )
        await services.ingest.record(list(_usage(started, now)), now=now, only_account=None)
        await demo_credits.use(services, account, now)
    return msgspec.structs.replace(who, api_key=secret)


async def _make_catalog(conn: Connection, at: datetime) -> None:
    for meter in METERS:
        await metering.create_meter(conn, meter, at)
    for offer in OFFERS:
        await catalog.create_plan_version(conn, plan_version(offer), at)


def plan_version(offer: Offer) -> NewPlanVersion:
    """Return a plan as the catalogue takes it."""
    free, first, rest = offer.impressions
    tiers = [{"up_to": "1000000", "unit": first}, {"up_to": None, "unit": rest}]
    prices = (
        {"code": "fee", "model": "flat", "amount": offer.fee},
        {"code": "impressions", "meter": "impressions", "model": "graduated", "included": free,
         "tiers": tiers},
        {"code": "api_calls", "meter": "api_calls", "model": "per_unit",
         "included": offer.api_calls[0], "unit": offer.api_calls[1]},
        {"code": "data_transfer", "meter": "data_transfer", "model": "per_unit",
         "included": offer.data_transfer[0], "unit": offer.data_transfer[1]},
    )  # fmt: skip
    return NewPlanVersion(
        plan_code=offer.code,
        plan_name=offer.name,
        currency="EUR",
        interval="month",
        prices=tuple(read_price({**price, "currency": "EUR"}) for price in prices),
        credits=PlanCredits(amount=Decimal(offer.credits)),
    )


async def _make_account(conn: Connection, now: datetime) -> Account:
    clock = await test_clocks.create(conn, new_id(), "Demo", now, now)
    new = NewAccount(
        name="Atelier Lumière",
        email="billing@atelier.example",
        external_id=SUBJECT,
        currency="EUR",
        country="FR",
        timezone="Europe/Paris",
        locale="en-GB",
        address=("12 rue des Ateliers", "69001 Lyon", "France"),
        tax_name="VAT",
        tax_percent=Decimal(20),
        test_clock_id=clock.test_clock_id,
    )
    account = await service.create_account(conn, new, now)
    return await service.set_autopay(conn, account.account_id, enabled=True)


async def _make_people(
    conn: Connection, account: Account, who: SignIns, hashes: list[str], now: datetime
) -> None:
    owner = NewUser(email=who.owner_email, name="Odile Martin", password_hash=hashes[0])
    staff = NewUser(
        email=who.staff_email, name="Sam Ledger", password_hash=hashes[1], staff_role="admin"
    )
    made = await users.create_user(conn, owner, now)
    await users.create_user(conn, staff, now)
    await service.add_member(conn, account.account_id, made.user_id, "owner", now)


def _usage(started: datetime, now: datetime) -> Iterator[UsageEvent]:
    """Yield a few weeks of usage, a bit more than the plan includes; every six hours."""
    step = timedelta(hours=6)
    for number in range((now - started) // step):
        at = started + step * number
        busy = 1 + number % 4
        for meter, quantity in (
            ("impressions", str(14_000 * busy)),
            ("api_calls", str(2_150 * busy)),
            ("data_transfer", f"{Decimal('2.375') * busy}"),
        ):
            yield UsageEvent(
                source=_SOURCE,
                id=f"{meter}-{number}",
                type=meter,
                subject=SUBJECT,
                at=at,
                properties={"quantity": quantity},
            )
