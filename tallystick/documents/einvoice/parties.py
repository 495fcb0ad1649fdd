"""Seller and buyer as EN 16931 knows them. Pure."""

import re
from typing import Final

from tallystick.documents.document import Party
from tallystick.documents.einvoice.model import TradeParty

ADDRESS_LINES: Final = 3  # BT-35, BT-36, BT-162
EU: Final = frozenset(
    {
        "AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "EL", "HU", "IE", "IT",
        "LV", "LT", "LU", "MT", "NL", "PL", "PT", "RO", "SK", "SI", "ES", "SE", "XI",
    }
)  # fmt: skip
_VAT_ID: Final = re.compile(r"[A-Z]{2}[0-9A-Z+*]{2,}")
_MARKS: Final = re.compile(r"[\s.\-/]")
_PREFIX_OF_COUNTRY: Final = {"GR": "EL"}  # Directive 2006/112/EC, article 215


def party_of(party: Party, *, is_subject: bool) -> TradeParty:
    """Return a party. One that is not subject to VAT has no VAT number there (BR-O-02)."""
    vat_id = vat_id_of(party) if is_subject else None
    registration = party.registration_number
    return TradeParty(
        name=party.name,
        lines=_lines(party),
        country=party.country or "",
        city=party.city,
        postal_code=party.postal_code,
        region=party.region,
        identifier=party.tax_id if not (registration or vat_id) else None,
        registration=registration,
        vat_id=vat_id,
        tax_registration=party.tax_id if not vat_id else None,
        endpoint=endpoint_of(party),
    )


def vat_id_of(party: Party) -> str | None:
    """Return the VAT number with its country before it (BR-CO-09), None where it has none.

    One that is written without its country gets the party's, if its form there allows: digits.
    """
    if not party.tax_id:
        return None
    bare = _MARKS.sub("", party.tax_id).upper()
    prefix = _PREFIX_OF_COUNTRY.get(party.country or "", party.country)
    if _VAT_ID.fullmatch(bare) and bare[:2] in EU | {prefix}:
        return bare
    return f"{prefix}{bare}" if prefix in EU and bare.isalnum() else None


def endpoint_of(party: Party) -> tuple[str, str] | None:
    """Return scheme and address of the party in a network of e-invoices; an e-mail is one: EM."""
    if party.endpoint:
        scheme, _, address = party.endpoint.partition(":")
        return (scheme, address) if address else None
    return ("EM", party.email) if party.email else None


def _lines(party: Party) -> tuple[str, ...]:
    """Return the printed lines, in as many as there are places."""
    head, rest = party.address[: ADDRESS_LINES - 1], party.address[ADDRESS_LINES - 1 :]
    return (*head, ", ".join(rest)) if rest else head
