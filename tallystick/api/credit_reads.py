"""Credits of the account: what is there, what used it, what changed it."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final

from litestar import get
from litestar.params import Parameter, QueryParameter

from tallystick.accounts.model import Account, Principal
from tallystick.api import credit_examples
from tallystick.api.answers import pagination, plain
from tallystick.api.credit_answers import (
    CreditBalanceAnswer,
    CreditUsageList,
    LimitAnswer,
    LimitsAnswer,
    SummaryAnswer,
    TransactionList,
    summary_answer,
    transaction_answer,
    usage_answer,
)
from tallystick.api.services import Services
from tallystick.credits import service
from tallystick.credits.amounts import to_credits
from tallystick.credits.debit_store import UsageFilter
from tallystick.credits.model import UsageSum
from tallystick.kernel.db import account_scope
from tallystick.kernel.errors import BadInput
from tallystick.kernel.paging import PageRequest
from tallystick.ledger import service as ledger
from tallystick.ledger.model import CREDITS
from tallystick.metering.usage_report import MeterUsage
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.current_usage import current_usage
from tallystick.subscriptions.periods import local_day, start_of_day
from tallystick.subscriptions.sold import plan_of

TAGS: Final = ["Credits"]
READ: Final = {"permission": "billing:read"}

Since = Annotated[datetime | None, QueryParameter(name="from", description="from this instant on")]
Until = Annotated[datetime | None, QueryParameter(name="to", description="before this instant")]
Name = Annotated[str | None, Parameter(max_length=200)]


@get(
    "/credits/balance",
    opt={**READ, "answer_example": credit_examples.BALANCE},
    tags=TAGS,
    summary="Credits",
)
async def read_balance(
    services: Services, account: Account, principal: Principal
) -> CreditBalanceAnswer:
    """Return what can be spent; zeros for who never had any."""
    return await _balance(services, account, principal.now(services.clock()))


@get("/credits/usage", opt=READ, tags=TAGS, summary="Usage log")
async def list_usage(
    *,
    services: Services,
    account: Account,
    paging: PageRequest,
    operation: Name = None,
    model: Name = None,
    since: Since = None,
    until: Until = None,
) -> CreditUsageList:
    """List what used credits, newest first."""
    wanted = _filter(operation, model, since, until)
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await service.usage_log(conn, account.account_id, wanted, paging)
    return CreditUsageList(
        [usage_answer(row) for row in found.items], pagination(found), found.total
    )


@get("/credits/usage/summary", opt=READ, tags=TAGS, summary="Usage by operation and model")
async def read_summary(
    services: Services,
    account: Account,
    since: Since = None,
    until: Until = None,
) -> SummaryAnswer:
    """Sum what was used, by operation and model."""
    wanted = _filter(None, None, since, until)
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        sums = await service.usage_sums(conn, account.account_id, wanted)
    return summary_answer(sums, wanted)


@get("/credits/usage/limits", opt=READ, tags=TAGS, summary="Limits and counts")
async def read_limits(services: Services, account: Account, principal: Principal) -> LimitsAnswer:
    """Return the plan's limits with what is used of them; empty lists without a plan."""
    now = principal.now(services.clock())
    month = UsageFilter(since=month_start(account, now))
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        used = await current_usage(conn, account.account_id, now)
        sums = await service.usage_sums(conn, account.account_id, month)
    rows = used.report.meters if used else ()
    return LimitsAnswer(
        plan=used.plan.plan_code if used else None,
        limits=[_limit(row) for row in rows if row.limit is not None],
        credits=await _balance(services, account, now),
        counts=_counts(sums),
    )


@get(["/credits/transactions", "/transactions"], opt=READ, tags=TAGS, summary="Changes of credits")
async def list_transactions(
    services: Services, account: Account, paging: PageRequest
) -> TransactionList:
    """List the entries of the books that changed the credits, newest first."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await ledger.list_entries(conn, account.account_id, paging, ledger_account=CREDITS)
    answers = [transaction_answer(entry) for entry in found.items]
    return TransactionList(answers, pagination(found), found.total)


def month_start(account: Account, now: datetime) -> datetime:
    """Return when the account's calendar month began."""
    first = local_day(now, account.timezone).replace(day=1)
    return start_of_day(first, account.timezone)


async def _balance(services: Services, account: Account, now: datetime) -> CreditBalanceAnswer:
    month = UsageFilter(since=month_start(account, now))
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        balance = await service.balance(conn, account.account_id, now)
        used = await service.used(conn, account.account_id, month)
        subscription = await subscriptions.current_subscription(conn, account.account_id)
        given = Decimal(0)
        if subscription is not None:
            plan = await plan_of(conn, subscription)
            given = plan.credits.amount if plan.credits else given
    available = to_credits(balance.available)
    return CreditBalanceAnswer(
        credits=available,
        plan_credits_per_month=given,
        credits_used_this_month=to_credits(used),
        credits_remaining=max(available, Decimal(0)),
        usable=to_credits(balance.usable),
        reserved=to_credits(balance.reserved),
        owed=to_credits(balance.owed),
        overdraft=to_credits(balance.overdraft_max),
    )


def _filter(
    operation: str | None, model: str | None, since: datetime | None, until: datetime | None
) -> UsageFilter:
    for field, at in (("from", since), ("to", until)):
        if at is not None and at.utcoffset() is None:
            raise BadInput.field(field, "timezone_missing", "must end in Z or an offset")
    return UsageFilter(operation=operation, model=model, since=since, until=until)


def _limit(row: MeterUsage) -> LimitAnswer:
    limit = row.limit or Decimal(0)
    return LimitAnswer(
        code=row.meter.code,
        title=row.meter.name,
        unit=row.meter.unit,
        limit=plain(limit),
        used=plain(row.quantity),
        available=plain(max(limit - row.quantity, Decimal(0))),
    )


def _counts(sums: tuple[UsageSum, ...]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in sums:
        counts[one.operation] = counts.get(one.operation, 0) + one.operation_count
    return counts


ACCOUNT_ROUTES: Final = (read_balance, list_usage, read_summary, read_limits, list_transactions)
