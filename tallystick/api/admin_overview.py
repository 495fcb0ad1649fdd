"""For staff: customers, subscriptions, charges and revenue at a glance, in Ops Center's words."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final

import msgspec
from litestar import get
from litestar.params import Parameter

from tallystick.analytics import service
from tallystick.analytics.model import ChargeRow, SubscriptionRow
from tallystick.analytics.revenue import CurrencyTotal
from tallystick.analytics.service import CustomerRow, Overview
from tallystick.api.answers import Pagination, major, pagination
from tallystick.api.services import Services
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF
from tallystick.kernel.paging import PageRequest

BASE: Final = "/api/v1/admin/billing"
TAGS: Final = ["Admin: overview"]
READ: Final = {"permission": "staff:read"}
SEARCH_LENGTH_MAX: Final = 200
_PAID: Final = frozenset({"succeeded", "refunded", "partially_refunded", "disputed"})
StatusOf = Annotated[
    str | None, Parameter(pattern="^[a-z_]{1,40}$", description="With this status alone.")
]
CurrencyOf = Annotated[
    str | None,
    Parameter(pattern="^[A-Za-z]{3}$", min_length=3, description="In this currency alone."),
]
GatewayOf = Annotated[
    str | None, Parameter(pattern="^[a-z]{1,40}$", description="Through this gateway alone.")
]
Search = Annotated[
    str | None,
    Parameter(max_length=SEARCH_LENGTH_MAX, description="Part of a name or e-mail, or an id."),
]


class TierAnswer(msgspec.Struct, frozen=True):
    """A tier's subscriptions, trials too, and the month's revenue of those that pay."""

    count: int
    revenue: Decimal
    revenue_cents: int


class RevenueAnswer(msgspec.Struct, frozen=True):
    """One currency: what live subscriptions of all intervals come to in a month, before usage."""

    monthly_revenue: Decimal
    monthly_revenue_cents: int
    tier_breakdown: dict[str, TierAnswer]


class StatsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of today. Revenue and tiers are those of `currency`; `by_currency` has them all."""

    total_customers: int
    active_subscriptions: int
    trial_subscriptions: int
    past_due_subscriptions: int
    currency: str
    monthly_revenue: Decimal
    monthly_revenue_cents: int
    tier_breakdown: dict[str, TierAnswer]
    by_currency: dict[str, RevenueAnswer]


class CustomerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An account; `gateway_customers` is what each gateway calls it."""

    id: str
    email: str
    name: str
    created: datetime
    currency: str
    gateway_customers: dict[str, str]
    metadata: dict[str, str]


class CustomerList(msgspec.Struct, frozen=True):
    """One part of all customers, newest first."""

    customers: list[CustomerAnswer]
    pagination: Pagination
    total: int


class SubscriptionLine(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription; `source` is `tallystick`, or the gateway that it lives at and bills it."""

    id: str
    customer: str
    source: str
    gateway: str
    tier: str
    status: str
    amount: Decimal
    amount_cents: int
    currency: str
    interval: str | None
    interval_count: int | None
    current_period_start: datetime | None
    current_period_end: datetime | None
    trial_ends_at: datetime | None
    cancel_at_period_end: bool
    created: datetime


class SubscriptionLines(msgspec.Struct, frozen=True):
    """One part of all subscriptions, newest first."""

    subscriptions: list[SubscriptionLine]
    pagination: Pagination
    total: int


class ChargeLine(msgspec.Struct, frozen=True, kw_only=True):
    """A payment; `source` is `tallystick`, or the gateway that it was made at."""

    id: str
    customer: str
    source: str
    gateway: str
    amount: Decimal
    amount_cents: int
    currency: str
    status: str
    description: str | None
    created: datetime
    paid: bool
    refunded: bool


class ChargeLines(msgspec.Struct, frozen=True):
    """One part of all payments, newest first."""

    charges: list[ChargeLine]
    pagination: Pagination
    total: int


@get(f"{BASE}/stats", opt=READ, tags=TAGS, summary="Revenue and subscriptions")
async def read_stats(services: Services, currency: CurrencyOf = None) -> StatsAnswer:
    """Return how many customers and subscriptions there are, and the month's revenue."""
    async with services.db.transaction(STAFF) as conn:
        found = await service.overview(conn)
    return stats_answer(found, (currency or services.settings.default_currency).upper())


@get(f"{BASE}/customers", opt=READ, tags=TAGS, summary="All customers")
async def list_customers(
    services: Services, paging: PageRequest, search: Search = None
) -> CustomerList:
    """List accounts with what gateways call them."""
    async with services.db.transaction(STAFF) as conn:
        found = await service.list_customers(conn, paging, search or "")
    shown = [customer_answer(row) for row in found.items]
    return CustomerList(shown, pagination(found), found.total)


