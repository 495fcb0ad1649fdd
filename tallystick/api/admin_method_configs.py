"""For staff: which ways of paying are offered, and to whom."""

from typing import Annotated, Final
from uuid import UUID

import msgspec
from litestar import delete, get, put
from litestar.params import Parameter
from msgspec import Meta

from tallystick.api import fields
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.catalog.currencies import CURRENCIES_MAX
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF, WRITER
from tallystick.payments import offers
from tallystick.payments.method_configs import MethodConfig
from tallystick.payments.offers import ACCOUNTS_MAX, INSTRUCTIONS_LENGTH_MAX

BASE: Final = "/api/v1/admin/payment-method-configs"
TAGS: Final = ["Admin: payments"]
READ: Final = {"permission": "staff:read"}
ADMIN: Final = {"permission": "staff:admin"}
POSITION_MAX: Final = 10_000
COUNTRIES_MAX: Final = 300
Instructions = Annotated[
    str,
    Meta(
        extra_json_schema={
            "minLength": 1,
            "maxLength": INSTRUCTIONS_LENGTH_MAX,
            "pattern": fields.WRITTEN,
            "description": "What the payer is told to do, line by line.",
        }
    ),
]
GatewayName = Annotated[
    str, Meta(extra_json_schema={"enum": ["ccbill", "manual", "paypal", "stripe"]})
]
Code = Annotated[str, Parameter(pattern="^[a-z][a-z0-9_-]{0,62}$", description="Your name for it.")]
Position = Annotated[int, Meta(ge=0, le=POSITION_MAX)]
Countries = Annotated[tuple[fields.Country, ...], Meta(extra_json_schema={"maxItems": 300})]
Currencies = Annotated[
    tuple[fields.Currency, ...], Meta(extra_json_schema={"maxItems": CURRENCIES_MAX})
]
Accounts = Annotated[
    tuple[fields.AccountId, ...], Meta(extra_json_schema={"maxItems": ACCOUNTS_MAX})
]


class MethodConfigBody(Body, frozen=True, kw_only=True):
    """A way of paying; empty `countries` and `currencies`: all; `accounts`: for these alone."""

    gateway: GatewayName
    type: fields.Code
    name: fields.Line
    instructions: Instructions | None = None
    countries: Countries = ()
    currencies: Currencies = ()
    accounts: Accounts | None = None
    position: Position = 0
    is_active: bool = True


class MethodConfigAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A way of paying as it is set up."""

    code: str
    gateway: str
    type: str
    name: str
    instructions: str | None
    countries: list[str]
    currencies: list[str]
    accounts: list[str] | None
    position: int
    is_active: bool


class MethodConfigList(msgspec.Struct, frozen=True):
    """All ways of paying that are set up, in the order they are shown."""

    payment_method_configs: list[MethodConfigAnswer]
    total: int


@get(BASE, opt=READ, tags=TAGS, summary="Ways of paying")
async def list_configs(services: Services) -> MethodConfigList:
    """List what is set up; a gateway that nothing here names is offered as it is."""
    async with services.db.transaction(STAFF) as conn:
        found = await offers.list_configs(conn)
    shown = [config_answer(config, accounts) for config, accounts in found]
    return MethodConfigList(shown, len(shown))


@put(f"{BASE}/{{config_code:str}}", opt=ADMIN, tags=TAGS, summary="Set up a way of paying")
async def put_config(
    config_code: Code, data: MethodConfigBody, services: Services
) -> MethodConfigAnswer:
    """Make a way of paying, or put this in the place of the one with that code."""
    named = tuple(dict.fromkeys(ids.parse("account", one) for one in data.accounts or ()))
    config = MethodConfig(
        code=config_code,
        gateway=data.gateway,
        type=data.type,
        name=data.name.strip(),
        instructions=data.instructions,
        countries=tuple(country.upper() for country in data.countries),
        currencies=tuple(currency.upper() for currency in data.currencies),
        is_restricted=data.accounts is not None,
        position=data.position,
        is_active=data.is_active,
    )
    async with services.db.transaction(WRITER) as conn:
        await offers.put_config(conn, config, named, services.clock())
    return config_answer(config, named)


@delete(f"{BASE}/{{config_code:str}}", opt=ADMIN, tags=TAGS, summary="Remove a way of paying")
async def delete_config(config_code: str, services: Services) -> None:
    """Remove what is set up; the gateway is offered as it is when nothing names it any more."""
    async with services.db.transaction(WRITER) as conn:
        await offers.delete_config(conn, config_code)


def config_answer(config: MethodConfig, accounts: tuple[UUID, ...]) -> MethodConfigAnswer:
    """Show a way of paying as it is set up."""
    return MethodConfigAnswer(
        code=config.code,
        gateway=config.gateway,
        type=config.type,
        name=config.name,
        instructions=config.instructions,
        countries=list(config.countries),
        currencies=[currency.lower() for currency in config.currencies],
        accounts=[ids.show("account", one) for one in accounts] if config.is_restricted else None,
        position=config.position,
        is_active=config.is_active,
    )


ROUTES: Final = (list_configs, put_config, delete_config)
