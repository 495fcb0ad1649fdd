"""What a catalogue is, as one value, and what would change if another one took its place. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec
from msgspec.structs import replace

from tallystick.catalog.currencies import by_currency
from tallystick.catalog.feature_model import Feature, NewFeature
from tallystick.catalog.limits import all_limits
from tallystick.catalog.model import Meter, NewMeter, NewPlanVersion, PlanVersion
from tallystick.catalog.offer_model import AddOn, Coupon, NewAddOn, NewCoupon
from tallystick.money.exact import plain

Kind = Literal["meter", "feature", "plan", "add_on", "coupon"]
Action = Literal["add", "new_version", "rename"]
_NOTHING: Final = "(nothing)"


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    """All that is counted and sold, without what only drafts and the past have."""

    meters: tuple[NewMeter, ...] = ()
    features: tuple[NewFeature, ...] = ()
    plans: tuple[NewPlanVersion, ...] = ()
    add_ons: tuple[NewAddOn, ...] = ()
    coupons: tuple[NewCoupon, ...] = ()


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that becomes another; `details` are lines such as `trial_days: 0 -> 14`."""

    kind: Kind
    code: str
    action: Action
    details: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What changes, and what is there without being in the file: that stays as it is."""

    changes: tuple[Change, ...]
    unlisted: tuple[tuple[Kind, str], ...]


def details(before: msgspec.Struct, after: msgspec.Struct) -> tuple[str, ...]:
    """Return a line for each field that differs, however deep, with both values."""
    was, now = dict(_leaves("", _texts(before))), dict(_leaves("", _texts(after)))
    return tuple(
        f"{path}: {was.get(path, _NOTHING)} -> {now.get(path, _NOTHING)}"
        for path in {**was, **now}
        if was.get(path, _NOTHING) != now.get(path, _NOTHING)
    )


def as_plan(sold: PlanVersion) -> NewPlanVersion:
    """Return what was asked of a version."""
    same = {name: getattr(sold, name) for name in NewPlanVersion.__struct_fields__}
    return ordered(NewPlanVersion(**{**same, "prices": (*sold.prices, *sold.prices_elsewhere)}))


def ordered(new: NewPlanVersion) -> NewPlanVersion:
    """Return the same in the one form in which two versions can be compared.

    Prices by currency, the plan's own first; limits written out.
    """
    sold = by_currency(new.currency, new.prices)
    prices = tuple(price for priced in sold.values() for price in priced)
    return replace(new, prices=prices, limits=all_limits(new.limits))


def as_meter(meter: Meter) -> NewMeter:
    """Return what was asked of a meter, its defaults written out."""
    return NewMeter(**{name: getattr(meter, name) for name in NewMeter.__struct_fields__})


def as_feature(feature: Feature) -> NewFeature:
    """Return what was asked of a feature."""
    return NewFeature(**{name: getattr(feature, name) for name in NewFeature.__struct_fields__})


def as_add_on(sold: AddOn) -> NewAddOn:
    """Return what was asked of an add-on."""
    return NewAddOn(**{name: getattr(sold, name) for name in NewAddOn.__struct_fields__})


def as_coupon(sold: Coupon) -> NewCoupon:
    """Return what was asked of a coupon."""
    return NewCoupon(**{name: getattr(sold, name) for name in NewCoupon.__struct_fields__})


def written(catalog: Catalog) -> dict[str, list[dict[str, Any]]]:
    """Return the catalogue as the file has it: decimals as strings, fields as the API names them.

    What is None by default is left out, so that a price shows what it says and no more.
    """
    told: dict[str, list[dict[str, Any]]] = _texts(catalog)
    for plan in told["plans"]:
        plan["code"], plan["name"] = plan.pop("plan_code"), plan.pop("plan_name")
        plan["prices"] = [_without_none(price) for price in plan["prices"]]
    return {kind: [_without_none(one) for one in told[kind]] for kind in told}


def _without_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is None at the top; deeper, null has a meaning (a tier without an end)."""
    return {name: value for name, value in fields.items() if value is not None}


def _texts(value: object) -> Any:
    """Write structs as JSON, each decimal as digits and never an exponent."""
    return _plain(msgspec.to_builtins(value, builtin_types=(Decimal,)))


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield every value with its path; a price, or what else has a code, is named by that."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(f"{path}.{name}" if path else name, inner)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _leaves(f"{path}[{_place(value, at)}]", inner)
    elif value is not None:
        yield path, str(value).lower() if isinstance(value, bool) else str(value)


def _place(values: Sequence[Any], at: int) -> str:
    one = values[at]
    if isinstance(one, dict) and one.get("code"):
        return " ".join(filter(None, [one["code"], one.get("currency")]))
    return str(at)
