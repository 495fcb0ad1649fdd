from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tallystick.catalog.feature_model import Feature, FeatureKind, FeatureOverride
from tallystick.catalog.model import FeatureValue, PlanVersion
from tallystick.subscriptions.entitlements import Entitlement, entitle, with_use

AT = datetime(2026, 3, 1, tzinfo=UTC)


def feature(kind: FeatureKind = "boolean") -> Feature:
    meter = "calls" if kind == "metered" else None
    return Feature(
        feature_id=UUID(int=1), code="it", name="It", kind=kind, meter=meter, created_at=AT
    )


def plan(code: str, **features: FeatureValue) -> PlanVersion:
    return PlanVersion(
        plan_version_id=UUID(int=2), plan_id=UUID(int=3), plan_code=code, plan_name=code,
        version=1, currency="USD", interval="month", prices=(), created_at=AT, features=features,
    )  # fmt: skip


def given(value: FeatureValue, until: datetime | None = None) -> FeatureOverride:
    return FeatureOverride(feature="it", value=value, reason="r", until=until, set_at=AT)


def of(kind: FeatureKind, *plans: PlanVersion, own: Any = ()) -> Entitlement:
    [found] = entitle([feature(kind)], plans, own, AT)
    return found


@pytest.mark.parametrize(
    ("kind", "value", "allowed"),
    [
        ("boolean", True, True),
        ("boolean", False, False),
        ("number", "3", True),
        ("number", "0", False),
        ("number", None, True),
        ("text", "gold", True),
        ("metered", "0.5", True),
        ("metered", None, True),
    ],
)
def test_a_plan_gives_what_is_something(
    kind: FeatureKind, value: FeatureValue, *, allowed: bool
) -> None:
    found = of(kind, plan("pro", it=value))
    assert (found.allowed, found.value, found.plan) == (allowed, value, "pro")
    assert found.why == ("plan_gives" if allowed else "not_in_plan")


def test_without_a_plan_and_with_one_that_lacks_it_are_told_apart() -> None:
    assert (of("number").why, of("number").value) == ("no_plan", "0")
    assert of("text", plan("pro", other="1")).why == "not_in_plan"


def test_of_several_plans_the_best_one_counts() -> None:
    few, many, endless = plan("few", it="9"), plan("many", it="10"), plan("endless", it=None)
    assert of("number", few, many).plan == "many"
    assert of("number", few, endless, many).value is None
    assert of("boolean", plan("off", it=False), plan("on", it=True)).plan == "on"


def test_what_the_account_was_given_holds_before_its_plan() -> None:
    pro = plan("pro", it="10")
    found = of("number", pro, own=[given("3")])
    assert (found.value, found.origin, found.plan) == ("3", "account", None)
    assert of("number", pro, own=[given("0")]).why == "switched_off"


def test_what_was_given_runs_out_at_its_instant() -> None:
    pro, second = plan("pro", it="10"), timedelta(seconds=1)
    assert of("number", pro, own=[given("3", AT)]).value == "10"
    found = of("number", pro, own=[given("3", AT + second)])
    assert (found.value, found.until) == ("3", AT + second)


@pytest.mark.parametrize(
    ("limit", "used", "remaining", "why"),
    [
        ("10", "9.5", "0.5", "plan_gives"),
        ("10", "10", "0", "used_up"),
        ("10", "11", "0", "used_up"),
        (None, "11", None, "plan_gives"),
    ],
)
def test_a_metered_feature_is_there_while_anything_is_left(
    limit: str | None, used: str, remaining: str | None, why: str
) -> None:
    found = with_use(of("metered", plan("pro", it=limit)), Decimal(used), AT)
    assert found.remaining == (None if remaining is None else Decimal(remaining))
    assert (found.why, found.allowed) == (why, why == "plan_gives")
