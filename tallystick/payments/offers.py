"""Ways of paying as staff set them up, and what an account is offered."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from tallystick.accounts.checks import check_name, is_country
from tallystick.accounts.model import Account
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput, FieldError, NotFound
from tallystick.kernel.ids import unknown
from tallystick.money.currency import currency
from tallystick.money.errors import UnknownCurrency
from tallystick.payments import method_config_store as store
from tallystick.payments import method_configs
from tallystick.payments.gateway import KNOWN, Gateways
from tallystick.payments.method_configs import MethodConfig

INSTRUCTIONS_LENGTH_MAX: Final = 2000
ACCOUNTS_MAX: Final = 1000
CODE: Final = re.compile("[a-z][a-z0-9_-]{0,62}")


async def list_configs(conn: Connection) -> tuple[tuple[MethodConfig, tuple[UUID, ...]], ...]:
    """Return all ways of paying with the accounts they are restricted to; the staff's scope."""
    named = await store.accounts_by_code(conn)
    return tuple(
        (config, tuple(named.get(config.code, ()))) for config in await store.all_configs(conn)
    )


async def put_config(
    conn: Connection, config: MethodConfig, account_ids: Sequence[UUID], at: datetime
) -> None:
    """Set up a way of paying, in place of one of the same code, under the writer's scope.

    Raises BadInput for a gateway, country or currency that does not exist, NotFound for an account.
    """
    check_config(config)
    if len(account_ids) > ACCOUNTS_MAX:
        raise BadInput.field("accounts", "too_many", f"must be at most {ACCOUNTS_MAX} accounts")
    if await store.missing_account(conn, account_ids):
        raise unknown("account")
    await store.put(conn, config, at)
    await store.set_accounts(conn, config.code, account_ids)


async def delete_config(conn: Connection, code: str) -> None:
    """Remove a way of paying; payments made with it stay. Raises NotFound."""
    if not await store.delete(conn, code):
        raise NotFound("payment_method_config_not_found", "There is no such way of paying.")


async def available(
    conn: Connection,
    account: Account,
    gateways: Gateways,
    *,
    country: str | None = None,
    currency_code: str | None = None,
) -> tuple[MethodConfig, ...]:
    """Return what the account may pay with, in its own country and currency if none is named."""
    abilities = {name: gateways.get(name).capabilities for name in gateways.names()}
    configs = await store.configs_of(conn, account.account_id)
    where, money = country or account.country, currency_code or account.currency
    return method_configs.available(configs, abilities, where, money)


async def need_by_hand(
    conn: Connection, account: Account, method_code: str, currency_code: str
) -> None:
    """Raise BadInput unless the account may pay by hand this way in this currency.

    Where no way by hand is set up, any name will do.
    """
    everything = await store.configs_of(conn, account.account_id)
    configs = [one for one in method_configs.by_hand(everything) if one.is_active]
    fitting = [one.code for one in configs if one.serves(account.country, currency_code)]
    if configs and method_code not in fitting:
        ways = ", ".join(fitting) or "another way of paying: none by hand is offered here"
        errors = [FieldError("payment_method", "not_available", f"must be {ways}")]
        detail = f"payment_method: must be {ways}"
        raise BadInput("payment_method_not_available", detail, errors=errors)


def check_config(config: MethodConfig) -> None:
    """Raise BadInput for what can not be offered."""
    if CODE.fullmatch(config.code) is None:
        message = "must be 1 to 63 of a-z, 0-9, _ and -, beginning with a letter"
        raise BadInput.field("code", "invalid_code", message)
    if config.gateway not in KNOWN:
        known = ", ".join(sorted(KNOWN))
        raise BadInput.field("gateway", "unknown_gateway", f"must be one of {known}")
    check_name(config.name)
    told = config.instructions
    if told is not None and not is_written(told, INSTRUCTIONS_LENGTH_MAX):
        message = f"must have 1 to {INSTRUCTIONS_LENGTH_MAX} characters"
        raise BadInput.field("instructions", "invalid_length", message)
    if CODE.fullmatch(config.type) is None:
        raise BadInput.field("type", "invalid_code", "must be like bank_transfer")
    for place, country in enumerate(config.countries):
        if not is_country(country):
            message = "must be a country of ISO 3166-1, such as DE"
            raise BadInput.field(f"countries[{place}]", "unknown_country", message)
    for place, code in enumerate(config.currencies):
        _need_currency(f"currencies[{place}]", code)


def is_written(text: str, length_max: int) -> bool:
    """Tell whether it is a text of so many characters at most, on one line or several."""
    return bool(text.strip()) and len(text) <= length_max and "\0" not in text


def _need_currency(field: str, code: str) -> None:
    try:
        currency(code)
    except UnknownCurrency as error:
        message = "must be a currency of ISO 4217, such as EUR"
        raise BadInput.field(field, "unknown_currency", message) from error
