"""Usage of today and of this month, with what the plan includes: the Ops Center seed's shape."""

from datetime import timedelta
from decimal import Decimal
from typing import Final

import msgspec
from litestar import get

from tallystick.accounts.model import Account, Principal
from tallystick.api.answers import plain
from tallystick.api.services import Services
from tallystick.api.subscription_answers import FREE_TIER
from tallystick.catalog import service as catalog
from tallystick.kernel.db import account_scope
from tallystick.metering import service as metering
from tallystick.metering.included_use import IncludedUse, included_use
from tallystick.money.amount import Money
from tallystick.subscriptions.current_usage import CurrentUsage, current_usage
from tallystick.subscriptions.periods import local_day, start_of_day


class UsageByMeter(msgspec.Struct, frozen=True):
    """Quantities by the code of the meter, as JSON numbers: since midnight, and this month.

    Days and months are those of the account's time zone. A meter of the plan is always there,
    another one when it was used this month.
    """

    today: dict[str, Decimal]
    month: dict[str, Decimal]


class IncludedCredits(msgspec.Struct, frozen=True, kw_only=True):
    """Units of the running billing period that the plan includes, over all its meters.

    `overage_cost` is in major units of the plan's currency; `price_per_1k` is what the next
    thousand units cost, null when the meters differ in it.
    """

    tier: str
    included_credits: Decimal
    used: Decimal
    remaining: Decimal
    overage: Decimal
    overage_cost: Decimal
    overage_cost_cents: int
    price_per_1k: Decimal | None


class UsageOverview(msgspec.Struct, frozen=True, kw_only=True):
    """Usage, what the plan includes of it, and the plan's code as the tier."""

    usage: UsageByMeter
    credits: IncludedCredits
    tier: str
    currency: str


@get(
    "/usage",
    opt={"permission": "billing:read"},
    tags=["Usage"],
    summary="Usage of today and of this month",
)
async def read_usage(services: Services, account: Account, principal: Principal) -> UsageOverview:
    """Return what was used, exact to the last event; zeros and the free tier without a plan."""
    now = principal.now(services.clock())
    today = local_day(now, account.timezone)
    month, day, end = [
        start_of_day(first, account.timezone)
        for first in (today.replace(day=1), today, today + timedelta(days=1))
    ]
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        meters = await catalog.list_meters(conn)
        of_day, of_month = [
            await metering.period_totals(conn, account.account_id, meters, start, end)
            for start in (day, month)
        ]
        found = await current_usage(conn, account.account_id, now)
    planned = {row.meter.code for row in found.report.meters} if found else set()
    shown = [code for code, used in of_month.items() if used or code in planned]
    return UsageOverview(
        usage=UsageByMeter(_only(shown, of_day), _only(shown, of_month)),
        credits=_included(found, account),
        tier=found.plan.plan_code if found else FREE_TIER,
        currency=(found.plan.currency if found else account.currency).lower(),
    )


def _only(codes: list[str], totals: dict[str, Decimal]) -> dict[str, Decimal]:
    return {code: _number(totals[code]) for code in codes}


def _included(found: CurrentUsage | None, account: Account) -> IncludedCredits:
    if found is None:
        zero, nothing = Decimal(0), Money.zero(account.currency)
        use = IncludedUse(
            included=zero, used=zero, remaining=zero, overage=zero, overage_cost=nothing,
            price_per_1k=None,
        )  # fmt: skip
        return _credits(FREE_TIER, use)
    return _credits(found.plan.plan_code, included_use(found.plan, found.report))


def _credits(tier: str, use: IncludedUse) -> IncludedCredits:
    return IncludedCredits(
        tier=tier,
        included_credits=_number(use.included),
        used=_number(use.used),
        remaining=_number(use.remaining),
        overage=_number(use.overage),
        overage_cost=use.overage_cost.to_decimal(),
        overage_cost_cents=use.overage_cost.minor,
        price_per_1k=None if use.price_per_1k is None else _number(use.price_per_1k),
    )


def _number(quantity: Decimal) -> Decimal:
    """Write a number without an exponent: `450`, never `4.5E+2`."""
    return Decimal(plain(quantity))


ACCOUNT_ROUTES: Final = (read_usage,)
