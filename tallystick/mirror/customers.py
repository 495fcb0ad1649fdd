"""Whose a gateway's customer is: the account linked, named or found by e-mail, else a new one."""

from datetime import datetime
from typing import Final
from uuid import UUID

from tallystick.accounts import service as accounts
from tallystick.accounts.checks import is_country, is_email
from tallystick.accounts.model import NewAccount
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.mirror import store
from tallystick.payments import linking
from tallystick.payments.mirrored import MirroredCustomer

_NAME_LENGTH_MAX: Final = 200
NO_EMAIL: Final = "stripe.invalid"
"""A name that no mail reaches (RFC 2606), for customers without an address."""


async def account_for(
    conn: Connection,
    gateway: str,
    customer: MirroredCustomer,
    *,
    country: str,
    currency: str,
    now: datetime,
) -> UUID:
    """Return the account that a customer stands for, linked from now on; made if there is none.

    `country` and `currency` are taken where the customer has none. Under the writer's scope.
    """
    await store.lock_customer(conn, gateway, customer.reference)
    linked = await linking.accounts_of_customers(conn, gateway, [customer.reference])
    if linked:
        return linked[customer.reference]
    for account_id in await _candidates(conn, customer):
        if await linking.link_customer(conn, account_id, gateway, customer.reference, now):
            return account_id
    made = await accounts.create_account(conn, _new(customer, country, currency), now)
    if not await linking.link_customer(conn, made.account_id, gateway, customer.reference, now):
        # Another reading linked it a moment ago: the new account must not stay.
        raise Conflict(
            "gateway_customer_taken", "The customer was linked meanwhile; read it again."
        )
    return made.account_id


async def _candidates(conn: Connection, customer: MirroredCustomer) -> list[UUID]:
    """Return accounts that the customer may be of: named in its metadata, then by its address."""
    found: list[UUID] = []
    if customer.account_name is not None:
        named = await accounts.find_by_subjects(conn, [customer.account_name])
        found += [account.account_id for account in named.values()]
    if customer.email is not None:
        by_email = await accounts.find_by_emails(conn, [customer.email])
        found += by_email.values()
    return list(dict.fromkeys(found))


def _new(customer: MirroredCustomer, country: str, currency: str) -> NewAccount:
    email = customer.email or ""
    known = email if is_email(email) else f"{customer.reference.lower()}@{NO_EMAIL}"
    name = "".join(filter(str.isprintable, customer.name or "")).strip()
    told = (customer.country or "").upper()
    return NewAccount(
        name=(name or known)[:_NAME_LENGTH_MAX],
        email=known,
        currency=customer.currency or currency,
        country=told if is_country(told) else country,
    )
