"""What a rule and a budget must be; all faults are told at once. Pure."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from tallystick.alerts.model import NewBudget, NewRule, Unit, Watch
from tallystick.catalog.faults import NAME_LENGTH_MAX, text_problems
from tallystick.kernel.errors import BadInput, Conflict, FieldError
from tallystick.money.exact import canonical

RULES_MAX: Final = 50
BUDGETS_MAX: Final = 20
THRESHOLDS_MAX: Final = 20
PERCENT_MAX: Final = 10_000
AMOUNT_MAX: Final = Decimal(10**15)
DECIMALS_MAX: Final = 12
_UNITS: Final[dict[Watch, tuple[Unit, ...]]] = {
    "meter": ("percent", "quantity"),
    "spend": ("cents",),
    "credits": ("percent", "credits_left"),
}
_DECIMALS: Final[dict[Unit, int]] = {
    "percent": 2, "quantity": DECIMALS_MAX, "cents": 0, "credits_left": 5,
}  # fmt: skip


def rule_faults(new: NewRule) -> Iterator[FieldError]:
    """Yield what forbids a rule, whatever the account has."""
    yield from text_problems("name", new.name, NAME_LENGTH_MAX)
    yield from _meter_faults(new.watch, new.meter)
    if new.unit not in _UNITS[new.watch]:
        fitting = " or ".join(_UNITS[new.watch])
        yield FieldError("unit", "unit_does_not_fit", f"of {new.watch} must be {fitting}")
    else:
        yield from threshold_faults("thresholds", new.thresholds, new.unit)


def budget_faults(new: NewBudget) -> Iterator[FieldError]:
    """Yield what forbids a budget, whatever the account has."""
    yield from text_problems("name", new.name, NAME_LENGTH_MAX)
    if new.watch == "credits":
        yield FieldError("watch", "unit_does_not_fit", "of a budget must be meter or spend")
    yield from _meter_faults(new.watch, new.meter)
    unit: Unit = "cents" if new.watch == "spend" else "quantity"
    yield from _number_faults("amount", new.amount, unit)
    if not (new.actual_percents or new.forecast_percents):
        message = "say at which percents to tell, of what is used or of the forecast"
        yield FieldError("actual_percents", "missing", message)
    for field in ("actual_percents", "forecast_percents"):
        percents: Sequence[Decimal] = getattr(new, field)
        if percents:
            yield from threshold_faults(field, percents, "percent")


def threshold_faults(field: str, thresholds: Sequence[Decimal], unit: Unit) -> Iterator[FieldError]:
    """Yield what forbids a list of thresholds of this unit."""
    if not 1 <= len(thresholds) <= THRESHOLDS_MAX:
        yield FieldError(field, "too_many", f"must be 1 to {THRESHOLDS_MAX}")
        return
    if len(set(thresholds)) < len(thresholds):
        yield FieldError(field, "repeated", "may name each threshold once")
    for at, threshold in enumerate(thresholds):
        yield from _number_faults(f"{field}[{at}]", threshold, unit)


def ascending(thresholds: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """Return thresholds as they are kept: in order, each in its one form."""
    return tuple(sorted(canonical(one) for one in thresholds))


def refuse(faults: Sequence[FieldError]) -> None:
    """Raise BadInput with all faults, if there is any."""
    if faults:
        detail = f"{faults[0].field}: {faults[0].message}"
        raise BadInput("validation_failed", detail, errors=list(faults))


def too_many(what: str, most: int) -> Conflict:
    """Return the error for one more than an account may have."""
    return Conflict(
        "too_many_alerts", f"An account may have {most} {what}; delete one that is not needed."
    )


def _meter_faults(watch: Watch, meter: str | None) -> Iterator[FieldError]:
    if watch == "meter" and meter is None:
        yield FieldError("meter", "missing", "name the meter that is watched")
    if watch != "meter" and meter is not None:
        yield FieldError("meter", "unexpected", f"does not belong to {watch}")


def _number_faults(field: str, value: Decimal, unit: Unit) -> Iterator[FieldError]:
    most = Decimal(PERCENT_MAX) if unit == "percent" else AMOUNT_MAX
    least_allowed = unit == "credits_left"
    if not (0 <= value <= most) or (value == 0 and not least_allowed):
        bound = "from 0" if least_allowed else "above 0 and"
        yield FieldError(field, "out_of_range", f"must be {bound} up to {most}")
        return
    exponent = canonical(value).as_tuple().exponent
    if isinstance(exponent, int) and -exponent > _DECIMALS[unit]:
        message = f"may have {_DECIMALS[unit]} decimals at most"
        yield FieldError(field, "too_many_decimals", message)
