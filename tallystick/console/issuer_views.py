"""Issuers as staff see and change them: fields of a form, and back again. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from tallystick.console.forms import text_field
from tallystick.issuers.checks import missing_parts
from tallystick.issuers.model import Issuer
from tallystick.kernel import ids
from tallystick.kernel.errors import BadInput


class FieldView(msgspec.Struct, frozen=True, kw_only=True):
    """One field; `kind` is `line`, `lines`, `number` or `choice`."""

    name: str
    text: str
    kind: str = "line"
    choices: tuple[str, ...] = ()
    is_needed: bool = False


class IssuerRow(msgspec.Struct, frozen=True, kw_only=True):
    """An issuer in the list; `missing` names what its invoices ought to say."""

    id: str
    code: str
    name: str
    country: str
    numbers: str
    missing: str
    is_default: bool
    is_retired: bool


FIELDS: Final = (
    FieldView(name="legal_name", text="Legal name", is_needed=True),
    FieldView(name="address", text="Address, as it is printed", kind="lines"),
    FieldView(name="postal_code", text="Postal code"),
    FieldView(name="city", text="City"),
    FieldView(name="region", text="Region (ISO 3166-2, without the country)"),
    FieldView(name="country", text="Country (two letters)"),
    FieldView(name="vat_number", text="VAT number"),
    FieldView(name="registration_number", text="Registration number"),
    FieldView(name="email", text="E-mail"),
    FieldView(name="bank_name", text="Bank"),
    FieldView(name="iban", text="IBAN"),
    FieldView(name="bic", text="BIC"),
    FieldView(name="payment_instructions", text="How to pay", kind="lines"),
    FieldView(name="locale", text="Language and format (en-GB)", is_needed=True),
    FieldView(name="payment_due_days", text="Days until an invoice is due", kind="number"),
    FieldView(name="grace_hours", text="Hours as a draft", kind="number"),
    FieldView(name="invoice_format", text="Invoice numbers", is_needed=True),
    FieldView(name="credit_note_format", text="Credit note numbers", is_needed=True),
    FieldView(
        name="number_reset",
        text="Numbers begin again",
        kind="choice",
        choices=("yearly", "monthly", "never"),
    ),
    FieldView(
        name="zero_rule", text="Bills over nothing", kind="choice", choices=("issue", "skip")
    ),
)
_CAPITALS: Final = frozenset({"country", "region", "iban", "bic"})
_DIGITS_MAX: Final = 6


def issuer_row(one: Issuer) -> IssuerRow:
    """Return an issuer as it stands in the list."""
    return IssuerRow(
        id=ids.show("issuer", one.issuer_id),
        code=one.code,
        name=one.legal_name,
        country=one.country or "",
        numbers=one.invoice_format,
        missing=", ".join(part.replace("_", " ") for part in missing_parts(one)),
        is_default=one.is_default,
        is_retired=one.retired_at is not None,
    )


def told_of(one: Issuer) -> dict[str, str]:
    """Return what each field of the form holds."""
    return {field.name: _text(getattr(one, field.name)) for field in FIELDS}


def read_fields(form: Mapping[str, object]) -> dict[str, Any]:
    """Return the fields as an issuer has them; an empty one is nothing. Raises BadInput."""
    return {field.name: _value(field, text_field(form, field.name)) for field in FIELDS}


def typed(form: Mapping[str, object]) -> dict[str, str]:
    """Return what was typed, to be shown again."""
    return {field.name: text_field(form, field.name) for field in FIELDS}


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return "\n".join(map(str, value))
    return "" if value is None else str(value)


def _value(field: FieldView, told: str) -> object:
    if field.name == "address":
        return tuple(_lines(told))
    text = "\n".join(told.splitlines()).strip()
    if field.kind == "number":
        if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
            raise BadInput.field(field.name, "invalid", "must be a whole number")
        return int(text)
    if field.name in _CAPITALS:
        text = text.upper()
    if field.name == "iban":
        text = text.replace(" ", "")
    return text if text or field.is_needed else None


def _lines(told: str) -> Iterator[str]:
    yield from (line.strip() for line in told.splitlines() if line.strip())
