"""Limits set for one account, in place of its plan's."""

from collections.abc import Collection
from uuid import UUID

from tallystick.catalog import service as catalog
from tallystick.catalog.model import LimitPeriod
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput, NotFound
from tallystick.metering import limits_store
from tallystick.metering.limits_store import AccountLimit
from tallystick.pricing.bounds import quantity_problems


async def set_limit(conn: Connection, account_id: UUID, new: AccountLimit) -> AccountLimit:
    """Set a limit from now on, in place of the plan's on the same meter and `per`.

    Under the writer's scope; the account exists. Raises NotFound `meter_not_found`, BadInput.
    """
    meter = await catalog.get_meter(conn, new.meter)
    wrong = list(quantity_problems("limit", new.limit)) if new.limit is not None else []
    if wrong:
        raise BadInput.field(wrong[0].field, wrong[0].code, wrong[0].message)
    await limits_store.save(conn, account_id, meter.meter_id, new)
    return new


async def remove_limit(conn: Connection, account_id: UUID, meter: str, per: LimitPeriod) -> None:
    """Let the plan's limit hold again; raises NotFound `limit_not_found`, `meter_not_found`."""
    found = await catalog.get_meter(conn, meter)
    if not await limits_store.remove(conn, account_id, found.meter_id, per):
        raise NotFound("limit_not_found", "No such limit is set for this account.")


async def list_limits(conn: Connection, account_id: UUID) -> tuple[AccountLimit, ...]:
    """Return what is set for the account, by meter."""
    return (await limits_store.list_of(conn, [account_id])).get(account_id, ())


async def list_limits_of(
    conn: Connection, account_ids: Collection[UUID]
) -> dict[UUID, tuple[AccountLimit, ...]]:
    """Return the same of several accounts, under the writer's scope; those without are absent."""
    return await limits_store.list_of(conn, account_ids)
