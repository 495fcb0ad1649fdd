"""What the description says of each kind of field in a request's body.

The rules themselves are kept by the capabilities, which tell all wrong fields at once and in
plain words; a test sends what these schemas allow, and what they do not, and compares.

A pattern says what it can. The rest is named by `format`: `single-line` (printable characters,
not only spaces), `iana-time-zone`, `bcp-47`; `iso-4217` and `iso-3166-1` become lists of codes.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Final

from msgspec import Meta

from tallystick.accounts.checks import (
    ADDRESS_LINES_MAX,
    EMAIL_LENGTH_MAX,
    EXTERNAL_ID_LENGTH_MAX,
    NAME_LENGTH_MAX,
    PAYMENT_DUE_DAYS_MAX,
    POSTAL_CODE_LENGTH_MAX,
)
from tallystick.catalog.currencies import CURRENCIES_MAX
from tallystick.catalog.meter_checks import EVENT_TYPE_LENGTH_MAX
from tallystick.catalog.plan_terms import INTERVAL_COUNT_MAX, TRIAL_DAYS_MAX
from tallystick.kernel.errors import BadInput
from tallystick.payments.approvals import REASON_LENGTH_MAX, REFERENCE_LENGTH_MAX

_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
_PRINTED: Final = r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0][^\x00-\x1f\x7f-\x9f]*$"
WRITTEN: Final = r"^[^\x00]*[^\x00\s][^\x00]*$"


QUANTITY: Final = re.compile(r"[0-9]{1,18}(\.[0-9]{1,12})?")
"""A quantity of a request, as `Quantity` describes it."""


def line(length_max: int) -> Meta:
    """Return what a text on one line looks like."""
    return Meta(
        extra_json_schema={
            "minLength": 1,
            "maxLength": length_max,
            "pattern": _PRINTED,
            "format": "single-line",
        }
    )


def _like(pattern: str, **more: object) -> Meta:
    return Meta(extra_json_schema={"pattern": pattern, **more})


Line = Annotated[str, line(NAME_LENGTH_MAX)]
Address = Annotated[tuple[Line, ...], Meta(extra_json_schema={"maxItems": ADDRESS_LINES_MAX})]
PostalCode = Annotated[str, line(POSTAL_CODE_LENGTH_MAX)]
Region = Annotated[
    str,
    _like(
        "^[A-Za-z0-9]{1,3}$",
        description="The part of the country by ISO 3166-2, without the country: QC for CA-QC.",
    ),
]
Email = Annotated[
    str, _like(r"^[^@\s\x00]+@[^@\s\x00]+$", maxLength=EMAIL_LENGTH_MAX, format="email")
]
ExternalId = Annotated[
    str,
    _like(
        r"^(?!acct_)[^\s\x00-\x1f]([^\x00-\x1f]*[^\s\x00-\x1f])?$",
        maxLength=EXTERNAL_ID_LENGTH_MAX,
        format="single-line",
        description="Your own name for it; it must not begin like our ids.",
    ),
]
Currency = Annotated[str, Meta(extra_json_schema={"format": "iso-4217"})]
Country = Annotated[str, Meta(extra_json_schema={"format": "iso-3166-1"})]
TimeZone = Annotated[str, Meta(extra_json_schema={"minLength": 1, "format": "iana-time-zone"})]
Locale = Annotated[str, Meta(extra_json_schema={"minLength": 2, "format": "bcp-47"})]
Percent = Annotated[
    str,
    _like(
        r"^(100(\.0{1,12})?|[0-9]{1,2}(\.[0-9]{1,12})?)$",
        description="0 to 100 as a decimal string, beside the name of the tax.",
    ),
]
DueDays = Annotated[int, Meta(extra_json_schema={"minimum": 0, "maximum": PAYMENT_DUE_DAYS_MAX})]
Quantity = Annotated[str, _like(r"^[0-9]{1,18}(\.[0-9]{1,12})?$", description="A decimal string.")]
Code = Annotated[str, _like("^[a-z][a-z0-9_-]{0,62}$")]
MeterCode = Annotated[str, _like("^[a-z][a-z0-9_]{0,62}$")]
EventType = Annotated[str, line(EVENT_TYPE_LENGTH_MAX)]
IntervalCount = Annotated[
    int, Meta(extra_json_schema={"minimum": 1, "maximum": INTERVAL_COUNT_MAX})
]
SeatCount = Annotated[int, Meta(extra_json_schema={"minimum": 1, "maximum": 1_000_000})]
TrialDays = Annotated[int, Meta(extra_json_schema={"minimum": 0, "maximum": TRIAL_DAYS_MAX})]
Amount = Annotated[
    str,
    _like(r"^[0-9]{1,15}(\.[0-9]{1,12})?$", description="Major units, as a decimal string."),
]
Amounts = Annotated[
    dict[str, Amount],
    Meta(
        extra_json_schema={
            "maxProperties": CURRENCIES_MAX,
            "propertyNames": {"format": "iso-4217"},
        }
    ),
]
CouponCode = Annotated[str, _like("^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
Password = Annotated[str, Meta(extra_json_schema={"minLength": 8, "maxLength": 256})]
Reason = Annotated[str, _like(WRITTEN, minLength=1, maxLength=REASON_LENGTH_MAX)]
Reference = Annotated[str, _like(WRITTEN, minLength=1, maxLength=REFERENCE_LENGTH_MAX)]
Token = Annotated[
    str,
    Meta(
        extra_json_schema={
            "minLength": 1,
            "maxLength": 255,
            "description": "Our id, or the gateway's token.",
        }
    ),
]
Minor = Annotated[int, Meta(ge=1, le=10**15, description="Minor units.")]
Instant = Annotated[
    datetime,
    Meta(
        tz=True,
        extra_json_schema={
            "pattern": "^2[01][0-9]{2}-",
            "description": "RFC 3339, in the years 2000 to 2199 of UTC.",
        },
    ),
]


def decimal(field: str, text: str) -> Decimal:
    """Return a `Quantity` as a number; raises BadInput `not_a_decimal_string`."""
    if not QUANTITY.fullmatch(text):
        raise BadInput.field(field, "not_a_decimal_string", 'must be such as "2.5"')
    return Decimal(text)


def check_instant(field: str, at: datetime) -> datetime:
    """Return the instant; raises BadInput for one outside the years 2000 to 2199 (UTC)."""
    if not _EARLIEST <= at < _LATEST:
        raise BadInput.field(field, "out_of_range", "must be in the years 2000 to 2199")
    return at


def typeid(prefix: str) -> Meta:
    """Return what an id of ours looks like (TypeID)."""
    return _like(rf"^{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$")


AccountId = Annotated[str, typeid("acct")]
InvoiceId = Annotated[str, typeid("inv")]
InvoiceLineId = Annotated[str, typeid("il")]
SubscriptionId = Annotated[str, typeid("sub")]
ClockId = Annotated[str, typeid("clock")]
WhatIfId = Annotated[str, typeid("wif")]
PlanVersionId = Annotated[str, typeid("pv")]
