"""Money as people write it: read strictly in one locale, shown exactly in another.

Babel knows how a locale writes numbers; ISO 4217 says how many decimals a currency has. Three of
Babel's habits are kept out: its own currency decimals (MGA), its conversion of what it is given
through float or str, and its rounding to the ambient decimal context. Digits are always 0-9, as
invoices and payment pages write them in every locale.
"""

import re
from decimal import Decimal
from functools import lru_cache

import msgspec
from babel import Locale
from babel.core import UnknownLocaleError
from babel.numbers import NumberPattern, get_currency_symbol, parse_pattern

from tallystick.money.amount import Money
from tallystick.money.currency import Currency
from tallystick.money.currency import currency as look_up
from tallystick.money.errors import BadAmount, UnknownLocale
from tallystick.money.exact import canonical, exact_context

TEXT_CHARS_MAX = 64
LOCALES_CACHED_MAX = 64  # locales come from requests, so what is remembered is bounded

_SPACES = str.maketrans(dict.fromkeys("\u00a0\u202f\u2009\t", " "))
_BIDI_MARKS = str.maketrans(dict.fromkeys("\u200e\u200f\u061c"))
_CODE_AND_DIGIT = re.compile(
    "([A-Z])([0-9])"
)  # "KWD1.234": CLDR wants a space there, Babel forgets
_MINUS = "-\u2212"


class _Style(msgspec.Struct, frozen=True):
    """How one locale writes a number."""

    locale: Locale
    currency_pattern: str
    decimal_pattern: str
    decimal: str
    group: str
    whole_grouped: re.Pattern[str]


def parse_money(text: str, currency: str, locale: str) -> Money:
    """Read an amount as people of this locale write it: "1.234,56" (de), "-$1,234.56" (en).

    The currency's code or its symbol in the locale may stand on either side. Grouping may be left
    out; where it is used it must be the locale's. A lone group in a currency of three decimals is
    refused: "1,234" KWD in English may be 1 dinar 234 fils or 1234 dinars.

    Raises BadAmount (amount_malformed, amount_ambiguous, too_many_decimals, amount_too_large),
    UnknownCurrency, UnknownLocale.
    """
    unit, style = look_up(currency), _style(locale)
    if len(text) > TEXT_CHARS_MAX:
        raise BadAmount(f"An amount has at most {TEXT_CHARS_MAX} characters.")
    negative, number = _without_sign(_without_unit(_tidy(text), unit, style))
    whole, point, fraction = number.partition(style.decimal)
    if not whole or bool(point) != bool(fraction):
        raise _malformed(style)
    digits = _whole_digits(whole, fraction, unit, style)
    if fraction and not re.fullmatch("[0-9]+", fraction):
        raise _malformed(style)
    if len(fraction) > unit.exponent:
        raise BadAmount(
            f"{unit.code} has {unit.exponent} decimals; the amount has more.",
            code="too_many_decimals",
        )
    minor = int(digits + fraction.ljust(unit.exponent, "0"))
    return Money(-minor if negative else minor, unit.code)


def show_money(amount: Money, locale: str) -> str:
    """Write an amount with all decimals of its currency: "1.234,56 €" (de), "¥1,235" (en)."""
    return show_price(amount.to_decimal(), amount.currency, locale)


def show_price(amount: Decimal, currency: str, locale: str) -> str:
    """Write an exact amount of major units, with more decimals than the currency where it has them.

    `Decimal("0.000125")` USD is "$0.000125" and `Decimal("5")` is "$5.00".
    """
    unit, style = look_up(currency), _style(locale)
    decimals = "." + "0" * unit.exponent if unit.exponent else ""
    pattern = parse_pattern(style.currency_pattern.replace("0.00", f"0{decimals}"))
    return _CODE_AND_DIGIT.sub("\\1\u00a0\\2", _apply(pattern, amount, style, unit.code))


def show_decimal(value: Decimal, locale: str) -> str:
    """Write a quantity with all the decimals that it has: "1.234,5" (de)."""
    style = _style(locale)
    return _apply(parse_pattern(style.decimal_pattern), value, style, None)


def _apply(pattern: NumberPattern, value: Decimal, style: _Style, code: str | None) -> str:
    number = canonical(value)
    with exact_context():
        shown: str = pattern.apply(
            number, style.locale, currency=code, currency_digits=False, decimal_quantization=False
        )
    return shown


@lru_cache(maxsize=LOCALES_CACHED_MAX)
def _style(name: str) -> _Style:
    try:
        locale = Locale.parse(name.replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError) as error:
        raise UnknownLocale(
            f"{name[:32]!r} is not a known locale; send one such as de-DE."
        ) from error
    pattern = locale.currency_formats["standard"]
    group = _tidy(locale.number_symbols["latn"]["group"]) or " "
    return _Style(
        locale=locale,
        currency_pattern=pattern.pattern,
        decimal_pattern=locale.decimal_formats[None].pattern,
        decimal=locale.number_symbols["latn"]["decimal"],
        group=group,
        whole_grouped=_grouped(group, pattern.grouping),
    )


def _grouped(group: str, sizes: tuple[int, int]) -> re.Pattern[str]:
    """Return the form of a grouped whole number: 1,234,567, or 12,34,567 where groups are of two.

    It can not begin with a zero: nobody writes 0,123 and means 123.
    """
    last, others = sizes
    mark = re.escape(group)
    return re.compile(
        f"[1-9][0-9]{{0,{others - 1}}}({mark}[0-9]{{{others}}})*{mark}[0-9]{{{last}}}"
    )


def _tidy(text: str) -> str:
    """Return the text with one kind of space and of apostrophe, without direction marks."""
    return text.translate(_BIDI_MARKS).translate(_SPACES).replace("\u2019", "'").strip(" ")


def _without_unit(text: str, unit: Currency, style: _Style) -> str:
    """Take the currency's code or symbol off one end, also from between a sign and the digits."""
    lead = text[:1] if text[:1] in _MINUS else ""
    rest = text[len(lead) :].strip(" ")
    symbol = _tidy(get_currency_symbol(unit.code, style.locale))
    for mark in (unit.code, unit.code.lower(), symbol):
        if rest.startswith(mark):
            return lead + rest.removeprefix(mark).strip(" ")
        if rest.endswith(mark):
            return lead + rest.removesuffix(mark).strip(" ")
    return lead + rest


def _without_sign(text: str) -> tuple[bool, str]:
    """Tell whether a minus stands on one end of the number, and take it off."""
    if text[:1] and text[0] in _MINUS:
        return True, text[1:].lstrip(" ")
    if text[-1:] and text[-1] in _MINUS:
        return True, text[:-1].rstrip(" ")
    return False, text


def _whole_digits(whole: str, fraction: str, unit: Currency, style: _Style) -> str:
    """Return the digits before the decimal mark, without their grouping."""
    if re.fullmatch("0|[1-9][0-9]*", whole):
        return whole
    if not style.whole_grouped.fullmatch(whole):
        raise _malformed(style)
    groups = whole.split(style.group)
    lone = len(groups[1:]) == 1 and not fraction and style.group in ".,"
    if lone and len(groups[1]) == unit.exponent:
        raise BadAmount(
            f"This could be {unit.code} with decimals or a grouped number; write it without "
            "grouping, or with all decimals.",
            code="amount_ambiguous",
        )
    return whole.replace(style.group, "")


def _malformed(style: _Style) -> BadAmount:
    example = f"1{style.group}234{style.decimal}56"
    return BadAmount(f"This is not an amount as written in {style.locale}, such as {example}.")
