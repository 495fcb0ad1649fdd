"""Ways of paying: those an account is offered, and those it notes for itself."""

from typing import Annotated, Final

import msgspec
from litestar import get, patch, post
from litestar.params import Parameter
from msgspec import Meta

from tallystick.accounts.model import Account
from tallystick.api import fields
from tallystick.api.payment_methods import READ, TAGS, WRITE, MethodAnswer, method_answer
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.kernel.db import account_scope
from tallystick.money.currency import currency as known_currency
from tallystick.payments import method_records, methods, offers
from tallystick.payments.method_configs import MethodConfig
from tallystick.payments.method_records import DETAILS_MAX, NewRecord

CountryOf = Annotated[
    str | None,
    Parameter(pattern="^[A-Za-z]{2}$", min_length=2, description="Of the payer; left out: its own"),
]
CurrencyOf = Annotated[
    str | None,
    Parameter(pattern="^[A-Za-z]{3}$", min_length=3, description="To pay in; left out: its own."),
]
Details = Annotated[
    dict[str, fields.Line],
    Meta(
        extra_json_schema={
            "maxProperties": DETAILS_MAX,
            "propertyNames": {"minLength": 1, "maxLength": 200, "pattern": "^[A-Za-z_ ]+$"},
            "description": "Facts by name; never a card number.",
        }
    ),
]


class AvailableMethod(msgspec.Struct, frozen=True, kw_only=True):
    """A way of paying that is open to the account. `instructions`: what the payer does."""

    code: str
    gateway: str
    type: str
    name: str
    instructions: str | None
    countries: list[str]
    currencies: list[str]


class AvailableList(msgspec.Struct, frozen=True):
    """What the account may pay with, in the order to show it."""

    payment_methods: list[AvailableMethod]
    country: str
    currency: str
    total: int


class RecordBody(Body, frozen=True, kw_only=True):
    """A way of paying that the account notes: words, never card data."""

    type: fields.Code
    label: fields.Line
    details: Details = {}


class RecordChange(Body, frozen=True, kw_only=True):
    """What is to be changed; what is left out stays."""

    label: fields.Line | None = None
    details: Details | None = None


@get("/payment-methods/available", opt=READ, tags=TAGS, summary="Ways of paying")
async def list_available(
    services: Services,
    account: Account,
    country: CountryOf = None,
    currency: CurrencyOf = None,
) -> AvailableList:
    """List what may be paid with there and in that currency."""
    where = country.upper() if country else account.country
    money = known_currency(currency.upper()).code if currency else account.currency
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await offers.available(
            conn, account, services.gateways, country=where, currency_code=money
        )
    return AvailableList([available_answer(one) for one in found], where, money.lower(), len(found))


@post("/payment-methods", opt=WRITE, tags=TAGS, summary="Note a way of paying")
async def add_record(data: RecordBody, services: Services, account: Account) -> MethodAnswer:
    """Note a way of paying that no gateway keeps; nothing is ever charged to it by itself."""
    new = NewRecord(type=data.type, label=data.label, details=data.details)
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        made = await method_records.add_record(conn, account.account_id, new, services.clock())
    return method_answer(made)


@get("/payment-methods/{method_id:str}", opt=READ, tags=TAGS, summary="A payment method")
async def read_method(method_id: str, services: Services, account: Account) -> MethodAnswer:
    """Return a method, by our id or the gateway's token."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        return method_answer(await methods.find_method(conn, account.account_id, method_id))


@patch("/payment-methods/{method_id:str}", opt=WRITE, tags=TAGS, summary="Change a note")
async def change_record(
    method_id: str, data: RecordChange, services: Services, account: Account
) -> MethodAnswer:
    """Change what is noted of a method; `details` take the place of what was there."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await methods.find_method(conn, account.account_id, method_id)
        changed = await method_records.change_record(
            conn,
            account.account_id,
            found.payment_method_id,
            label=data.label,
            details=data.details,
        )
    return method_answer(changed)


def available_answer(config: MethodConfig) -> AvailableMethod:
    """Show a way of paying."""
    return AvailableMethod(
        code=config.code,
        gateway=config.gateway,
        type=config.type,
        name=config.name,
        instructions=config.instructions,
        countries=list(config.countries),
        currencies=[currency.lower() for currency in config.currencies],
    )


ACCOUNT_ROUTES: Final = (list_available, add_record, read_method, change_record)
