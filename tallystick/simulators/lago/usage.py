"""Current usage: the running period's events, aggregated and priced."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, DecimalException, localcontext
from typing import Any, Final
from zoneinfo import ZoneInfo

from tallystick.simulators.lago.catalog import started_at
from tallystick.simulators.lago.errors import Json, not_allowed
from tallystick.simulators.lago.state import Event, State, shown

_MONTHS: Final = {"monthly": 1, "quarterly": 3, "yearly": 12}
_DIGITS: Final = 200
_SECOND: Final = timedelta(seconds=1)


def current_usage(state: State, customer: str, query: Mapping[str, str]) -> Json:
    """GET /customers/{external_id}/current_usage."""
    owner = state.found(state.customers, customer, "customer")
    name = query.get("external_subscription_id", "")
    subscription = state.subscriptions.get(name, {})
    if subscription.get("external_customer_id") != customer or subscription["status"] != "active":
        raise not_allowed("no_active_subscription")
    plan = state.plans[subscription["plan_code"]]
    start, end = _period(plan["interval"], owner.get("timezone") or "UTC", state.now())
    start = max(start, started_at(subscription))
    events = [
        event
        for event in state.events.values()
        if event.external_subscription_id == name and start <= event.at < end
    ]
    charges = [_charge_usage(state, plan, charge, events) for charge in plan["charges"]]
    amount = sum(charge["amount_cents"] for charge in charges)
    return {
        "customer_usage": {
            "from_datetime": shown(start.replace(microsecond=0)),
            "to_datetime": shown(end - _SECOND),
            "issuing_date": end.date().isoformat(),
            "currency": plan["amount_currency"],
            "amount_cents": amount,
            "total_amount_cents": amount,
            "taxes_amount_cents": 0,
            "lago_invoice_id": None,
            "charges_usage": charges,
        }
    }


def _charge_usage(state: State, plan: Json, charge: Json, events: Sequence[Event]) -> Json:
    metric = state.metrics[charge["billable_metric_code"]]
    counted = [event for event in events if event.code == metric["code"]]
    with localcontext(prec=_DIGITS):
        units = _aggregate(metric["aggregation_type"], metric["field_name"], counted)
        cents = units * Decimal(str(charge["properties"].get("amount", "0"))) * 100
        amount = int(cents.quantize(Decimal(1), ROUND_HALF_UP))
    return {
        "units": _written(units),
        "total_aggregated_units": _written(units),
        "events_count": len(counted),
        "amount_cents": amount,
        "amount_currency": plan["amount_currency"],
        "pricing_unit_details": None,
        "charge": {
            "lago_id": charge["lago_id"],
            "code": charge["code"],
            "charge_model": charge["charge_model"],
            "invoice_display_name": charge["invoice_display_name"],
        },
        "billable_metric": {
            name: metric[name] for name in ("lago_id", "name", "code", "aggregation_type")
        },
        "filters": [],
        "grouped_usage": [],
        "presentation_breakdowns": [],
    }


def _aggregate(kind: str, field: str | None, events: Sequence[Event]) -> Decimal:
    if kind == "count_agg":
        return Decimal(len(events))
    told = [event.properties.get(field or "") for event in sorted(events, key=lambda e: e.at)]
    if kind == "unique_count_agg":
        return Decimal(len({str(value) for value in told if value is not None}))
    numbers = [_number(value) for value in told]
    if not numbers:
        return Decimal(0)
    if kind == "max_agg":
        return max(numbers)
    return numbers[-1] if kind == "latest_agg" else sum(numbers, Decimal(0))


def _number(value: Any) -> Decimal:
    try:
        return Decimal(str(value))
    except DecimalException:
        return Decimal(0)


def _written(units: Decimal) -> str:
    """Write as Ruby's BigDecimal does: a decimal at the least."""
    text = f"{units:f}".rstrip("0") if "." in f"{units:f}" else f"{units:f}."
    return f"{text}0" if text.endswith(".") else text


def _period(interval: str, zone: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the calendar period that contains `now`, whose edges are local midnights."""
    local = ZoneInfo(zone)
    today = now.astimezone(local).date()
    if interval == "weekly":
        first = today - timedelta(days=today.weekday())
        last = first + timedelta(days=7)
    else:
        months = _MONTHS[interval]
        month = (today.month - 1) // months * months
        first, last = _first(today.year, month), _first(today.year, month + months)
    return _midnight(first, local), _midnight(last, local)


def _first(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1)


def _midnight(day: date, local: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), local).astimezone(UTC)
