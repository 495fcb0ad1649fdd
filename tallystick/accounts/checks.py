"""What an account, an e-mail address and a key's scopes must be; all faults are told at once."""

import re
from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from babel import Locale, UnknownLocaleError

from tallystick.accounts.invoice_terms import grace_problems, minimum_problems, terms_problems
from tallystick.accounts.model import KEY_SCOPES, Account, KeyScope
from tallystick.accounts.tax_numbers import canonical_number
from tallystick.kernel.errors import BadInput, FieldError
from tallystick.money.currency import currency
from tallystick.money.errors import UnknownCurrency

NAME_LENGTH_MAX: Final = 200
EMAIL_LENGTH_MAX: Final = 254  # RFC 5321: a path has 256 octets, two of them its brackets
EXTERNAL_ID_LENGTH_MAX: Final = 255
ADDRESS_LINES_MAX: Final = 8
POSTAL_CODE_LENGTH_MAX: Final = 32
PAYMENT_DUE_DAYS_MAX: Final = 365
NAME_RULE: Final = ("name", "invalid_length", "must have 1 to 200 characters")
EMAIL_RULE: Final = ("email", "invalid_email", "must be an e-mail address")
CURRENCY_RULE: Final = ("currency", "unknown_currency", "must be an ISO 4217 code")
TIMEZONE_RULE: Final = ("timezone", "unknown_timezone", "must be an IANA time zone")
COUNTRY_RULE: Final = ("country", "unknown_country", "must be an ISO 3166 code of two letters")
LOCALE_RULE: Final = ("locale", "unknown_locale", "must be a locale such as en-US")
EXTERNAL_ID_RULE: Final = (
    "external_id",
    "invalid_external_id",
    "must have 1 to 255 characters, no space around it, and not begin with acct_",
)
ADDRESS_RULE: Final = ("address", "invalid_address", "must be at most 8 lines of 200 characters")
REGION_RULE: Final = (
    "region",
    "unknown_region",
    "must be the part of the country by ISO 3166-2, without the country: QC for CA-QC",
)
CITY_RULE: Final = ("city", "invalid_length", "must have 1 to 200 characters")
POSTAL_CODE_RULE: Final = ("postal_code", "invalid_length", "must have 1 to 32 characters")
TAX_NUMBER_RULE: Final = ("tax_number", "invalid_length", "must have 1 to 200 characters")
TAX_NUMBER_INVALID: Final = (
    "tax_number",
    "tax_number_invalid",
    "must be a tax number of the account's country, such as FR40303265045",
)
TAX_RULE: Final = ("tax_percent", "invalid_tax", "must be 0 to 100, beside a tax_name")
DUE_RULE: Final = ("payment_due_days", "out_of_range", "must be from 0 to 365")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_REGION: Final = re.compile(r"[A-Z0-9]{1,3}")
_PERCENT_MAX: Final = Decimal(100)


def check_account(account: Account) -> Account:
    """Return the account with its codes in upper case and its tax number in one form.

    Raises BadInput that names every field which can not be taken.
    """
    tidied = msgspec.structs.replace(
        account,
        email=account.email.strip(),
        currency=account.currency.upper(),
        country=account.country.upper(),
        region=_upper(account.region),
    )
    numbered = _with_canonical_number(tidied)
    found = [
        *(FieldError(*rule) for rule, is_kept in _rules(tidied) if not is_kept),
        *terms_problems(account.purchase_order, account.memo, account.custom_fields),
        *grace_problems(account.grace_hours),
        *minimum_problems(account.minimum_amount_minor),
    ]
    if numbered is None:
        found.append(FieldError(*TAX_NUMBER_INVALID))
    if found:
        detail = "; ".join(f"{fault.field}: {fault.message}" for fault in found)
        raise BadInput("validation_failed", detail, errors=found)
    return numbered or tidied


def _with_canonical_number(account: Account) -> Account | None:
    """Return the account with its tax number in one form; None when that can not be right."""
    if account.tax_number is None or not _is_name(account.tax_number):
        return account
    number = canonical_number(account.country, account.tax_number)
    return None if number is None else msgspec.structs.replace(account, tax_number=number)


