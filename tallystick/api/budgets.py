"""Budgets: an amount for each billing period, with alerts on what is used and on the forecast."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import delete, get, patch, post
from msgspec import Meta
from msgspec.structs import replace

from tallystick.accounts.model import Account, Principal
from tallystick.alerts import service
from tallystick.alerts.checks import THRESHOLDS_MAX
from tallystick.alerts.model import Budget, NewBudget
from tallystick.alerts.status import BudgetStatus, statuses
from tallystick.api import fields
from tallystick.api.answers import Pagination, major, plain
from tallystick.api.credit_fields import decimal
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.api.usage_alerts import Amount, Percent, decimals, one_page
from tallystick.kernel import ids
from tallystick.kernel.db import WRITER, account_scope
from tallystick.kernel.errors import BadInput, FieldError

TAGS: Final = ["Budgets"]
READ: Final[dict[str, Any]] = {"permission": "billing:read"}
WRITE: Final[dict[str, Any]] = {"permission": "billing:write"}
EXAMPLE: Final = {
    "name": "Spend of a month",
    "watch": "spend",
    "amount_cents": 50000,
    "actual_percents": ["80", "100"],
    "forecast_percents": ["100"],
}
Percents = Annotated[
    tuple[Percent, ...],
    Meta(extra_json_schema={"maxItems": THRESHOLDS_MAX, "uniqueItems": True}),
]


class BudgetBody(Body, frozen=True, kw_only=True):
    """An amount per period: `amount_cents` of `spend`, or `quantity` of a `meter`.

    At least one percent of either list is needed. `forecast_percents` are of what is expected at
    the period's end.
    """

    name: fields.Line
    watch: Literal["spend", "meter"]
    meter: fields.MeterCode | None = None
    amount_cents: fields.Minor | None = None
    quantity: Amount | None = None
    actual_percents: Percents = ()
    forecast_percents: Percents = ()


class BudgetChangeBody(Body, frozen=True, kw_only=True):
    """What is to be changed; the rest stays."""

    name: fields.Line | None = None
    amount_cents: fields.Minor | None = None
    quantity: Amount | None = None
    actual_percents: Percents | None = None
    forecast_percents: Percents | None = None
    is_active: bool | None = None


class BudgetAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A budget, and where it stands in the running period (half-open, UTC).

    Of `spend`: `amount` with `used` and `expected` (at the period's end, null without a plan) in
    `currency`, before tax. Of a meter: `quantity` with `used_quantity` and `expected_quantity`.
    Percents are of the budget, to a hundredth.
    """

    id: str
    name: str
    watch: str
    meter: str | None
    currency: str
    amount: Decimal | None
    amount_cents: int | None
    used: Decimal | None
    used_cents: int | None
    expected: Decimal | None
    expected_cents: int | None
    quantity: str | None
    used_quantity: str | None
    expected_quantity: str | None
    used_percent: Decimal | None
    expected_percent: Decimal | None
    actual_percents: list[str]
    forecast_percents: list[str]
    is_active: bool
    period_start: datetime
    period_end: datetime
    created: datetime


class BudgetList(msgspec.Struct, frozen=True):
    """All budgets, newest first; there are 20 at most, so they are one page."""

    budgets: list[BudgetAnswer]
    pagination: Pagination
    total: int


@get("/budgets", opt=READ, tags=TAGS, summary="Budgets")
async def list_budgets(services: Services, account: Account, principal: Principal) -> BudgetList:
    """List the account's budgets, with what is used of them and what is expected."""
    now = principal.now(services.clock())
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await service.list_budgets(conn, account.account_id)
        shown = await statuses(conn, account.account_id, found, now)
    answers = [budget_answer(one) for one in shown]
    return BudgetList(answers, one_page(len(answers)), len(answers))


@post("/budgets", opt={**WRITE, "example": EXAMPLE}, tags=TAGS, summary="Make a budget")
async def create_budget(
    data: BudgetBody, services: Services, account: Account, principal: Principal
) -> BudgetAnswer:
    """Make a budget; what is reached already in this period is told at once."""
    new = NewBudget(
        name=data.name,
        watch=data.watch,
        meter=data.meter,
        amount=_amount(data.watch, data.amount_cents, data.quantity),
        actual_percents=decimals("actual_percents", data.actual_percents),
        forecast_percents=decimals("forecast_percents", data.forecast_percents),
    )
    now = principal.now(services.clock())
    async with services.db.transaction(WRITER) as conn:
        made = await service.create_budget(conn, account.account_id, new, now)
        (shown,) = await statuses(conn, account.account_id, [made], now)
    return budget_answer(shown)


