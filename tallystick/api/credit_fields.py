"""Decimals of requests about credits: strings, so that no client's number loses a digit."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final

from msgspec import Meta

from tallystick.api.fields import check_instant
from tallystick.credits.prices import NAME_LENGTH_MAX
from tallystick.credits.service import KEY_LENGTH_MAX, TEXT_LENGTH_MAX
from tallystick.kernel.errors import BadInput

_NUMBER_LENGTH_MAX: Final = 40
_DIGITS: Final = frozenset("0123456789")


def _like(pattern: str, description: str) -> Meta:
    return Meta(extra_json_schema={"pattern": pattern, "description": description})


Credits = Annotated[
    str,
    _like(
        r"^(0|[1-9][0-9]{0,10})\.[0-9]{0,4}[1-9]$|^[1-9][0-9]{0,11}$",
        "Credits above 0 as a decimal string, with up to 5 decimals.",
    ),
]
Adjustment = Annotated[
    str,
    _like(
        r"^-?((0|[1-9][0-9]{0,10})\.[0-9]{0,4}[1-9]|[1-9][0-9]{0,11})$",
        "Credits to add, or below 0 to take, as a decimal string.",
    ),
]
Used = Annotated[
    str,
    _like(
        r"^(0|[1-9][0-9]{0,17})\.[0-9]{0,11}[1-9]$|^[1-9][0-9]{0,17}$",
        "A quantity above 0 as a decimal string.",
    ),
]
Figure = Annotated[
    str,
    _like(r"^[0-9]{1,12}(\.[0-9]{1,12})?$", "A figure of a cost as a decimal string."),
]
Name = Annotated[
    str,
    Meta(
        extra_json_schema={
            "minLength": 1,
            "maxLength": TEXT_LENGTH_MAX,
            "pattern": r"^[\x20-\x7e]*[\x21-\x7e][\x20-\x7e]*$",
            "format": "single-line",
        }
    ),
]
CostName = Annotated[
    str,
    Meta(
        extra_json_schema={
            "minLength": 1,
            "maxLength": NAME_LENGTH_MAX,
            "pattern": r"^[\x20-\x7e]*[\x21-\x7e][\x20-\x7e]*$",
            "format": "single-line",
        }
    ),
]
Step = Annotated[
    str,
    _like(
        r"^0\.[0-9]{0,4}[1-9]$|^[1-9][0-9]{0,11}$",
        "Credits are rounded to a multiple of it; a decimal string.",
    ),
]
Text = Annotated[
    str,
    Meta(
        extra_json_schema={
            "maxLength": TEXT_LENGTH_MAX,
            "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$",
            "format": "single-line",
        }
    ),
]
Key = Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": KEY_LENGTH_MAX})]


def decimal(field: str, text: str) -> Decimal:
    """Return the number; raises BadInput naming the field for what is no plain decimal string."""
    whole, point, rest = text.removeprefix("-").partition(".")
    plain = bool(whole) and {*whole, *rest} <= _DIGITS and bool(point) == bool(rest)
    if not plain or len(text) > _NUMBER_LENGTH_MAX:
        raise BadInput.field(field, "not_a_decimal_string", 'must be a string such as "1.5".')
    return Decimal(text)


def optional_instant(field: str, at: datetime | None) -> datetime | None:
    """Return the instant, None for nothing; else as `fields.check_instant`."""
    return None if at is None else check_instant(field, at)


def optional_decimal(field: str, text: str | None) -> Decimal | None:
    """Return the number, None for nothing; else as `decimal`."""
    return None if text is None else decimal(field, text)
