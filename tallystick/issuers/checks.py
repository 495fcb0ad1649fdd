"""What an issuer must be; all faults are told at once. Pure."""

import re
from collections.abc import Iterator
from typing import Final, get_args

from tallystick.accounts.checks import (
    ADDRESS_LINES_MAX,
    ADDRESS_RULE,
    COUNTRY_RULE,
    DUE_RULE,
    EMAIL_RULE,
    LOCALE_RULE,
    NAME_LENGTH_MAX,
    PAYMENT_DUE_DAYS_MAX,
    is_country,
    is_email,
    is_locale,
)
from tallystick.accounts.invoice_terms import grace_problems, is_text
from tallystick.catalog.faults import raise_any, text_problems
from tallystick.issuers.formats import can_collide, format_problems, may_follow
from tallystick.issuers.model import (
    DocumentKind,
    Issuer,
    NumberReset,
    NumberRule,
    TaxRegistration,
    ZeroRule,
)
from tallystick.kernel.errors import FieldError
from tallystick.money.currency import currency
from tallystick.money.errors import UnknownCurrency
from tallystick.money.rounding import round_decimal

CODE: Final = re.compile(r"[A-Z0-9]{1,12}")
REGISTRATIONS_MAX: Final = 60
CURRENCIES_MAX: Final = 30
INSTRUCTIONS_LENGTH_MAX: Final = 1000
NUMBER_LENGTH_MAX: Final = 64
UNNAMED: Final = "Your company"
"""What the settings call the business where nobody has named it."""
_REGION: Final = re.compile(r"[A-Z0-9]{1,3}")
_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_BIC: Final = re.compile(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?")
_LINES: Final = ("vat_number", "registration_number", "bank_name", "city", "postal_code")
_AMOUNT_MAX: Final = 10**9


def check_issuer(new: Issuer) -> None:
    """Raise BadInput naming every field that can not be taken."""
    raise_any(
        [
            *_party_problems(new),
            *_bank_problems(new),
            *_terms_problems(new),
            *number_problems(new),
        ]
    )


def missing_parts(issuer: Issuer) -> tuple[str, ...]:
    """Return what an invoice has to say of who issues it and is not known yet.

    Name, address and VAT number are those of Directive 2006/112/EC, article 226, points 3 and 5; a
    business without a VAT number says its registration number.
    """
    wanted = {
        "legal_name": issuer.legal_name != UNNAMED,
        "address": bool(issuer.address),
        "country": issuer.country is not None,
        "vat_number": bool(issuer.vat_number or issuer.registration_number),
    }
    return tuple(name for name, is_there in wanted.items() if not is_there)


def number_problems(new: Issuer) -> Iterator[FieldError]:
    """Yield what is wrong with how documents are numbered, also in view of earlier numbers."""
    if new.number_reset not in get_args(NumberReset):
        yield FieldError("number_reset", "invalid", "must be yearly, monthly or never")
        return
    rules = {
        "invoice_format": new.number_rule("invoice"),
        "credit_note_format": new.number_rule("credit_note"),
    }
    faults = [
        fault for field, rule in rules.items() for fault in format_problems(field, rule, new.code)
    ]
    yield from faults
    if faults:
        return
    if can_collide(rules["invoice_format"], rules["credit_note_format"], new.code):
        message = "must begin or end with another fixed text than invoice_format"
        yield FieldError("credit_note_format", "numbers_collide", message)
    for field, rule in rules.items():
        if not may_follow(rule, new.former_numbers, new.code):
            message = "must begin or end with another fixed text than the numbers given before"
            yield FieldError(field, "numbers_collide", message)


def former_numbers(was: Issuer, now: Issuer) -> tuple[NumberRule, ...]:
    """Return the rules that numbers were given by before, once `now` takes the place of `was`."""
    rules = list(was.former_numbers)
    for kind in get_args(DocumentKind):
        rule = was.number_rule(kind)
        if rule != now.number_rule(kind) and rule not in rules:
            rules.append(rule)
    return tuple(rules)


def _party_problems(new: Issuer) -> Iterator[FieldError]:
    if not CODE.fullmatch(new.code):
        yield FieldError("code", "invalid_code", "must be 1 to 12 of A-Z and 0-9")
    yield from text_problems("legal_name", new.legal_name, NAME_LENGTH_MAX)
    if len(new.address) > ADDRESS_LINES_MAX or any(
        [*text_problems("address", line, NAME_LENGTH_MAX)] for line in new.address
    ):
        yield FieldError(*ADDRESS_RULE)
    for field in _LINES:
        text = getattr(new, field)
        if text is not None:
            yield from text_problems(field, text, NAME_LENGTH_MAX)
    if new.region is not None and not _REGION.fullmatch(new.region):
        yield FieldError("region", "unknown_region", "must be a part of a country by ISO 3166-2")
    if new.country is not None and not is_country(new.country):
        yield FieldError(*COUNTRY_RULE)
    if new.email is not None and not is_email(new.email):
        yield FieldError(*EMAIL_RULE)
    if len(new.tax_registrations) > REGISTRATIONS_MAX:
        yield FieldError("tax_registrations", "too_many", f"may be {REGISTRATIONS_MAX} at most")
    for at, one in enumerate(new.tax_registrations):
        yield from _registration_problems(f"tax_registrations[{at}]", one)


def _registration_problems(field: str, one: TaxRegistration) -> Iterator[FieldError]:
    if not is_country(one.country):
        yield FieldError(f"{field}.country", COUNTRY_RULE[1], COUNTRY_RULE[2])
    if one.region is not None and not _REGION.fullmatch(one.region):
        message = "must be a part of a country by ISO 3166-2"
        yield FieldError(f"{field}.region", "unknown_region", message)
    yield from text_problems(f"{field}.number", one.number, NUMBER_LENGTH_MAX)


def _bank_problems(new: Issuer) -> Iterator[FieldError]:
    if new.iban is not None and not is_iban(new.iban):
        yield FieldError("iban", "invalid_iban", "must be an IBAN whose check digits are right")
    if new.bic is not None and not _BIC.fullmatch(new.bic):
        yield FieldError("bic", "invalid_bic", "must be a BIC of 8 or 11 characters")
    text = new.payment_instructions
    if text is not None and not is_text(text, INSTRUCTIONS_LENGTH_MAX):
        message = f"must have 1 to {INSTRUCTIONS_LENGTH_MAX} characters that can be printed"
        yield FieldError("payment_instructions", "invalid_text", message)


def is_iban(text: str) -> bool:
    """Tell whether an IBAN's check digits are right (ISO 13616, ISO 7064 MOD 97-10)."""
    if not _IBAN.fullmatch(text):
        return False
    moved = text[4:] + text[:4]
    return int("".join(str(int(letter, 36)) for letter in moved)) % 97 == 1


def _terms_problems(new: Issuer) -> Iterator[FieldError]:
    if not is_locale(new.locale):
        yield FieldError(*LOCALE_RULE)
    if not 0 <= new.payment_due_days <= PAYMENT_DUE_DAYS_MAX:
        yield FieldError(*DUE_RULE)
    yield from grace_problems(new.grace_hours)
    if new.zero_rule not in get_args(ZeroRule):
        yield FieldError("zero_rule", "invalid", "must be issue or skip")
    if len(new.minimum_amounts) > CURRENCIES_MAX:
        yield FieldError("minimum_amounts", "too_many", f"may be {CURRENCIES_MAX} at most")
    for code, amount in new.minimum_amounts.items():
        field = f"minimum_amounts.{code}"
        try:
            known = currency(code)
        except UnknownCurrency as error:
            yield FieldError(field, error.code, error.detail)
            continue
        if not 0 <= amount <= _AMOUNT_MAX:
            yield FieldError(field, "out_of_range", f"must be from 0 to {_AMOUNT_MAX}")
        elif amount != round_decimal(amount, known.code).to_decimal():
            message = f"may have {known.exponent} decimals: it stands on an invoice"
            yield FieldError(field, "too_many_decimals", message)