@patch(
    "/budgets/{budget_id:str}",
    opt={**WRITE, "example": {"forecast_percents": ["90"]}},
    tags=TAGS,
    summary="Change a budget",
)
async def change_budget(
    budget_id: str,
    data: BudgetChangeBody,
    services: Services,
    account: Account,
    principal: Principal,
) -> BudgetAnswer:
    """Change a budget; a percent that was told of in this period is not told of again."""
    now = principal.now(services.clock())
    async with services.db.transaction(WRITER) as conn:
        was = await service.get_budget(conn, account.account_id, ids.parse("budget", budget_id))
        made = await service.change_budget(conn, _changed(was, data), now)
        (shown,) = await statuses(conn, account.account_id, [made], now)
    return budget_answer(shown)


@delete("/budgets/{budget_id:str}", opt=WRITE, tags=TAGS, summary="Delete a budget")
async def delete_budget(
    budget_id: str, services: Services, account: Account, principal: Principal
) -> None:
    """Delete a budget; what it told stays in the history of alerts."""
    wanted = ids.parse("budget", budget_id)
    now = principal.now(services.clock())
    async with services.db.transaction(WRITER) as conn:
        await service.delete_budget(conn, account.account_id, wanted, now)


def _changed(was: Budget, data: BudgetChangeBody) -> Budget:
    amount = was.amount
    if data.amount_cents is not None or data.quantity is not None:
        amount = _amount(was.watch, data.amount_cents, data.quantity)
    return replace(
        was,
        name=was.name if data.name is None else data.name,
        amount=amount,
        actual_percents=_percents("actual_percents", data.actual_percents, was.actual_percents),
        forecast_percents=_percents(
            "forecast_percents", data.forecast_percents, was.forecast_percents
        ),
        is_active=was.is_active if data.is_active is None else data.is_active,
    )


def _percents(
    field: str, given: Sequence[str] | None, was: tuple[Decimal, ...]
) -> tuple[Decimal, ...]:
    return was if given is None else decimals(field, given)


def _amount(watch: str, cents: int | None, quantity: str | None) -> Decimal:
    """Return the one amount that belongs to what is watched; raises BadInput."""
    given = {"amount_cents": cents, "quantity": quantity}
    own, other = ("amount_cents", "quantity") if watch == "spend" else ("quantity", "amount_cents")
    faults = []
    if given[other] is not None:
        faults.append(FieldError(other, "unexpected", f"does not belong to a budget of {watch}"))
    if given[own] is None:
        faults.append(FieldError(own, "missing", f"is the amount of a budget of {watch}"))
    if faults:
        detail = f"{faults[0].field}: {faults[0].message}"
        raise BadInput("validation_failed", detail, errors=faults)
    return Decimal(cents) if cents is not None else decimal("quantity", quantity or "")


def budget_answer(one: BudgetStatus) -> BudgetAnswer:
    """Show a budget with where it stands."""
    budget, currency = one.budget, one.currency
    is_spend = budget.watch == "spend"
    minors = [
        _minor(value) if is_spend else None for value in (budget.amount, one.used, one.expected)
    ]
    amount, used, expected = minors
    units = [
        None if is_spend or value is None else plain(value)
        for value in (budget.amount, one.used, one.expected)
    ]
    return BudgetAnswer(
        id=ids.show("budget", budget.budget_id),
        name=budget.name,
        watch=budget.watch,
        meter=budget.meter_code,
        currency=currency.lower(),
        amount=_major(amount, currency),
        amount_cents=amount,
        used=_major(used, currency),
        used_cents=used,
        expected=_major(expected, currency),
        expected_cents=expected,
        quantity=units[0],
        used_quantity=units[1],
        expected_quantity=units[2],
        used_percent=one.used_percent,
        expected_percent=one.expected_percent,
        actual_percents=[plain(percent) for percent in budget.actual_percents],
        forecast_percents=[plain(percent) for percent in budget.forecast_percents],
        is_active=budget.is_active,
        period_start=one.period.start,
        period_end=one.period.end,
        created=budget.created_at,
    )


def _minor(value: Decimal | None) -> int | None:
    return None if value is None else int(value)


def _major(minor: int | None, currency: str) -> Decimal | None:
    return None if minor is None else major(minor, currency)


ACCOUNT_ROUTES: Final = (list_budgets, create_budget, change_budget, delete_budget)
