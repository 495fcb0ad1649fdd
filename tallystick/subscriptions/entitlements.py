"""What an account may do: what its plan gives of each feature, or what it was given instead. Pure.

The rules: what was given to the account holds before what its plan gives, until it runs out; of
several plans each feature is as good as in the best of them, with its add-ons; nothing is given
without being said.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from tallystick.catalog.feature_model import Feature, FeatureKind, FeatureOverride
from tallystick.catalog.model import FeatureValue, PlanVersion
from tallystick.money.exact import add, multiply, plain, subtract
from tallystick.subscriptions.model import AttachedAddOn

Origin = Literal["plan", "account", "nothing"]
Why = Literal[
    "plan_gives", "account_was_given", "no_plan", "not_in_plan", "switched_off", "used_up"
]
ZERO: Final = Decimal(0)
SENTENCES: Final[Mapping[Why, str]] = MappingProxyType(
    {
        "plan_gives": "The plan includes it.",
        "account_was_given": "It was given to the account, whatever its plan says.",
        "no_plan": "The account has no subscription; subscribe to a plan that includes it.",
        "not_in_plan": "The plan does not include it; change to a plan that does.",
        "switched_off": "It was switched off for the account.",
        "used_up": "What is included in this billing period is used up.",
    }
)


class Entitlement(msgspec.Struct, frozen=True, kw_only=True):
    """How an account stands with a feature; of a metered one, what is `used` in the period too.

    `value` None: without a limit, where something is given at all. `plan` is the code of the plan
    that gives it, `until` when what the account was given runs out, `resets_at` the period's end.
    """

    feature: Feature
    allowed: bool
    why: Why
    origin: Origin
    value: FeatureValue
    plan: str | None = None
    until: datetime | None = None
    used: Decimal | None = None
    resets_at: datetime | None = None

    @property
    def remaining(self) -> Decimal | None:
        """What is left of a metered feature; None: there is no limit, or it is not metered."""
        if self.used is None or not isinstance(self.value, str):
            return None
        return max(subtract(Decimal(self.value), self.used), ZERO)


def entitle(
    features: Sequence[Feature],
    plans: Sequence[PlanVersion],
    overrides: Sequence[FeatureOverride],
    at: datetime,
) -> tuple[Entitlement, ...]:
    """Return what the account has of each feature at `at`, before anything is used of it."""
    own = {one.feature: one for one in overrides if one.until is None or at < one.until}
    return tuple(
        _given(feature, own[feature.code]) if feature.code in own else _of_plans(feature, plans)
        for feature in features
    )


def with_add_ons(
    plan: PlanVersion, add_ons: Sequence[AttachedAddOn], kinds: Mapping[str, FeatureKind]
) -> PlanVersion:
    """Return the plan with what add-ons give besides, as often as they were bought.

    Numbers add up: 10 projects of the plan and 2 add-ons of 5 are 20. Of the rest the better holds.
    """
    given = dict(plan.features)
    for add_on in add_ons:
        for code, value in add_on.features.items():
            if code in kinds:
                was = given.get(code, _none(kinds[code]))
                given[code] = _more(kinds[code], was, value, add_on.quantity)
    return msgspec.structs.replace(plan, features=given)


def _more(kind: FeatureKind, was: FeatureValue, more: FeatureValue, quantity: int) -> FeatureValue:
    if more is None or was is None:
        return None
    if kind in {"number", "metered"}:
        return plain(add(Decimal(str(was)), multiply(Decimal(str(more)), Decimal(quantity))))
    return more if _rank(kind, more) > _rank(kind, was) else was


def with_use(one: Entitlement, used: Decimal, resets_at: datetime) -> Entitlement:
    """Return a metered entitlement with what is used: allowed while anything is left."""
    counted = msgspec.structs.replace(one, used=used, resets_at=resets_at)
    if one.allowed and counted.remaining == ZERO:
        return msgspec.structs.replace(counted, allowed=False, why="used_up")
    return counted


def _given(feature: Feature, own: FeatureOverride) -> Entitlement:
    is_on = _is_something(feature.kind, own.value)
    return Entitlement(
        feature=feature,
        allowed=is_on,
        why="account_was_given" if is_on else "switched_off",
        origin="account",
        value=own.value,
        until=own.until,
    )


def _of_plans(feature: Feature, plans: Sequence[PlanVersion]) -> Entitlement:
    best = max(_offers(feature, plans), key=lambda offer: offer[0], default=None)
    if best is None:
        why: Why = "not_in_plan" if plans else "no_plan"
        return Entitlement(
            feature=feature, allowed=False, why=why, origin="nothing", value=_none(feature.kind)
        )
    _, value, plan = best
    is_on = _is_something(feature.kind, value)
    return Entitlement(
        feature=feature,
        allowed=is_on,
        why="plan_gives" if is_on else "not_in_plan",
        origin="plan",
        value=value,
        plan=plan,
    )


def _offers(
    feature: Feature, plans: Sequence[PlanVersion]
) -> Iterator[tuple[Decimal, FeatureValue, str]]:
    """Yield what each plan gives, with how much that is; of equal ones the first is the best."""
    for plan in plans:
        if feature.code in plan.features:
            value = plan.features[feature.code]
            yield _rank(feature.kind, value), value, plan.plan_code


def _rank(kind: FeatureKind, value: FeatureValue) -> Decimal:
    if value is None:
        return Decimal("Infinity")
    if kind in {"number", "metered"} and isinstance(value, str):
        return Decimal(value)
    return Decimal(int(bool(value)))


def _is_something(kind: FeatureKind, value: FeatureValue) -> bool:
    return _rank(kind, value) > ZERO


def _none(kind: FeatureKind) -> FeatureValue:
    """Return what stands for nothing: null would be without a limit."""
    if kind == "boolean":
        return False
    return "" if kind == "text" else "0"
