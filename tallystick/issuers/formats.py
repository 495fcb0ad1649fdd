r"""How numbers of documents look: a small template, and what makes it safe. Pure.

A template is letters, digits, `-`, `/`, `.` and `_` with these places in braces: `{number}` once,
or `{number:06}` for at least six digits; `{year}` or `{yyyy}`, `{mm}`; `{issuer}`, its code.

A series never makes one text twice: within it the number rises, every other place has one width, so
that the number can be read back from the text; and where it begins again with 1, what tells the
years or months apart stands in the text.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from tallystick.issuers.model import Numbered, NumberRule
from tallystick.kernel.errors import FieldError

FORMAT_LENGTH_MAX: Final = 60
DIGITS_MAX: Final = 12
TEST_PREFIX: Final = "TEST-"
"""Before the numbers of accounts on test clocks, which have series of their own."""
_PLACE: Final = re.compile(r"\{(?P<name>[a-z]+)(:0(?P<digits>[0-9]{1,2}))?\}")
_LITERAL: Final = re.compile(r"[A-Za-z0-9/._-]*")
_WIDTHS: Final = {"year": 4, "yyyy": 4, "mm": 2}
_FORMAT_MESSAGE: Final = (
    "may hold letters, digits, - / . _ and {number}, {number:06}, {year}, {mm}, {issuer}"
)
_YEARS: Final = frozenset({"year", "yyyy"})


def show_number(wanted: Numbered, number: int) -> str:
    """Return a number as printed: "INV-2026-000001"; it grows a digit after 999,999."""
    values = {
        "issuer": wanted.issuer.code,
        "year": f"{wanted.year:04d}",
        "yyyy": f"{wanted.year:04d}",
        "mm": f"{wanted.month:02d}",
    }

    def fill(place: re.Match[str]) -> str:
        if place["name"] == "number":
            return f"{number:0{int(place['digits'] or 1)}d}"
        return values[place["name"]]

    text = _PLACE.sub(fill, wanted.issuer.number_rule(wanted.kind).format)
    return f"{TEST_PREFIX}{text}" if wanted.is_test else text


def series_period(wanted: Numbered) -> str:
    """Return which stretch of time a series is for: "2026", "2026-03", or "" for all times."""
    reset = wanted.issuer.number_reset
    if reset == "never":
        return ""
    year = f"{wanted.year:04d}"
    return year if reset == "yearly" else f"{year}-{wanted.month:02d}"


def format_problems(field: str, rule: NumberRule, code: str) -> Iterator[FieldError]:
    """Yield what keeps a format from being used."""
    places = list(_PLACE.finditer(rule.format))
    names = [place["name"] for place in places]
    known = {*_WIDTHS, "issuer", "number"}
    is_plain = all(place["digits"] is None for place in places if place["name"] != "number")
    rest = _PLACE.sub("", rule.format)
    if not _LITERAL.fullmatch(rest) or not set(names) <= known or not is_plain:
        yield FieldError(field, "invalid_format", _FORMAT_MESSAGE)
    elif len(rule.format) > FORMAT_LENGTH_MAX:
        yield FieldError(field, "invalid_length", f"may have {FORMAT_LENGTH_MAX} characters")
    elif names.count("number") != 1:
        yield FieldError(field, "number_once", "must hold {number} once")
    elif any(int(place["digits"] or 1) not in range(1, DIGITS_MAX + 1) for place in places):
        yield FieldError(field, "out_of_range", f"may ask for 1 to {DIGITS_MAX} digits")
    elif rule.reset != "never" and not _YEARS & set(names):
        yield FieldError(field, "year_missing", "must hold {year}: numbers begin again")
    elif rule.reset == "monthly" and "mm" not in names:
        yield FieldError(field, "month_missing", "must hold {mm}: numbers begin again")
    elif rule.format.replace("{issuer}", code).upper().startswith(TEST_PREFIX):
        yield FieldError(field, "invalid_format", f"must not begin with {TEST_PREFIX}")


def can_collide(one: NumberRule, other: NumberRule, code: str) -> bool:
    """Tell whether numbers of two series of an issuer might read the same.

    They can not where the fixed texts before the first place, or behind the last one, differ. That
    asks for more than is needed, and whoever reads a number sees what it is.
    """
    head, tail = _fixed_ends(one.format, code)
    other_head, other_tail = _fixed_ends(other.format, code)
    by_head = head.startswith(other_head) or other_head.startswith(head)
    return by_head and (tail.endswith(other_tail) or other_tail.endswith(tail))


def continues(one: NumberRule, other: NumberRule) -> bool:
    """Tell whether the second rule goes on with the first one's numbers: only the width differs."""
    return _without_width(one) == _without_width(other)


def may_follow(new: NumberRule, former: Sequence[NumberRule], code: str) -> bool:
    """Tell whether a rule can take the place of those that numbers were given by."""
    return all(continues(new, old) or not can_collide(new, old, code) for old in former)


def _without_width(rule: NumberRule) -> NumberRule:
    text = re.sub(r"\{number:0[0-9]+\}", "{number}", rule.format).replace("{yyyy}", "{year}")
    return replace(rule, format=text)


def _fixed_ends(text: str, code: str) -> tuple[str, str]:
    named = text.replace("{issuer}", code)
    places = list(_PLACE.finditer(named))
    return named[: places[0].start()], named[places[-1].end() :]
