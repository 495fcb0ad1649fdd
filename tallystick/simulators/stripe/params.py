"""What a route takes: each parameter's name with the kind that reads it.

A kind is a function from the raw text or nest and the parameter's full name (`card[number]`) to
its value; it raises StripeError in Stripe's words. Names that are not in the shape are refused.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tallystick.simulators.stripe.errors import (
    StripeError,
    invalid,
    missing_parameter,
    unknown_parameters,
)
from tallystick.simulators.stripe.form import Raw

Kind = Callable[[Raw, str], Any]
Shape = Mapping[str, Kind]

TEXT_MAX = 5000
METADATA_KEYS_MAX = 50
METADATA_KEY_MAX = 40
METADATA_VALUE_MAX = 500

_INTEGER = re.compile(r"-?[0-9]{1,15}\Z")


def read(shape: Shape, raw: Mapping[str, Raw], required: Sequence[str] = ()) -> dict[str, Any]:
    """Return the values of the parameters that were sent; refuse unknown and missing ones."""
    unknown = [name for name in raw if name not in shape]
    if unknown:
        raise unknown_parameters(unknown)
    for name in required:
        if name not in raw:
            raise missing_parameter(name)
    return {name: shape[name](value, name) for name, value in raw.items()}


def text(raw: Raw, name: str) -> str:
    """Read a text of at most 5,000 characters that may not be empty."""
    value = _plain(raw, name)
    if value == "":
        raise _empty(name)
    if len(value) > TEXT_MAX:
        raise invalid(f"Invalid string: {name} is longer than {TEXT_MAX} characters.", param=name)
    return value


def integer(raw: Raw, name: str) -> int:
    """Read a whole number."""
    value = _plain(raw, name)
    if value == "":
        raise _empty(name)
    if not _INTEGER.match(value):
        raise invalid(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
    return int(value)


def between(least: int, most: int) -> Kind:
    """Read a whole number within bounds, both included."""

    def read_bounded(raw: Raw, name: str) -> int:
        value = integer(raw, name)
        if not least <= value <= most:
            raise invalid(
                f"This value must be between {least} and {most}: {value}",
                code="parameter_invalid_integer",
                param=name,
            )
        return value

    return read_bounded


def boolean(raw: Raw, name: str) -> bool:
    """Read `true` or `false`."""
    value = _plain(raw, name)
    if value not in {"true", "false"}:
        raise invalid(f"Invalid boolean: {value}", param=name)
    return value == "true"


def clearable(kind: Kind) -> Kind:
    """Read an empty text as None: the field is unset. Otherwise as `kind`."""

    def read_clearable(raw: Raw, name: str) -> Any:
        return None if raw == "" else kind(raw, name)

    return read_clearable


def one_of(*values: str) -> Kind:
    """Read one of the named values."""

    def read_choice(raw: Raw, name: str) -> str:
        value = text(raw, name)
        if value not in values:
            allowed = " or ".join([", ".join(values[:-1]), values[-1]] if values[1:] else values)
            raise invalid(f"Invalid {name}: must be one of {allowed}", param=name)
        return value

    return read_choice


def either(first: Kind, second: Kind) -> Kind:
    """Read as `first`, and where that is refused as `second`."""

    def read_either(raw: Raw, name: str) -> Any:
        try:
            return first(raw, name)
        except StripeError:
            return second(raw, name)

    return read_either


def many(kind: Kind) -> Kind:
    """Read a list: a nest whose keys are numbers. An empty text is the empty list."""

    def read_many(raw: Raw, name: str) -> list[Any]:
        if raw == "":
            return []
        if isinstance(raw, str) or not all(key.isdecimal() for key in raw):
            raise invalid("Invalid array", param=name)
        ordered = sorted(raw, key=int)
        return [kind(raw[key], f"{name}[{place}]") for place, key in enumerate(ordered)]

    return read_many


def nest(shape: Shape, required: Sequence[str] = ()) -> Kind:
    """Read a nest with the given members; others are refused by their full name."""

    def read_nest(raw: Raw, name: str) -> dict[str, Any]:
        if isinstance(raw, str):
            raise invalid("Invalid object", param=name)
        unknown = [f"{name}[{key}]" for key in raw if key not in shape]
        if unknown:
            raise unknown_parameters(unknown)
        for key in required:
            if key not in raw:
                raise missing_parameter(f"{name}[{key}]")
        return {key: shape[key](value, f"{name}[{key}]") for key, value in raw.items()}

    return read_nest


def metadata(raw: Raw, name: str) -> dict[str, str] | None:
    """Read up to 50 pairs, keys to 40 and values to 500 characters; None unsets all of them.

    A pair with an empty value unsets its key (see `merged`).
    """
    if raw == "":
        return None
    if isinstance(raw, str):
        raise invalid("Invalid object", param=name)
    pairs = {key: _plain(value, f"{name}[{key}]") for key, value in raw.items()}
    for key, value in pairs.items():
        if len(key) > METADATA_KEY_MAX or len(value) > METADATA_VALUE_MAX:
            raise invalid(
                f"Metadata keys have up to {METADATA_KEY_MAX} characters and values up to "
                f"{METADATA_VALUE_MAX}; {name}[{key[:METADATA_KEY_MAX]}] has more.",
                param=name,
            )
    return pairs


def merged(old: Mapping[str, str], new: Mapping[str, str] | None) -> dict[str, str]:
    """Return the metadata after an update: empty values unset, None unsets everything."""
    if new is None:
        return {}
    pairs = {key: value for key, value in {**old, **new}.items() if value != ""}
    if len(pairs) > METADATA_KEYS_MAX:
        raise invalid(f"You can have up to {METADATA_KEYS_MAX} metadata keys.", param="metadata")
    return pairs


ADDRESS = nest(
    {
        name: clearable(text)
        for name in ("city", "country", "line1", "line2", "postal_code", "state")
    }
)
SHIPPING = nest(
    {"address": ADDRESS, "name": text, "phone": clearable(text)}, required=("address", "name")
)
CREATED = either(integer, nest({"gt": integer, "gte": integer, "lt": integer, "lte": integer}))
EXPAND: Shape = {"expand": many(text)}
PAGING: Shape = {"limit": integer, "starting_after": text, "ending_before": text}


def _plain(raw: Raw, name: str) -> str:
    if not isinstance(raw, str):
        raise invalid(f"Invalid string: {name} was sent as an object.", param=name)
    return raw


def _empty(name: str) -> StripeError:
    return invalid(
        f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset "
        f"a field; however '{name}' cannot be unset. You should remove '{name}' from your request "
        "or supply a non-empty value.",
        code="parameter_invalid_empty",
        param=name,
    )