def clean_email(text: str) -> str:
    """Return the address in lower case without outer spaces; raises BadInput."""
    email = text.strip().lower()
    if not is_email(email):
        raise BadInput.field("email", "invalid_email", "must be an e-mail address")
    return email


def is_email(text: str) -> bool:
    """Tell whether it has the form of an address; only a message sent shows that one exists."""
    return (
        len(text) <= EMAIL_LENGTH_MAX and text.isprintable() and _EMAIL.fullmatch(text) is not None
    )


def is_external_id(text: str | None, own_prefix: str) -> bool:
    """Tell whether it can be another system's name for something of ours, or is none.

    One that begins like our own ids would let one object answer to another's.
    """
    if text is None:
        return True
    fits = 1 <= len(text) <= EXTERNAL_ID_LENGTH_MAX and text.isprintable()
    return fits and text.strip() == text and not text.startswith(own_prefix)


def check_scopes(scopes: Collection[KeyScope], account_id: UUID | None) -> None:
    """Refuse no scope at all, unknown ones, and `admin` for a key that belongs to an account."""
    if not scopes or not set(scopes) <= set(KEY_SCOPES):
        message = f"must be one or more of {', '.join(KEY_SCOPES)}"
        raise BadInput.field("scopes", "unknown_scope", message)
    if account_id is not None and "admin" in scopes:
        raise BadInput.field("scopes", "admin_needs_installation", "an account's key has no admin")


def _rules(account: Account) -> Iterator[tuple[tuple[str, str, str], bool]]:
    yield NAME_RULE, _is_name(account.name)
    yield EMAIL_RULE, is_email(account.email)
    yield CURRENCY_RULE, _is_currency(account.currency)
    yield TIMEZONE_RULE, _is_zone(account.timezone)
    yield COUNTRY_RULE, is_country(account.country)
    yield LOCALE_RULE, is_locale(account.locale)
    yield EXTERNAL_ID_RULE, is_external_id(account.external_id, "acct_")
    yield (
        ADDRESS_RULE,
        len(account.address) <= ADDRESS_LINES_MAX
        and all(_is_name(line) for line in account.address),
    )
    yield REGION_RULE, account.region is None or _REGION.fullmatch(account.region) is not None
    yield CITY_RULE, account.city is None or _is_name(account.city)
    yield POSTAL_CODE_RULE, account.postal_code is None or _is_postal_code(account.postal_code)
    yield TAX_NUMBER_RULE, account.tax_number is None or _is_name(account.tax_number)
    yield TAX_RULE, _is_tax(account.tax_name, account.tax_percent)
    days = account.payment_due_days
    yield DUE_RULE, days is None or 0 <= days <= PAYMENT_DUE_DAYS_MAX


def _upper(region: str | None) -> str | None:
    """Return the code in upper case; a letter like ß stays, for it is none of a code."""
    return region.upper() if region is not None and region.isascii() else region


def _is_name(text: str) -> bool:
    return bool(text.strip()) and len(text) <= NAME_LENGTH_MAX and text.isprintable()


def _is_postal_code(text: str) -> bool:
    return _is_name(text) and len(text) <= POSTAL_CODE_LENGTH_MAX


def _is_currency(code: str) -> bool:
    try:
        currency(code)
    except UnknownCurrency:
        return False
    return True


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def is_country(code: str) -> bool:
    """Tell whether it is a country of ISO 3166-1 in two capitals."""
    return _COUNTRY.fullmatch(code) is not None and code in Locale("en").territories


def is_locale(name: str) -> bool:
    """Tell whether it is a locale that numbers and dates can be written in."""
    try:
        Locale.parse(name, sep="-")
    except (UnknownLocaleError, ValueError):
        return False
    return True


def _is_tax(name: str | None, percent: Decimal | None) -> bool:
    if name is None or percent is None:
        return name is None and percent is None
    return _is_name(name) and percent.is_finite() and 0 <= percent <= _PERCENT_MAX


def check_name(name: str) -> None:
    """Raise BadInput for a name that is empty, too long or not printable."""
    if not _is_name(name):
        raise BadInput.field("name", "invalid_length", "must have 1 to 200 characters")
