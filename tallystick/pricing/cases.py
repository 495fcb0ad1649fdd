"""Cases of a price and its usage as JSON lines: what `tallystick rate` reads and answers.

Each line is rated for itself, and none stops the others. Numbers are exact whether they are
written as strings or as JSON numbers: no float is made of them.
"""

from collections.abc import Iterator
from decimal import Decimal, DecimalException
from typing import Any, BinaryIO, Final

import msgspec
from msgspec.structs import replace

from tallystick.kernel.errors import BadInput, FieldError, TallystickError
from tallystick.money.errors import MoneyError
from tallystick.money.exact import plain
from tallystick.money.text import show_decimal
from tallystick.pricing.explain import explain
from tallystick.pricing.filters import price_for
from tallystick.pricing.minimum import bounded
from tallystick.pricing.model import ZERO, Price, Rated
from tallystick.pricing.rate import rate
from tallystick.pricing.read_usage import read_properties, read_usage
from tallystick.pricing.validate import read_price

LINE_BYTES_MAX: Final = 16 * 1024 * 1024
"""A million events of a percentage fit in."""
_NUMBER_CHARS_MAX: Final = 80
_KEYS: Final = ("id", "price", "usage")


class CaseError(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a line has no amount: a stable code, a sentence, and the fields that are wrong."""

    code: str
    message: str
    errors: tuple[FieldError, ...] = ()


class Answer(msgspec.Struct, frozen=True):
    """One line's answer as JSON, and whether it has an amount."""

    text: bytes
    is_rated: bool


def answers(lines: BinaryIO, locale: str | None = None) -> Iterator[Answer]:
    """Yield the answer to each line, in order, as soon as it is read; blank lines have none.

    With a locale each answer has sentences too (`explanation`). Raises UnknownLocale.
    """
    if locale is not None:
        show_decimal(ZERO, locale)  # else each line would say that there is no such locale
    while line := lines.readline(LINE_BYTES_MAX + 1):
        if len(line) > LINE_BYTES_MAX:
            _skip(lines, line)
            message = f"a line may have {LINE_BYTES_MAX} bytes at most."
            yield _refusal(None, CaseError("line_too_long", message))
        elif line.strip():
            yield _answer(line, locale)


def rated_case(price: Price, usage: Any) -> Rated:
    """Return what a case costs: the price of the filter that its properties match, and bounds.

    Raises BadInput with paths such as `usage.events[3]`.
    """
    try:
        part = price_for(price, read_properties(usage))
        return bounded(price, rate(part, read_usage(usage, part)))
    except BadInput as error:
        raise _under("usage", error) from error


def _answer(line: bytes, locale: str | None) -> Answer:
    case_id = None
    try:
        parts = _parts(line)
        case_id = _case_id(parts)
        _refuse_others(parts)
        rated = rated_case(_price(_value(parts, "price")), _value(parts, "usage"))
        shown = {"id": case_id, **_texts(rated)}
        if locale is not None:
            shown["explanation"] = explain(rated, locale)
        return Answer(msgspec.json.encode(shown), is_rated=True)
    except MoneyError as error:
        return _refusal(case_id, CaseError(error.code, error.detail))
    except TallystickError as error:
        return _refusal(case_id, CaseError(error.code, error.detail, error.errors))


def _parts(line: bytes) -> dict[str, msgspec.Raw]:
    """Return the fields of a line, unread: one that can not be read leaves the id readable."""
    try:
        return _PARTS.decode(line)
    except msgspec.ValidationError as error:
        message = "must be an object with id, price and usage."
        raise BadInput.field("case", "malformed", message) from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadInput("malformed_json", f"the line is not JSON: {_short(error)}.") from error


def _value(parts: dict[str, msgspec.Raw], name: str) -> Any:
    """Return a field with exact numbers, None where it is absent. Raises BadInput."""
    if name not in parts:
        return None
    try:
        return _VALUE.decode(parts[name])
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadInput.field(name, "malformed", f"can not be read: {_short(error)}.") from error


def _case_id(parts: dict[str, msgspec.Raw]) -> str | int | None:
    case_id = _value(parts, "id")
    if case_id is None or isinstance(case_id, str | int):
        return case_id
    raise BadInput.field("id", "malformed", "must be a string or a whole number.")


def _refuse_others(parts: dict[str, msgspec.Raw]) -> None:
    for name in parts:
        if name not in _KEYS:
            raise BadInput.field(name[:80], "unknown_field", "is not a field of a case.")


def _price(data: Any) -> Price:
    if data is None:
        raise BadInput.field("price", "missing", "say what price is to be rated.")
    try:
        return read_price(data, exact_numbers=True)
    except BadInput as error:
        raise _under("price", error) from error


def _number(text: str) -> Decimal:
    """Read a JSON number with a point or an exponent; how large it may be is said by its field."""
    try:
        number = Decimal(text)
    except DecimalException as error:
        raise ValueError("a number is out of range") from error
    if len(text) > _NUMBER_CHARS_MAX:
        raise ValueError(f"a number may have {_NUMBER_CHARS_MAX} characters")
    return number


_PARTS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_VALUE: Final = msgspec.json.Decoder(float_hook=_number)


def _texts(value: Any) -> Any:
    """Return JSON values with each decimal as plain digits, and never 1E-7."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, msgspec.Struct):
        return _texts(msgspec.to_builtins(value, builtin_types=(Decimal,)))
    if isinstance(value, dict):
        return {name: _texts(inner) for name, inner in value.items()}
    return [_texts(inner) for inner in value] if isinstance(value, list | tuple) else value


def _under(place: str, error: BadInput) -> BadInput:
    """Return the error with its fields' paths seen from the whole case."""
    found = [
        fault if fault.field == place else replace(fault, field=f"{place}.{fault.field}")
        for fault in error.errors
    ]
    detail = f"{found[0].field}: {found[0].message}" if found else error.detail
    return BadInput(error.code, detail, errors=found)


def _refusal(case_id: str | int | None, error: CaseError) -> Answer:
    return Answer(msgspec.json.encode({"id": case_id, "error": error}), is_rated=False)


def _skip(lines: BinaryIO, read: bytes) -> None:
    while read and not read.endswith(b"\n"):
        read = lines.readline(LINE_BYTES_MAX)


def _short(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__
