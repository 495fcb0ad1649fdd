"""Refusals in a scenario: they name the place of the story that they are about."""

from collections.abc import Iterator
from contextlib import contextmanager

from tallystick.kernel.errors import BadInput, TallystickError
from tallystick.money.errors import MoneyError


@contextmanager
def named_place(place: str) -> Iterator[None]:
    """Let a refusal name the place in the scenario that it is about."""
    try:
        yield
    except (TallystickError, MoneyError) as error:
        if isinstance(error, TallystickError) and error.extra.get("is_named"):
            raise
        found = error.errors if isinstance(error, TallystickError) else ()
        lines = [f"{place}.{_short(fault.field)}: {fault.message}" for fault in found]
        text = "\n".join(lines) if lines else f"{place}: {error}"
        raise BadInput("step_refused", text, errors=found, extra={"is_named": True}) from error


def _short(field: str) -> str:
    """Return the scenario's word for a field of the catalogue."""
    return field.removeprefix("plan_")


@contextmanager
def renamed_field(before: str, after: str) -> Iterator[None]:
    """Let a refusal of the one field name the other."""
    try:
        yield
    except BadInput as error:
        if [fault.field for fault in error.errors] != [before]:
            raise
        fault = error.errors[0]
        raise BadInput.field(after, fault.code, fault.message) from error


@contextmanager
def as_steps(first: int) -> Iterator[None]:
    """Let `events[2].data.n` of a batch be the third step from `first` on."""
    try:
        yield
    except TallystickError as error:
        lines = [f"{_step_path(fault.field, first)}: {fault.message}" for fault in error.errors]
        text = "\n".join(lines) or f"steps[{first}]: {error}"
        raise BadInput("step_refused", text, extra={"is_named": True}) from error


def _step_path(field: str, first: int) -> str:
    head, _, rest = field.partition("]")
    number = first + int(head.removeprefix("events["))
    return f"steps[{number}]{rest}"
