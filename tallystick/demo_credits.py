"""Credits of the demo: what they cost, what is on sale, and a few that were used."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from tallystick.accounts.model import Account
from tallystick.api.services import Services
from tallystick.credits import grants, packages, prices
from tallystick.credits.amounts import to_units
from tallystick.credits.model import NewGrant
from tallystick.credits.packages import NewPackage
from tallystick.credits.prices import NewCost
from tallystick.credits.service import Deduct
from tallystick.kernel.db import Connection

WELCOME: Final = Decimal(500)
COSTS: Final = (
    NewCost(operation="write", model="large", unit="tokens", unit_size=Decimal(1000),
            credits_per_unit=Decimal("0.5")),
    NewCost(operation="write", model="small", unit="tokens", unit_size=Decimal(1000),
            credits_per_unit=Decimal("0.1")),
    NewCost(operation="draw", unit="images", credits_per_unit=Decimal(4)),
)  # fmt: skip
PACKAGES: Final = (("starter", "Starter", 1_000, 900), ("bulk", "Bulk", 10_000, 7_900))
"""Code, name, credits, price in cents."""


async def offer(conn: Connection, account: Account, now: datetime) -> None:
    """Put costs and packages in place, and give the account something to begin with."""
    for cost in COSTS:
        await prices.set_cost(conn, cost, None, now)
    for code, name, credits_, cents in PACKAGES:
        new = NewPackage(
            code=code, name=name, units=to_units(Decimal(credits_)), currency="EUR",
            amount_minor=cents,
        )  # fmt: skip
        await packages.create_package(conn, new, now)
    welcome = NewGrant(
        source="promotion", units=to_units(WELCOME), reason="Welcome",
        expires_at=now + timedelta(days=60),
    )  # fmt: skip
    await grants.grant(conn, account.account_id, welcome, key="demo-welcome", at=now)


async def use(services: Services, account: Account, now: datetime) -> None:
    """Use some of them: longer texts, a short one, pictures."""
    asked = (("write", "large", 12_000), ("write", "small", 3_500), ("draw", None, 3))
    await services.credits.deduct_many(
        [
            Deduct(
                account_id=account.account_id,
                key=f"demo-{number}",
                at=now,
                operation=operation,
                model=model,
                quantity=Decimal(quantity),
            )
            for number, (operation, model, quantity) in enumerate(asked)
        ]
    )
