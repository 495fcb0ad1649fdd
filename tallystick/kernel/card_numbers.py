"""Card numbers where none may be: what people write into fields that are kept."""

import re
from typing import Final

# 13 to 19 digits, alone or in groups (ISO/IEC 7812-1); card schemes begin with 2 to 6. What is
# part of a longer word, such as an IBAN, is none.
_DIGITS: Final = re.compile(r"(?<![0-9A-Za-z])[2-6](?:[ -]?[0-9]){12,18}(?![0-9A-Za-z])")


def has_card_number(text: str) -> bool:
    """Tell whether a number that may be a card's stands in it, by its length and check digit."""
    return any(passes_luhn(re.sub("[ -]", "", found)) for found in _DIGITS.findall(text))


def passes_luhn(digits: str) -> bool:
    """Tell whether the last digit checks the others (Luhn, ISO/IEC 7812-1 annex B)."""
    figures = [int(digit) for digit in digits]
    doubled = [sum(divmod(2 * figure, 10)) for figure in figures[-2::-2]]
    return (sum(figures[-1::-2]) + sum(doubled)) % 10 == 0
