"""Plans on offer, and how a plan is shown."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
from litestar import get
from litestar.params import Parameter

from tallystick.accounts.model import Account
from tallystick.api.answers import major, plain
from tallystick.api.services import Services
from tallystick.catalog import service as catalog
from tallystick.catalog.currencies import currencies_of, priced_in
from tallystick.catalog.fees import fee_minor
from tallystick.catalog.model import (
    Billing,
    FeatureValue,
    Limit,
    LimitKind,
    LimitPeriod,
    PlanCredits,
    PlanVersion,
    Proration,
    Rollover,
    VersionStatus,
)
from tallystick.kernel import ids
from tallystick.kernel.db import account_scope
from tallystick.money.currency import currency as known_currency
from tallystick.pricing.model import Price

TAGS: Final = ["Subscriptions"]

Wanted = Annotated[
    str, Parameter(pattern="^[A-Za-z]{3}$", description="Plans sold in this currency (ISO 4217).")
]


class LimitAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A limit of a meter."""

    limit: str
    per: LimitPeriod
    kind: LimitKind


class PlanCreditsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Credits that a plan gives at the start of each period, as decimal strings."""

    amount: str
    rollover: Rollover
    rollover_max: str | None
    rollover_periods: int | None


class PlanAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a plan. `prices` are as in the catalogue, in `currency` alone for an account.

    `limits` by meter: a decimal string is a soft limit per billing period, a list says more.
    """

    id: str
    code: str
    name: str
    tier: str
    version: int
    status: VersionStatus
    currency: str
    currencies: list[str]
    interval: str
    interval_count: int
    billing: Billing
    trial_days: int
    proration: Proration
    fixed_months: bool
    usage_interval: str | None
    minimum_commitment: dict[str, str]
    amount: Decimal
    amount_cents: int
    prices: list[dict[str, Any]]
    limits: dict[str, str | list[LimitAnswer]]
    credits: PlanCreditsAnswer | None
    features: dict[str, FeatureValue]
    created: datetime


class PlanList(msgspec.Struct, frozen=True):
    """All plans on offer."""

    plans: list[PlanAnswer]
    total: int


@get("/plans", opt={"permission": "billing:read"}, tags=TAGS, summary="Plans on offer")
async def read_plans(
    services: Services, account: Account, currency: Wanted | None = None
) -> PlanList:
    """List the plans on offer, in the account's currency where they are sold in it.

    With `currency` those that are sold in it, at its prices.
    """
    wanted = None if currency is None else known_currency(currency.upper()).code
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        versions = await catalog.list_plans(conn)
    if wanted is not None:
        versions = tuple(one for one in versions if wanted in currencies_of(one))
    plans = [plan_answer(_offered(one, wanted or account.currency)) for one in versions]
    return PlanList(plans, len(plans))


def plan_answer(version: PlanVersion) -> PlanAnswer:
    """Show a plan's version."""
    fee = fee_minor(version)
    return PlanAnswer(
        id=ids.show("plan_version", version.plan_version_id),
        code=version.plan_code,
        name=version.plan_name,
        tier=version.tier or version.plan_code,
        version=version.version,
        status=version.status,
        currency=version.currency.lower(),
        currencies=[code.lower() for code in currencies_of(version)],
        interval=version.interval,
        interval_count=version.interval_count,
        billing=version.billing,
        trial_days=version.trial_days,
        proration=version.proration,
        fixed_months=version.fixed_months,
        usage_interval=version.usage_interval,
        minimum_commitment={
            code.lower(): plain(amount) for code, amount in version.minimum_commitment.items()
        },
        amount=major(fee, version.currency),
        amount_cents=fee,
        prices=[_price(price) for price in (*version.prices, *version.prices_elsewhere)],
        limits={meter: _limit(terms) for meter, terms in version.limits.items()},
        credits=None if version.credits is None else _credits(version.credits),
        features=dict(version.features),
        created=version.created_at,
    )


def _limit(terms: Decimal | tuple[Limit, ...]) -> str | list[LimitAnswer]:
    if isinstance(terms, Decimal):
        return plain(terms)
    return [LimitAnswer(limit=plain(one.limit), per=one.per, kind=one.kind) for one in terms]


def _credits(given: PlanCredits) -> PlanCreditsAnswer:
    return PlanCreditsAnswer(
        amount=plain(given.amount),
        rollover=given.rollover,
        rollover_max=None if given.rollover_max is None else plain(given.rollover_max),
        rollover_periods=given.rollover_periods,
    )


def _offered(version: PlanVersion, currency: str) -> PlanVersion:
    if currency in currencies_of(version):
        return priced_in(version, currency)
    return version


def _price(price: Price) -> dict[str, Any]:
    shown = msgspec.to_builtins(price, builtin_types=(Decimal,))
    return {key: _texts(value) for key, value in shown.items()}


def _texts(value: Any) -> Any:
    """Write each decimal inside as a decimal string."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dict):
        return {key: _texts(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_texts(inner) for inner in value]
    return value


ACCOUNT_ROUTES: Final = (read_plans,)
