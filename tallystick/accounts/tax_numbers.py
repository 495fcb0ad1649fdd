"""Tax numbers of buyers: whether one can be right, told from its form and check digits alone.

Known are VAT numbers of the member states of the European Union, of the United Kingdom,
Switzerland and Norway. Elsewhere a number is a text that is printed. That a number was ever given
to anybody only its authority can say (`taxes.online`).
"""

from collections.abc import Callable, Mapping
from typing import Final

from stdnum.ch import uid as ch_uid
from stdnum.ch import vat as ch_vat
from stdnum.eu import vat as eu_vat
from stdnum.exceptions import ValidationError
from stdnum.gb import vat as gb_vat
from stdnum.no import mva as no_mva
from stdnum.util import clean

EU_COUNTRIES: Final = frozenset(
    {
        "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU",
        "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
    }
)  # fmt: skip
"""The member states of the European Union since 2020-02-01, by ISO 3166."""


def canonical_number(country: str, number: str) -> str | None:
    """Return the number without spaces and with its country before it; None when it is wrong.

    `country` is ISO 3166 in capitals. In a number Greece is EL. Where no rule for the country is
    known, the number is returned as it was written.
    """
    rule = _RULES.get(country)
    if rule is None:
        return number
    try:
        return rule(country, number)
    except ValidationError:
        return None


def is_eu_number(country: str, number: str | None) -> bool:
    """Tell whether it is the VAT number of a business in this member state, by its form."""
    if number is None or country not in EU_COUNTRIES:
        return False
    return canonical_number(country, number) is not None


def _eu(country: str, number: str) -> str:
    prefix = "EL" if country == "GR" else country
    compact = clean(number, " -./").upper()
    if country == "GR" and compact.startswith("GR"):
        compact = compact[2:]
    with_prefix = compact if compact.startswith(prefix) else f"{prefix}{compact}"
    return str(eu_vat.validate(with_prefix))


def _gb(country: str, number: str) -> str:
    return f"{country}{gb_vat.validate(number)}"


def _ch(_country: str, number: str) -> str:
    try:
        return str(ch_vat.validate(number))
    except ValidationError:
        return str(ch_uid.validate(number))


def _no(country: str, number: str) -> str:
    return f"{country}{no_mva.validate(number.upper().removeprefix(country))}"


_RULES: Final[Mapping[str, Callable[[str, str], str]]] = {
    **dict.fromkeys(EU_COUNTRIES, _eu),
    "GB": _gb,
    "CH": _ch,
    "NO": _no,
}
