"""What a feature must be, and which values each kind of feature takes."""

import re
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Final, get_args

from tallystick.catalog.faults import NAME_LENGTH_MAX, raise_any, text_problems
from tallystick.catalog.feature_model import Feature, FeatureKind, NewFeature
from tallystick.catalog.model import FeatureValue
from tallystick.kernel.errors import FieldError
from tallystick.money.exact import canonical
from tallystick.pricing.bounds import quantity_problems

FEATURES_MAX: Final = 200
TEXT_LENGTH_MAX: Final = 200
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,64}(\.[0-9]{1,64})?")


def check_feature(new: NewFeature, meter_codes: Collection[str]) -> None:
    """Raise BadInput naming every field that can not be taken; `meter_codes` are those there."""
    raise_any(list(_feature_problems(new, meter_codes)))


def value_problems(field: str, kind: FeatureKind, value: FeatureValue) -> Iterator[FieldError]:
    """Yield what forbids the value for a feature of this kind."""
    if kind == "boolean":
        if not isinstance(value, bool):
            yield FieldError(field, "not_a_switch", "must be true or false")
    elif kind == "text":
        if isinstance(value, str):
            yield from text_problems(field, value, TEXT_LENGTH_MAX)
        else:
            yield FieldError(field, "invalid_text", "must be a text")
    elif value is not None:
        yield from _number_problems(field, value)


def normal_value(kind: FeatureKind, value: FeatureValue) -> FeatureValue:
    """Return the value as it is kept: numbers in their plain form, so that "10.0" is "10"."""
    if kind in {"number", "metered"} and isinstance(value, str):
        return f"{canonical(Decimal(value)):f}"
    return value


def feature_problems(
    given: Mapping[str, FeatureValue], known: Mapping[str, Feature]
) -> Iterator[FieldError]:
    """Yield what is wrong with what a plan or an add-on gives of the known features."""
    if len(given) > FEATURES_MAX:
        yield FieldError("features", "too_many", f"may be {FEATURES_MAX} at most")
    for code, value in given.items():
        if code in known:
            yield from value_problems(f"features.{code}", known[code].kind, value)
        else:
            yield FieldError(f"features.{code}", "feature_not_found", "there is no such feature")


def normal_values(
    given: Mapping[str, FeatureValue], known: Mapping[str, Feature]
) -> dict[str, FeatureValue]:
    """Return the values as they are kept, once there is no fault in them."""
    return {code: normal_value(known[code].kind, value) for code, value in given.items()}


def _number_problems(field: str, value: bool | str) -> Iterator[FieldError]:  # noqa: FBT001
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        yield from quantity_problems(field, Decimal(value))
    else:
        message = 'must be a string such as "25", or null for no limit'
        yield FieldError(field, "not_a_decimal_string", message)


def _feature_problems(new: NewFeature, meter_codes: Collection[str]) -> Iterator[FieldError]:
    if not _CODE.fullmatch(new.code):
        message = "must be 1 to 63 of a-z, 0-9 and _, a letter first"
        yield FieldError("code", "invalid_code", message)
    if new.name is not None:
        yield from text_problems("name", new.name, NAME_LENGTH_MAX)
    if new.kind not in get_args(FeatureKind):
        yield FieldError("kind", "invalid", "must be boolean, number, text or metered")
    if new.kind != "metered" and new.meter is not None:
        yield FieldError("meter", "unexpected", "is for features of the kind metered")
    elif new.kind == "metered" and new.meter is None:
        yield FieldError("meter", "missing", "say which meter counts the use")
    elif new.meter is not None and new.meter not in meter_codes:
        yield FieldError("meter", "meter_not_found", "there is no such meter")
