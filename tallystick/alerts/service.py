"""Rules and budgets: listing, making, changing, forgetting; and what was told.

Writing needs the writer's scope. What is new or changed is looked at at once.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from tallystick.alerts import checks, store
from tallystick.alerts.model import AlertRule, Budget, NewBudget, NewRule, UsageAlert
from tallystick.alerts.running import running_of
from tallystick.catalog import service as catalog
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import FieldError
from tallystick.kernel.ids import new_id, unknown
from tallystick.kernel.paging import After, Page, PageRequest, make_page

SETTLED: Final = timedelta(minutes=2)
"""A transaction that used something while a first rule was made did not know of it. No statement
runs longer than a minute, so the first tick comes when such a one has ended."""


async def list_rules(conn: Connection, account_id: UUID) -> tuple[AlertRule, ...]:
    """Return the account's rules, newest first."""
    return await store.rules(conn, account_id)


async def get_rule(conn: Connection, account_id: UUID, alert_rule_id: UUID) -> AlertRule:
    """Return one rule; raises NotFound `alert_rule_not_found`."""
    for rule in await store.rules(conn, account_id):
        if rule.alert_rule_id == alert_rule_id:
            return rule
    raise unknown("alert_rule")


async def create_rule(conn: Connection, account_id: UUID, new: NewRule, now: datetime) -> AlertRule:
    """Make a rule from `now` (the account's present) on.

    What is reached already is told at once. Raises BadInput naming every bad field, also for a
    percent of what has no limit at present (`without_limit`); Conflict `too_many_alerts`.
    """
    checks.refuse([*checks.rule_faults(new)] or [*await _unknown(conn, account_id, new, now)])
    await store.watch(conn, account_id, now + SETTLED)
    if len(await store.rules(conn, account_id)) >= checks.RULES_MAX:
        raise checks.too_many("rules", checks.RULES_MAX)
    rule = AlertRule(
        account_id=account_id,
        alert_rule_id=new_id(),
        name=new.name,
        watch=new.watch,
        meter_code=new.meter,
        unit=new.unit,
        thresholds=checks.ascending(new.thresholds),
        is_active=True,
        created_at=now,
    )
    await store.insert_rule(conn, rule)
    await store.note(conn, account_id)
    return rule


async def change_rule(
    conn: Connection,
    account_id: UUID,
    alert_rule_id: UUID,
    now: datetime,
    *,
    name: str | None = None,
    thresholds: Sequence[Decimal] | None = None,
    is_active: bool | None = None,
) -> AlertRule:
    """Change what is given; a threshold that was told of in this period is not told of again.

    Raises NotFound, BadInput.
    """
    await store.watch(conn, account_id, now + SETTLED)
    was = await get_rule(conn, account_id, alert_rule_id)
    rule = replace(
        was,
        name=was.name if name is None else name,
        thresholds=was.thresholds if thresholds is None else tuple(thresholds),
        is_active=was.is_active if is_active is None else is_active,
    )
    wanted = NewRule(
        name=rule.name, watch=rule.watch, meter=rule.meter_code, unit=rule.unit,
        thresholds=rule.thresholds,
    )  # fmt: skip
    checks.refuse([*checks.rule_faults(wanted)])
    rule = replace(rule, thresholds=checks.ascending(rule.thresholds))
    await store.save_rule(conn, rule)
    await store.note(conn, account_id)
    return rule


async def delete_rule(
    conn: Connection, account_id: UUID, alert_rule_id: UUID, now: datetime
) -> None:
    """Forget a rule; what it told stays. Raises NotFound."""
    await store.watch(conn, account_id, now + SETTLED)
    await get_rule(conn, account_id, alert_rule_id)
    await store.delete_rule(conn, account_id, alert_rule_id)
    await store.unwatch(conn, account_id)


async def list_budgets(conn: Connection, account_id: UUID) -> tuple[Budget, ...]:
    """Return the account's budgets, newest first."""
    return await store.budgets(conn, account_id)


async def get_budget(conn: Connection, account_id: UUID, budget_id: UUID) -> Budget:
    """Return one budget; raises NotFound `budget_not_found`."""
    for budget in await store.budgets(conn, account_id):
        if budget.budget_id == budget_id:
            return budget
    raise unknown("budget")


async def create_budget(
    conn: Connection, account_id: UUID, new: NewBudget, now: datetime
) -> Budget:
    """Make a budget from `now` (the account's present) on; else as `create_rule`."""
    checks.refuse([*checks.budget_faults(new)] or [*await _no_meter(conn, new.meter)])
    await store.watch(conn, account_id, now + SETTLED)
    if len(await store.budgets(conn, account_id)) >= checks.BUDGETS_MAX:
        raise checks.too_many("budgets", checks.BUDGETS_MAX)
    budget = Budget(
        account_id=account_id,
        budget_id=new_id(),
        name=new.name,
        watch=new.watch,
        meter_code=new.meter,
        amount=new.amount,
        actual_percents=checks.ascending(new.actual_percents),
        forecast_percents=checks.ascending(new.forecast_percents),
        is_active=True,
        created_at=now,
    )
    await store.insert_budget(conn, budget)
    await store.note(conn, account_id)
    return budget


async def change_budget(conn: Connection, changed: Budget, now: datetime) -> Budget:
    """Write a budget of which name, amount, percents or activity are changed; else as a rule."""
    await store.watch(conn, changed.account_id, now + SETTLED)
    await get_budget(conn, changed.account_id, changed.budget_id)
    wanted = NewBudget(
        name=changed.name,
        watch=changed.watch,
        meter=changed.meter_code,
        amount=changed.amount,
        actual_percents=changed.actual_percents,
        forecast_percents=changed.forecast_percents,
    )
    checks.refuse([*checks.budget_faults(wanted)])
    budget = replace(
        changed,
        actual_percents=checks.ascending(changed.actual_percents),
        forecast_percents=checks.ascending(changed.forecast_percents),
    )
    await store.save_budget(conn, budget)
    await store.note(conn, budget.account_id)
    return budget


async def delete_budget(conn: Connection, account_id: UUID, budget_id: UUID, now: datetime) -> None:
    """Forget a budget; what it told stays. Raises NotFound."""
    await store.watch(conn, account_id, now + SETTLED)
    await get_budget(conn, account_id, budget_id)
    await store.delete_budget(conn, account_id, budget_id)
    await store.unwatch(conn, account_id)


async def list_alerts(
    conn: Connection, account_id: UUID | None, request: PageRequest
) -> Page[UsageAlert]:
    """Return a page of what was told, newest first; None: to all accounts, in staff's scope."""
    rows = await store.history(conn, account_id, request)
    total = await store.count(conn, account_id)
    return make_page(rows, total, request, lambda one: After(one.fired_at, one.usage_alert_id))


async def _unknown(
    conn: Connection, account_id: UUID, new: NewRule, now: datetime
) -> list[FieldError]:
    """Return what forbids a rule for this account: no meter, or nothing to take percents of."""
    faults = await _no_meter(conn, new.meter)
    if faults or new.unit != "percent":
        return faults
    running = await running_of(conn, account_id, now)
    given = running.plan.credits if running.plan else None
    has_limit = new.meter in running.limits if new.watch == "meter" else given is not None
    if has_limit:
        return []
    message = "needs a limit of the plan or of the account; use an amount instead"
    return [FieldError("unit", "without_limit", message)]


async def _no_meter(conn: Connection, code: str | None) -> list[FieldError]:
    if code is None or await catalog.meters_by_codes(conn, [code]):
        return []
    return [FieldError("meter", "meter_not_found", "there is no such meter")]
