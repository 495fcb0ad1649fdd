"""What staff look at, put together from our own books and what lives at gateways."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final, TypeVar
from uuid import UUID

import msgspec

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.analytics import store
from tallystick.analytics.model import ChargeRow, Counted, SubscriptionRow
from tallystick.analytics.revenue import Group, Totals, totals_of
from tallystick.analytics.store import Filters
from tallystick.catalog import service as catalog
from tallystick.catalog.currencies import priced_in
from tallystick.catalog.fees import fee_minor
from tallystick.catalog.model import PlanVersion
from tallystick.kernel.db import Connection
from tallystick.kernel.paging import Page, PageRequest
from tallystick.money.monthly import per_month

FREE: Final = "free"
T = TypeVar("T")


class Overview(msgspec.Struct, frozen=True):
    """How many accounts there are, and what their subscriptions come to."""

    account_count: int
    totals: Totals


class CustomerRow(msgspec.Struct, frozen=True, kw_only=True):
    """An account as a customer: its tier, and what gateways call it."""

    account: Account
    tier: str
    gateway_customers: Mapping[str, str]


async def overview(conn: Connection) -> Overview:
    """Return the figures of today, under the staff's scope."""
    counted = await store.counted(conn)
    versions = await _versions(conn, (one.plan_version_id for one in counted))
    groups = [_group(one, versions) for one in counted]
    return Overview(await store.account_count(conn), totals_of(groups))


async def list_customers(
    conn: Connection, request: PageRequest, search: str = ""
) -> Page[CustomerRow]:
    """Return accounts as customers, newest first."""
    page = await accounts.list_accounts(conn, request, search)
    ids = [account.account_id for account in page.items]
    tiers, customers = await store.tiers(conn, ids), await store.gateway_customers(conn, ids)
    versions = await _versions(conn, (version for version, _ in tiers.values()))
    rows = [
        CustomerRow(
            account=account,
            tier=_tier(*tiers.get(account.account_id, (None, FREE)), versions),
            gateway_customers=customers.get(account.account_id, {}),
        )
        for account in page.items
    ]
    return Page(items=tuple(rows), total=page.total, request=request, next_cursor=page.next_cursor)


async def list_subscriptions(
    conn: Connection, filters: Filters, request: PageRequest
) -> Page[SubscriptionRow]:
    """Return all subscriptions, newest first; ours have tier, amount and interval of their plan."""
    rows, total = await store.subscriptions(conn, filters, request)
    versions = await _versions(conn, (row.plan_version_id for row in rows))
    return _page([_of_plan(row, versions) for row in rows], total, request)


async def list_charges(conn: Connection, filters: Filters, request: PageRequest) -> Page[ChargeRow]:
    """Return all payments and charges, newest first."""
    return _page(*await store.charges(conn, filters, request), request)


def _page(rows: Sequence[T], total: int, request: PageRequest) -> Page[T]:
    return Page(items=tuple(rows), total=total, request=request, next_cursor=None)


async def _versions(conn: Connection, ids: Iterable[UUID | None]) -> Mapping[UUID, PlanVersion]:
    wanted = sorted({one for one in ids if one is not None})
    return {one: await catalog.get_plan_version(conn, one) for one in wanted}


def _group(counted: Counted, versions: Mapping[UUID, PlanVersion]) -> Group:
    monthly = Fraction(counted.monthly_minor or Decimal(0))
    if counted.plan_version_id is not None:
        plan = priced_in(versions[counted.plan_version_id], counted.currency)
        fee = fee_minor(plan) * counted.quantity
        monthly = per_month(fee, plan.interval, plan.interval_count)
    return Group(
        tier=_tier(counted.plan_version_id, counted.tier, versions),
        currency=counted.currency,
        status=counted.status,
        count=counted.count,
        monthly=monthly,
    )


def _of_plan(row: SubscriptionRow, versions: Mapping[UUID, PlanVersion]) -> SubscriptionRow:
    if row.plan_version_id is None:
        return row
    plan = priced_in(versions[row.plan_version_id], row.currency)
    return msgspec.structs.replace(
        row,
        tier=_tier(row.plan_version_id, None, versions),
        amount_minor=fee_minor(plan) * row.quantity,
        interval=plan.interval,
        interval_count=plan.interval_count,
    )


def _tier(version_id: UUID | None, tier: str | None, versions: Mapping[UUID, PlanVersion]) -> str:
    if version_id is None:
        return tier or FREE
    plan = versions[version_id]
    return plan.tier or plan.plan_code