@get(f"{BASE}/subscriptions", opt=READ, tags=TAGS, summary="All subscriptions")
async def list_subscriptions(
    services: Services,
    paging: PageRequest,
    status: StatusOf = None,
    currency: CurrencyOf = None,
    gateway: GatewayOf = None,
) -> SubscriptionLines:
    """List subscriptions of ours and those that live at a gateway."""
    filters = (status, currency.upper() if currency else None, gateway)
    async with services.db.transaction(STAFF) as conn:
        found = await service.list_subscriptions(conn, filters, paging)
    shown = [subscription_line(row) for row in found.items]
    return SubscriptionLines(shown, pagination(found), found.total)


@get(f"{BASE}/recent-charges", opt=READ, tags=TAGS, summary="All payments")
async def list_charges(
    services: Services,
    paging: PageRequest,
    status: StatusOf = None,
    currency: CurrencyOf = None,
    gateway: GatewayOf = None,
) -> ChargeLines:
    """List payments of ours and charges made at a gateway."""
    filters = (status, currency.upper() if currency else None, gateway)
    async with services.db.transaction(STAFF) as conn:
        found = await service.list_charges(conn, filters, paging)
    shown = [charge_line(row) for row in found.items]
    return ChargeLines(shown, pagination(found), found.total)


def stats_answer(found: Overview, currency: str) -> StatsAnswer:
    """Show the figures, those of one currency first."""
    totals = found.totals
    chosen = totals.by_currency.get(currency, CurrencyTotal(monthly_minor=0, tiers={}))
    shown = _revenue(chosen, currency)
    return StatsAnswer(
        total_customers=found.account_count,
        active_subscriptions=totals.active_count,
        trial_subscriptions=totals.trial_count,
        past_due_subscriptions=totals.past_due_count,
        currency=currency.lower(),
        monthly_revenue=shown.monthly_revenue,
        monthly_revenue_cents=shown.monthly_revenue_cents,
        tier_breakdown=shown.tier_breakdown,
        by_currency={
            code.lower(): _revenue(total, code) for code, total in totals.by_currency.items()
        },
    )


def customer_answer(row: CustomerRow) -> CustomerAnswer:
    """Show a customer; `user_id` is what the business calls the account."""
    account = row.account
    shown = ids.show("account", account.account_id)
    return CustomerAnswer(
        id=shown,
        email=account.email,
        name=account.name,
        created=account.created_at,
        currency=account.currency.lower(),
        gateway_customers=dict(row.gateway_customers),
        metadata={"user_id": account.external_id or shown, "tier": row.tier},
    )


def subscription_line(row: SubscriptionRow) -> SubscriptionLine:
    """Show a subscription."""
    own = ids.show("subscription", row.subscription_id) if row.subscription_id else None
    amount = row.amount_minor or 0
    return SubscriptionLine(
        id=own or row.reference or "",
        customer=ids.show("account", row.account_id),
        source=row.source,
        gateway=row.gateway,
        tier=row.tier or service.FREE,
        status=row.status,
        amount=major(amount, row.currency),
        amount_cents=amount,
        currency=row.currency.lower(),
        interval=row.interval,
        interval_count=row.interval_count,
        current_period_start=row.period_start,
        current_period_end=row.period_end,
        trial_ends_at=row.trial_ends_at,
        cancel_at_period_end=row.cancel_at_period_end,
        created=row.created_at,
    )


def charge_line(row: ChargeRow) -> ChargeLine:
    """Show a payment."""
    own = ids.show("payment", row.payment_id) if row.payment_id else None
    return ChargeLine(
        id=own or row.reference or "",
        customer=ids.show("account", row.account_id),
        source=row.source,
        gateway=row.gateway,
        amount=major(row.amount_minor, row.currency),
        amount_cents=row.amount_minor,
        currency=row.currency.lower(),
        status=row.status,
        description=row.description,
        created=row.created_at,
        paid=row.status in _PAID,
        refunded=row.status == "refunded",
    )


def _revenue(total: CurrencyTotal, currency: str) -> RevenueAnswer:
    return RevenueAnswer(
        major(total.monthly_minor, currency),
        total.monthly_minor,
        {
            tier: TierAnswer(one.count, major(one.monthly_minor, currency), one.monthly_minor)
            for tier, one in total.tiers.items()
        },
    )


ROUTES: Final = (read_stats, list_customers, list_subscriptions, list_charges)
