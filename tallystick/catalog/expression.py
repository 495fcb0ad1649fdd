"""The language of computed values: `round(input_tokens * 0.25 + output_tokens, 2)`.

Numbers, names of properties, `+ - * /`, parentheses, `min max abs round ceil floor`: nothing else,
and nothing that could run for long. A text is parsed once, to a program of steps in postfix order
that a meter keeps. The database runs the same steps (`usage_compute` in the schema).

All is exact but division: a quotient has 12 decimals, a tie goes away from zero.
"""

import re
from collections.abc import Callable, Iterator
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from fractions import Fraction
from typing import Final

import msgspec

from tallystick.money.rounding import round_ratio

TEXT_LENGTH_MAX: Final = 500
STEPS_MAX: Final = 60
DEPTH_MAX: Final = 20
DECIMALS: Final = 12
PLACES_MAX: Final = 12
"""How many decimals, or zeros before the point, `round`, `ceil` and `floor` may be asked for."""

Step = tuple[str, str | int | None]
"""What to do, and with what: `("property", "tokens")`, `("number", "0.25")`, `("multiply", None)`.

`number` and `property` put a value on the stack; all others take theirs from it.
"""
Program = tuple[Step, ...]

# 30 numbers of 27 digits, multiplied, have 810: no result of the language is ever cut off.
_EXACT: Final = Context(prec=2000, traps=[Inexact, InvalidOperation, Overflow])
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>[0-9]{1,15}(?:\.[0-9]{1,12})?)(?![0-9.A-Za-z_])"
    r"|(?:event\.properties\.)?(?P<name>[A-Za-z_][A-Za-z0-9_]{0,199})"
    r'|"(?P<quoted>[^"\x00-\x1f\x7f]{1,200})"'
    r"|(?P<sign>[-+*/(),]))"
)
_INFIX: Final = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide"}
_ROUNDING: Final = frozenset({"round", "ceil", "floor"})
_OF_TWO: Final = frozenset({*_INFIX.values(), "min", "max"})
_FUNCTIONS: Final = frozenset({*_ROUNDING, "min", "max", "abs"})


class BadExpression(ValueError):
    """Text that is not of the language; the message says what is wrong, and where."""


class NoValue(ValueError):
    """The program has no result for these properties: it divides by zero."""


class _Token(msgspec.Struct, frozen=True):
    kind: str  # number, name, quoted, sign; end
    text: str
    at: int


def parse(text: str) -> Program:
    """Return the program of a text; raises BadExpression.

    A name is a property; one with other characters than letters, digits and `_` stands in double
    quotes. `event.properties.` may stand before a name, as Lago writes it.
    """
    if len(text) > TEXT_LENGTH_MAX:
        raise BadExpression(f"may have {TEXT_LENGTH_MAX} characters at most")
    steps = _Parser(list(_tokens(text))).parse()
    if len(steps) > STEPS_MAX:
        raise BadExpression(f"may have {STEPS_MAX} numbers, names and operations at most")
    return tuple(steps)


def properties_of(program: Program) -> tuple[str, ...]:
    """Return the properties that a program reads, each once, in the order of the text."""
    named = (str(argument) for kind, argument in program if kind == "property")
    return tuple(dict.fromkeys(named))


def evaluate(program: Program, read: Callable[[str], Decimal]) -> Decimal:
    """Return what the program makes of the properties, which `read` gives by name; exact.

    Raises NoValue for a division by zero, and whatever `read` raises.
    """
    stack: list[Decimal] = []
    for kind, argument in program:
        if kind == "number":
            stack.append(Decimal(str(argument)))
        elif kind == "property":
            stack.append(read(str(argument)))
        elif kind in _OF_TWO:
            right = stack.pop()
            stack.append(_of_two(kind, stack.pop(), right))
        else:
            stack.append(_of_one(kind, stack.pop(), argument))
    return stack.pop()


def round_half_away(value: Fraction, places: int) -> Decimal:
    """Return the value with so many decimals (below zero: zeros before the point)."""
    scaled = value * Fraction(10) ** places
    whole = round_ratio(scaled.numerator, scaled.denominator)
    return _EXACT.scaleb(Decimal(whole), -places)


