"""Which thresholds are reached: pure, exact, and the same for rules and budgets."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from tallystick.alerts.model import AlertRule, Budget, Crossing, Measured, Watched
from tallystick.money.exact import multiply

ZERO: Final = Decimal(0)
WHOLE: Final = Decimal(100)


def watched_of(rules: Iterable[AlertRule], budgets: Iterable[Budget]) -> Iterator[Watched]:
    """Yield every threshold of those that are active."""
    for rule in rules:
        if rule.is_active:
            for threshold in rule.thresholds:
                yield _of_rule(rule, threshold)
    for budget in budgets:
        if budget.is_active:
            for threshold in budget.actual_percents:
                yield _of_budget(budget, threshold, is_forecast=False)
            for threshold in budget.forecast_percents:
                yield _of_budget(budget, threshold, is_forecast=True)


def crossings(watched: Iterable[Watched], measured: Measured) -> tuple[Crossing, ...]:
    """Return the thresholds that are reached in the measured period, in their order.

    A rule or a budget that was made after the period ended says nothing of it. A percent of
    something without a limit is never reached; of a limit of zero all is used as soon as there is
    any use.
    """
    found = (_crossing(one, measured) for one in watched if one.created_at < measured.period.end)
    return tuple(crossing for crossing in found if crossing is not None)


def _crossing(watched: Watched, measured: Measured) -> Crossing | None:
    quantity = _quantity(watched, measured)
    if quantity is None:
        return None
    if watched.unit == "credits_left":
        reached, limit = quantity <= watched.threshold, None
    elif watched.unit == "percent":
        limit = _limit(watched, measured)
        reached = limit is not None and reaches(quantity, limit, watched.threshold)
    else:
        reached, limit = quantity >= watched.threshold, None
    return Crossing(watched=watched, quantity=quantity, limit=limit) if reached else None


def reaches(quantity: Decimal, limit: Decimal, percent: Decimal) -> bool:
    """Tell whether so many percent of the limit are used, exactly: no percentage is rounded."""
    if limit == 0:
        return quantity > 0 and percent <= WHOLE
    return multiply(quantity, WHOLE) >= multiply(limit, percent)


def _quantity(watched: Watched, measured: Measured) -> Decimal | None:
    """Return what there is, None where it is not known of this period."""
    if watched.watch == "credits":
        own = measured.credits
        if own is None:
            return None
        return own.left if watched.unit == "credits_left" else own.used
    is_forecast = watched.basis == "forecast"
    if watched.watch == "spend":
        spend = measured.spend_forecast if is_forecast else measured.spend
        return None if spend is None else Decimal(spend)
    code = watched.meter_code or ""
    if is_forecast:
        forecast = measured.quantity_forecasts.get(code)
        return None if forecast is None else forecast.expected
    return measured.quantities.get(code)


def _limit(watched: Watched, measured: Measured) -> Decimal | None:
    if watched.source == "budget":
        return watched.amount
    if watched.watch == "credits":
        return measured.credits.included if measured.credits else None
    return measured.limits.get(watched.meter_code or "")


def _of_rule(rule: AlertRule, threshold: Decimal) -> Watched:
    return Watched(
        source="rule",
        source_id=rule.alert_rule_id,
        name=rule.name,
        created_at=rule.created_at,
        basis="actual",
        watch=rule.watch,
        meter_code=rule.meter_code,
        unit=rule.unit,
        threshold=threshold,
    )


def _of_budget(budget: Budget, threshold: Decimal, *, is_forecast: bool) -> Watched:
    return Watched(
        source="budget",
        source_id=budget.budget_id,
        name=budget.name,
        created_at=budget.created_at,
        basis="forecast" if is_forecast else "actual",
        watch=budget.watch,
        meter_code=budget.meter_code,
        unit="percent",
        threshold=threshold,
        amount=budget.amount,
    )
