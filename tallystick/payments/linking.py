"""Accounts and the customers that gateways keep for them, where the customer was there first."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from tallystick.kernel import outbox
from tallystick.kernel.db import Connection
from tallystick.payments import method_store as store
from tallystick.payments import methods
from tallystick.payments.events import GATEWAY_CUSTOMER_LINKED, GatewayCustomerLinked
from tallystick.payments.requests import MethodDescription


async def accounts_of_customers(
    conn: Connection, gateway: str, tokens: Collection[str]
) -> dict[str, UUID]:
    """Return whose customers these are, by token; nobody's are absent. The writer's scope."""
    return await store.accounts_of(conn, gateway, sorted(set(tokens)))


async def customer_at(conn: Connection, account_id: UUID, gateway: str) -> str | None:
    """Return what a gateway calls the account; None where it does not know it (any more)."""
    return await store.customer(conn, account_id, gateway)


async def link_customer(
    conn: Connection, account_id: UUID, gateway: str, token: str, now: datetime
) -> bool:
    """Let a gateway's customer stand for an account; what waited for it is tried again.

    False when the account has another customer there, or the customer another account.
    """
    if not await store.link(conn, account_id, gateway, token, now):
        return False
    told = GatewayCustomerLinked(gateway, token)
    await outbox.append(conn, account_id, GATEWAY_CUSTOMER_LINKED, told)
    return True


async def keep_methods(
    conn: Connection,
    account_id: UUID,
    gateway: str,
    described: Sequence[MethodDescription],
    now: datetime,
) -> int:
    """Keep the methods that a customer has saved at its gateway; return how many there are."""
    kept = [await methods.save(conn, account_id, gateway, one, now) for one in described]
    return sum(one is not None for one in kept)
