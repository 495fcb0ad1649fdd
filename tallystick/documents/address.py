"""Where somebody is, as lines to print. Pure."""

from typing import Final

from babel import Locale

from tallystick.documents.document import Party

_CITY_FIRST: Final = frozenset({"AU", "BR", "CA", "GB", "IE", "IN", "NZ", "US"})
"""Where the postal code stands behind the city; elsewhere it stands before it."""


def address_lines(party: Party, language: str) -> tuple[str, ...]:
    """Return the printed lines, with city and country where the lines do not name the city.

    Who wrote the whole address as lines sees it as it was written; who told the city apart sees it
    below: "10115 Berlin", "Toronto, ON M5V 2T6", and the country in that language.
    """
    said = "\n".join(party.address).casefold()
    if not party.city or party.city.casefold() in said:
        return party.address
    country = Locale.parse(language).territories.get(party.country or "")
    is_named = country is not None and country.casefold() in said
    return (*party.address, _place(party), *([] if country is None or is_named else [country]))


def _place(party: Party) -> str:
    city, code = party.city or "", party.postal_code or ""
    if party.country not in _CITY_FIRST:
        return f"{code} {city}".strip()
    region = f", {party.region}" if party.region else ""
    return f"{city}{region} {code}".strip()
