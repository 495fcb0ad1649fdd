"""Where budgets stand: what is used of them, and what is expected at the period's end."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from tallystick.alerts.measure import Needs, measure
from tallystick.alerts.model import Budget, Measured
from tallystick.alerts.running import running_of
from tallystick.kernel.db import Connection
from tallystick.money.exact import canonical
from tallystick.money.rounding import round_ratio
from tallystick.subscriptions.periods import Period


class BudgetStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A budget in the running period; None where it is not known: spend without a plan.

    Percents are of the budget, to a hundredth; alerts compare exactly.
    """

    budget: Budget
    period: Period
    currency: str
    used: Decimal | None
    expected: Decimal | None
    used_percent: Decimal | None
    expected_percent: Decimal | None


async def statuses(
    conn: Connection, account_id: UUID, budgets: Sequence[Budget], now: datetime
) -> tuple[BudgetStatus, ...]:
    """Return where each budget stands at `now` (the account's present), in their order."""
    if not budgets:
        return ()
    running = await running_of(conn, account_id, now)
    codes = frozenset(one.meter_code for one in budgets if one.meter_code is not None)
    is_spend = any(one.watch == "spend" for one in budgets)
    needs = Needs(
        meters=codes, forecast_meters=codes, is_spend=is_spend, is_spend_forecast=is_spend
    )
    measured = await measure(conn, running, running.period, needs, now)
    return tuple(_statuses(budgets, measured, running.account.currency))


def _statuses(
    budgets: Sequence[Budget], measured: Measured, currency: str
) -> Iterator[BudgetStatus]:
    for budget in budgets:
        if budget.watch == "spend":
            used, expected = _decimal(measured.spend), _decimal(measured.spend_forecast)
        else:
            code = budget.meter_code or ""
            forecast = measured.quantity_forecasts.get(code)
            used = measured.quantities.get(code)
            expected = None if forecast is None else forecast.expected
        yield BudgetStatus(
            budget=budget,
            period=measured.period,
            currency=measured.currency or currency,
            used=used,
            expected=expected,
            used_percent=_percent(used, budget.amount),
            expected_percent=_percent(expected, budget.amount),
        )


def _decimal(minor: int | None) -> Decimal | None:
    return None if minor is None else Decimal(minor)


def _percent(part: Decimal | None, whole: Decimal) -> Decimal | None:
    if part is None:
        return None
    above, below = part.as_integer_ratio(), whole.as_integer_ratio()
    hundredths = round_ratio(above[0] * below[1] * 10_000, above[1] * below[0])
    return canonical(Decimal(hundredths).scaleb(-2))
