"""Customers, billable metrics, plans and subscriptions, as far as usage needs them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tallystick.simulators.lago.errors import Json, invalid, not_found, unsupported
from tallystick.simulators.lago.paging import paged
from tallystick.simulators.lago.state import State, given, new_id, shown

AGGREGATIONS: Final = frozenset(
    {"count_agg", "sum_agg", "max_agg", "latest_agg", "unique_count_agg"}
)
INTERVALS: Final = frozenset({"weekly", "monthly", "quarterly", "yearly"})
MANDATORY: Final = ["value_is_mandatory"]


def save_customer(state: State, body: Any) -> Json:
    """POST /customers: makes or changes the one of this external id."""
    told = given(body, "customer")
    name = _needed(told, "external_id")
    try:
        ZoneInfo(told.get("timezone", "UTC"))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise invalid({"timezone": ["value_is_invalid"]}) from error
    before = state.customers.get(name) or {
        "lago_id": new_id(),
        "created_at": shown(state.now()),
        "timezone": "UTC",
        "currency": None,
        "billing_configuration": {},
        "metadata": [],
    }
    kept = {**before, **told, "updated_at": shown(state.now())}
    state.customers[name] = {**kept, "applicable_timezone": kept["timezone"]}
    return {"customer": state.customers[name]}


def read_customer(state: State, name: str) -> Json:
    """GET /customers/{external_id}."""
    return {"customer": state.found(state.customers, name, "customer")}


def delete_customer(state: State, name: str) -> Json:
    """DELETE /customers/{external_id}: its subscriptions end with it."""
    customer = state.found(state.customers, name, "customer")
    del state.customers[name]
    for subscription in state.subscriptions.values():
        if subscription["external_customer_id"] == name:
            subscription["status"] = "terminated"
    return {"customer": customer}


def save_metric(state: State, body: Any) -> Json:
    """POST /billable_metrics."""
    told = given(body, "billable_metric")
    code, kind = _needed(told, "code"), _needed(told, "aggregation_type")
    if code in state.metrics:
        raise invalid({"code": ["value_already_exist"]})
    if kind not in AGGREGATIONS or told.get("recurring") or told.get("expression"):
        raise unsupported(f"this billable metric ({kind})")
    if kind != "count_agg":
        _needed(told, "field_name")
    state.metrics[code] = {
        "lago_id": new_id(),
        "name": code,
        "description": None,
        "recurring": False,
        "rounding_function": None,
        "rounding_precision": None,
        "weighted_interval": None,
        "expression": None,
        "field_name": None,
        "created_at": shown(state.now()),
        **told,
        "filters": told.get("filters") or [],
    }
    return {"billable_metric": state.metrics[code]}


def read_metric(state: State, code: str) -> Json:
    """GET /billable_metrics/{code}."""
    return {"billable_metric": state.found(state.metrics, code, "billable_metric")}


def read_metrics(state: State, query: Mapping[str, str]) -> Json:
    """GET /billable_metrics."""
    return paged("billable_metrics", list(state.metrics.values()), query)


def save_plan(state: State, body: Any) -> Json:
    """POST /plans: charges of the model `standard` alone."""
    told = given(body, "plan")
    code, interval = _needed(told, "code"), _needed(told, "interval")
    if code in state.plans:
        raise invalid({"code": ["value_already_exist"]})
    if interval not in INTERVALS:
        raise unsupported(f"the interval {interval}")
    charges = [_charge(state, charge) for charge in told.get("charges") or ()]
    state.plans[code] = {
        "lago_id": new_id(),
        "name": code,
        "created_at": shown(state.now()),
        "amount_cents": 0,
        "amount_currency": "USD",
        "pay_in_advance": False,
        **told,
        "charges": charges,
        "taxes": [],
    }
    return {"plan": state.plans[code]}


def read_plan(state: State, code: str) -> Json:
    """GET /plans/{code}."""
    return {"plan": state.found(state.plans, code, "plan")}


def save_subscription(state: State, body: Any) -> Json:
    """POST /subscriptions: begins one, or puts the one of this external id on another plan."""
    told = given(body, "subscription")
    customer = _needed(told, "external_customer_id")
    name, plan = _needed(told, "external_id"), _needed(told, "plan_code")
    if customer not in state.customers:
        save_customer(state, {"customer": {"external_id": customer}})
    if plan not in state.plans:
        raise not_found("plan")
    begun = told.get("subscription_at") or shown(state.now(), "microseconds")
    before = state.subscriptions.get(name)
    if before and before["status"] == "active":
        before["plan_code"] = plan
    else:
        state.subscriptions[name] = {
            "lago_id": new_id(),
            "lago_customer_id": state.customers[customer]["lago_id"],
            "billing_time": "calendar",
            "status": "active",
            "created_at": shown(state.now()),
            "started_at": begun,
            "subscription_at": begun,
            "terminated_at": None,
            **told,
        }
    return {"subscription": state.subscriptions[name]}


def read_subscription(state: State, name: str) -> Json:
    """GET /subscriptions/{external_id}."""
    return {"subscription": state.found(state.subscriptions, name, "subscription")}


def end_subscription(state: State, name: str) -> Json:
    """DELETE /subscriptions/{external_id}: it ends now."""
    subscription = state.found(state.subscriptions, name, "subscription")
    subscription["status"] = "terminated"
    subscription["terminated_at"] = shown(state.now())
    return {"subscription": subscription}


def started_at(subscription: Json) -> datetime:
    """Return when a subscription began."""
    return datetime.fromisoformat(subscription["started_at"])


def _charge(state: State, told: Json) -> Json:
    model = told.get("charge_model", "standard")
    metrics = {metric["lago_id"]: metric for metric in state.metrics.values()}
    metric = metrics.get(told.get("billable_metric_id", ""))
    if metric is None:
        raise invalid({"billable_metrics": ["value_is_invalid"]})
    if model != "standard" or told.get("filters"):
        raise unsupported(f"charges of the model {model}, or with filters")
    return {
        "lago_id": new_id(),
        "lago_billable_metric_id": metric["lago_id"],
        "billable_metric_code": metric["code"],
        "code": told.get("code") or metric["code"],
        "invoice_display_name": told.get("invoice_display_name"),
        "created_at": shown(state.now()),
        "charge_model": model,
        "properties": told.get("properties") or {"amount": "0"},
        "filters": [],
        "taxes": [],
    }


def _needed(told: Json, name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str) or not value:
        raise invalid({name: MANDATORY})
    return value