def round_half_away_decimal(value: Decimal, places: int) -> Decimal:
    """Return the same of a decimal, most of which have no more decimals than that."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and -exponent <= places:
        return value
    return round_half_away(Fraction(value), places)


def round_up(value: Decimal, places: int) -> Decimal:
    """Return the smallest number of so many decimals that is not below the value."""
    return _EXACT.minus(round_down(_EXACT.minus(value), places))


def round_down(value: Decimal, places: int) -> Decimal:
    """Return the largest number of so many decimals that is not above the value."""
    scaled = Fraction(value) * Fraction(10) ** places
    return _EXACT.scaleb(Decimal(scaled.numerator // scaled.denominator), -places)


def _of_two(kind: str, left: Decimal, right: Decimal) -> Decimal:
    match kind:
        case "add":
            return _EXACT.add(left, right)
        case "subtract":
            return _EXACT.subtract(left, right)
        case "multiply":
            return _EXACT.multiply(left, right)
        case "min":
            return min(left, right)
        case "max":
            return max(left, right)
    if not right:
        raise NoValue("divides by zero")
    return round_half_away(Fraction(left) / Fraction(right), DECIMALS)


def _of_one(kind: str, value: Decimal, argument: str | int | None) -> Decimal:
    places = argument if isinstance(argument, int) else 0
    match kind:
        case "negate":
            return _EXACT.minus(value)
        case "abs":
            return _EXACT.abs(value)
        case "ceil":
            return round_up(value, places)
        case "floor":
            return round_down(value, places)
    return round_half_away(Fraction(value), places)


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            shown = text[at:].strip()[:12]
            raise BadExpression(f"can not be read from {shown!r} on")
        kind = str(found.lastgroup)
        yield _Token(kind, found[kind], found.start(kind))
        at = found.end()
    yield _Token("end", "the end", len(text))


class _Parser:
    """Recursive descent: sums of products of values; writes steps as it goes."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._steps: list[Step] = []

    def parse(self) -> list[Step]:
        self._sum()
        if self._now.kind != "end":
            raise self._unexpected("an operation")
        return self._steps

    @property
    def _now(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, *signs: str) -> str | None:
        """Return the sign that stands here and go on, or None when it is none of these."""
        if self._now.kind != "sign" or self._now.text not in signs:
            return None
        self._at += 1
        return self._tokens[self._at - 1].text

    def _expect(self, sign: str) -> None:
        if self._take(sign) is None:
            raise self._unexpected(sign)

    def _unexpected(self, wanted: str) -> BadExpression:
        return BadExpression(
            f"wants {wanted} at character {self._now.at + 1}, where {self._now.text} stands"
        )

    def _sum(self) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise BadExpression(f"may be nested {DEPTH_MAX} deep at most")
        self._product()
        while sign := self._take("+", "-"):
            self._product()
            self._steps.append((_INFIX[sign], None))
        self._depth -= 1

    def _product(self) -> None:
        self._value()
        while sign := self._take("*", "/"):
            self._value()
            self._steps.append((_INFIX[sign], None))

    def _value(self) -> None:
        is_negative = False
        while self._take("-"):
            is_negative = not is_negative
        self._plain_value()
        if is_negative:
            self._steps.append(("negate", None))

    def _plain_value(self) -> None:
        token = self._now
        if self._take("("):
            self._sum()
            self._expect(")")
            return
        if token.kind not in ("number", "name", "quoted"):
            raise self._unexpected("a number, a property or a function")
        self._at += 1
        if token.kind == "number":
            self._steps.append(("number", token.text))
        elif token.kind == "name" and token.text in _FUNCTIONS and self._take("("):
            self._call(token.text)
        else:
            self._steps.append(("property", token.text))

    def _call(self, function: str) -> None:
        self._sum()
        if function in ("min", "max"):
            while self._take(","):
                self._sum()
                self._steps.append((function, None))
        elif function in _ROUNDING:
            self._steps.append((function, self._places()))
        else:
            self._steps.append((function, None))
        self._expect(")")

    def _places(self) -> int:
        """Return the second argument of a rounding, a whole number; 0 when it is left out."""
        if not self._take(","):
            return 0
        is_negative = self._take("-") is not None
        text = self._now.text
        if self._now.kind != "number" or not text.isdigit() or int(text) > PLACES_MAX:
            raise self._unexpected(f"a whole number up to {PLACES_MAX}")
        self._at += 1
        return -int(text) if is_negative else int(text)
