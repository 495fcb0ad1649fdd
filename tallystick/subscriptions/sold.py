"""The version of a plan as a subscription bought it: by its prices in the account's currency."""

from tallystick.catalog import service as catalog
from tallystick.catalog.currencies import priced_in
from tallystick.catalog.model import PlanVersion
from tallystick.kernel.db import Connection
from tallystick.subscriptions.model import Subscription


async def plan_of(conn: Connection, on: Subscription) -> PlanVersion:
    """Return the version that it is on, with its prices in the subscription's currency alone."""
    version = await catalog.get_plan_version(conn, on.plan_version_id)
    return priced_in(version, on.currency)
