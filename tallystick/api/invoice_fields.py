"""What the description says of the fields of issuers and of what invoices say besides amounts."""

from collections.abc import Sequence
from typing import Annotated, Final

from msgspec import Meta

from tallystick.accounts.invoice_terms import (
    CUSTOM_FIELDS_MAX,
    GRACE_HOURS_MAX,
    LABEL_LENGTH_MAX,
    LINES,
    MEMO_LENGTH_MAX,
    MINIMUM_AMOUNT_MINOR_MAX,
    PURCHASE_ORDER_LENGTH_MAX,
    VALUE_LENGTH_MAX,
)
from tallystick.api.fields import line, typeid
from tallystick.api.strict import Body
from tallystick.documents.document import CustomField
from tallystick.issuers.checks import INSTRUCTIONS_LENGTH_MAX

_TEXT: Final = f"^{LINES.pattern}$"


def _text(length_max: int) -> Meta:
    return Meta(extra_json_schema={"pattern": _TEXT, "minLength": 1, "maxLength": length_max})


IssuerId = Annotated[str, typeid("iss")]
PurchaseOrder = Annotated[str, line(PURCHASE_ORDER_LENGTH_MAX)]
Memo = Annotated[str, _text(MEMO_LENGTH_MAX)]
Instructions = Annotated[str, _text(INSTRUCTIONS_LENGTH_MAX)]
MinimumAmount = Annotated[
    int,
    Meta(
        extra_json_schema={
            "minimum": 0,
            "maximum": MINIMUM_AMOUNT_MINOR_MAX,
            "description": "The least that an invoice in its currency asks for, in minor units.",
        }
    ),
]
GraceHours = Annotated[
    int,
    Meta(
        extra_json_schema={
            "minimum": 0,
            "maximum": GRACE_HOURS_MAX,
            "description": "So long an invoice stays a draft after its period.",
        }
    ),
]


class LabelledField(Body, frozen=True, kw_only=True):
    """A fact that stands on each document: "Cost centre", "4711"; each label once."""

    label: Annotated[str, line(LABEL_LENGTH_MAX)]
    value: Annotated[str, line(VALUE_LENGTH_MAX)]


CustomFields = Annotated[
    tuple[LabelledField, ...], Meta(extra_json_schema={"maxItems": CUSTOM_FIELDS_MAX})
]


def custom_fields(told: Sequence[LabelledField]) -> tuple[CustomField, ...]:
    """Return the fields as documents have them."""
    return tuple(CustomField(one.label, one.value) for one in told)
