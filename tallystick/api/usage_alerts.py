"""Rules of alerts, and what they told."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
from litestar import delete, get, patch, post
from msgspec import Meta

from tallystick.accounts.model import Account, Principal
from tallystick.alerts import service
from tallystick.alerts.checks import PERCENT_MAX, THRESHOLDS_MAX
from tallystick.alerts.model import AlertRule, NewRule, Unit, UsageAlert, Watch
from tallystick.api import fields
from tallystick.api.answers import Pagination, pagination, plain
from tallystick.api.credit_fields import decimal
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF, WRITER, account_scope
from tallystick.kernel.paging import PageRequest

TAGS: Final = ["Usage alerts"]
READ: Final[dict[str, Any]] = {"permission": "billing:read"}
WRITE: Final[dict[str, Any]] = {"permission": "billing:write"}
EXAMPLE: Final = {
    "name": "Calls, nearly used up",
    "watch": "meter",
    "meter": "api_calls",
    "unit": "percent",
    "thresholds": ["80", "100"],
}
_DECIMAL: Final = r"^(0|[1-9][0-9]{0,14})\.[0-9]{0,11}[1-9]$|^[1-9][0-9]{0,14}$"
Amount = Annotated[
    str,
    Meta(extra_json_schema={"pattern": _DECIMAL, "description": "Above 0, a decimal string."}),
]
Threshold = Annotated[
    str,
    Meta(
        extra_json_schema={
            "pattern": _DECIMAL,
            "description": f"A decimal string: up to {PERCENT_MAX} percent with 2 decimals; cents "
            "are whole; credits, which may be 0, have up to 5 decimals, quantities up to 12.",
        }
    ),
]
Percent = Annotated[
    str,
    Meta(
        extra_json_schema={
            "pattern": r"^(0\.[0-9]?[1-9]|[1-9][0-9]{0,3}(\.[0-9]?[1-9])?|10000)$",
            "description": "A decimal string with up to 2 decimals.",
        }
    ),
]
Thresholds = Annotated[
    tuple[Threshold, ...],
    Meta(
        extra_json_schema={"minItems": 1, "maxItems": THRESHOLDS_MAX, "uniqueItems": True},
    ),
]


class RuleBody(Body, frozen=True, kw_only=True):
    """What is watched, and at what to tell.

    `meter` with `percent` (of its limit) or `quantity`; `spend` (the period's subtotal before tax)
    with `cents`; `credits` with `percent` (of what the plan gives) or `credits_left`. A percent
    needs a limit at present; should there be none later, nothing is told.
    """

    name: fields.Line
    watch: Watch
    meter: fields.MeterCode | None = None
    unit: Unit
    thresholds: Thresholds


class RuleChangeBody(Body, frozen=True, kw_only=True):
    """What is to be changed; the rest stays."""

    name: fields.Line | None = None
    thresholds: Thresholds | None = None
    is_active: bool | None = None


class RuleAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A rule; each threshold is told of once in each billing period."""

    id: str
    name: str
    watch: str
    meter: str | None
    unit: str
    thresholds: list[str]
    is_active: bool
    created: datetime


class RuleList(msgspec.Struct, frozen=True):
    """All rules, newest first; there are 50 at most, so they are one page."""

    alerts: list[RuleAnswer]
    pagination: Pagination
    total: int


class AlertAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was told: the threshold, what there was then, and in which period (half-open, UTC).

    `quantity` and `limit` are decimal strings: units of the meter, minor units of `currency`, or
    credits. `basis` says whether it was used or is expected. `source` is the rule's id or the
    budget's.
    """

    id: str
    account: str
    source: str
    name: str
    basis: str
    watch: str
    meter: str | None
    unit: str
    threshold: str
    quantity: str
    limit: str | None
    currency: str | None
    period_start: datetime
    period_end: datetime
    fired: datetime


class AlertPage(msgspec.Struct, frozen=True):
    """A part of what was told, newest first."""

    alerts: list[AlertAnswer]
    pagination: Pagination
    total: int


@get("/usage/alerts", opt=READ, tags=TAGS, summary="Alert rules")
async def list_rules(services: Services, account: Account) -> RuleList:
    """List the account's rules."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await service.list_rules(conn, account.account_id)
    answers = [rule_answer(rule) for rule in found]
    return RuleList(answers, one_page(len(answers)), len(answers))


@post("/usage/alerts", opt={**WRITE, "example": EXAMPLE}, tags=TAGS, summary="Make an alert rule")
async def create_rule(
    data: RuleBody, services: Services, account: Account, principal: Principal
) -> RuleAnswer:
    """Make a rule; what is reached already in this period is told at once."""
    new = NewRule(
        name=data.name,
        watch=data.watch,
        meter=data.meter,
        unit=data.unit,
        thresholds=decimals("thresholds", data.thresholds),
    )
    now = principal.now(services.clock())
    async with services.db.transaction(WRITER) as conn:
        return rule_answer(await service.create_rule(conn, account.account_id, new, now))


@patch(
    "/usage/alerts/{rule_id:str}",
    opt={**WRITE, "example": {"thresholds": ["90"]}},
    tags=TAGS,
    summary="Change an alert rule",
)
async def change_rule(
    rule_id: str, data: RuleChangeBody, services: Services, account: Account, principal: Principal
) -> RuleAnswer:
    """Change name, thresholds or whether it is active.

    What was told in this period is not told again.
    """
    given = data.thresholds
    async with services.db.transaction(WRITER) as conn:
        changed = await service.change_rule(
            conn,
            account.account_id,
            ids.parse("alert_rule", rule_id),
            principal.now(services.clock()),
            name=data.name,
            thresholds=None if given is None else decimals("thresholds", given),
            is_active=data.is_active,
        )
    return rule_answer(changed)


@delete("/usage/alerts/{rule_id:str}", opt=WRITE, tags=TAGS, summary="Delete an alert rule")
async def delete_rule(
    rule_id: str, services: Services, account: Account, principal: Principal
) -> None:
    """Delete a rule; what it told stays in the history."""
    wanted = ids.parse("alert_rule", rule_id)
    now = principal.now(services.clock())
    async with services.db.transaction(WRITER) as conn:
        await service.delete_rule(conn, account.account_id, wanted, now)


@get("/usage/alerts/history", opt=READ, tags=TAGS, summary="Alerts that were told")
async def list_alerts(services: Services, account: Account, paging: PageRequest) -> AlertPage:
    """List what was told to the account by rules and budgets, newest first."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await service.list_alerts(conn, account.account_id, paging)
    answers = [alert_answer(alert) for alert in found.items]
    return AlertPage(answers, pagination(found), found.total)


@get(
    "/api/v1/admin/usage-alerts",
    opt={"permission": "staff:read"},
    tags=["Admin: usage alerts"],
    summary="Alerts of all accounts",
)
async def list_all_alerts(services: Services, paging: PageRequest) -> AlertPage:
    """List what was told to whom, newest first."""
    async with services.db.transaction(STAFF) as conn:
        found = await service.list_alerts(conn, None, paging)
    answers = [alert_answer(alert) for alert in found.items]
    return AlertPage(answers, pagination(found), found.total)


def decimals(field: str, texts: Sequence[str]) -> tuple[Decimal, ...]:
    """Return numbers; raises BadInput naming the place of what is no plain decimal string."""
    return tuple(decimal(f"{field}[{at}]", text) for at, text in enumerate(texts))


def one_page(total: int) -> Pagination:
    """Describe a list that is always whole."""
    return Pagination(page=1, limit=100, total=total, total_pages=min(total, 1), next_cursor=None)


def rule_answer(rule: AlertRule) -> RuleAnswer:
    """Show a rule."""
    return RuleAnswer(
        id=ids.show("alert_rule", rule.alert_rule_id),
        name=rule.name,
        watch=rule.watch,
        meter=rule.meter_code,
        unit=rule.unit,
        thresholds=[plain(one) for one in rule.thresholds],
        is_active=rule.is_active,
        created=rule.created_at,
    )


def alert_answer(alert: UsageAlert) -> AlertAnswer:
    """Show what was told."""
    kind = "alert_rule" if alert.source == "rule" else "budget"
    limit = alert.limit_quantity
    return AlertAnswer(
        id=ids.show("usage_alert", alert.usage_alert_id),
        account=ids.show("account", alert.account_id),
        source=ids.show(kind, alert.source_id),
        name=alert.name,
        basis=alert.basis,
        watch=alert.watch,
        meter=alert.meter_code,
        unit=alert.unit,
        threshold=plain(alert.threshold),
        quantity=plain(alert.quantity),
        limit=None if limit is None else plain(limit),
        currency=alert.currency.lower() if alert.currency else None,
        period_start=alert.period_start,
        period_end=alert.period_end,
        fired=alert.fired_at,
    )


ACCOUNT_ROUTES: Final = (list_rules, create_rule, change_rule, delete_rule, list_alerts)
ROUTES: Final = (list_all_alerts,)
