"""What an account or an invoice says besides amounts: limits of each text. Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from tallystick.documents.document import CustomField
from tallystick.kernel.errors import FieldError

PURCHASE_ORDER_LENGTH_MAX: Final = 64
MEMO_LENGTH_MAX: Final = 1000
CUSTOM_FIELDS_MAX: Final = 10
LABEL_LENGTH_MAX: Final = 40
VALUE_LENGTH_MAX: Final = 140
GRACE_HOURS_MAX: Final = 90 * 24
MINIMUM_AMOUNT_MINOR_MAX: Final = 10**12


LINES: Final = re.compile(
    r"[^\x00-\x09\x0b-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0][^\x00-\x09\x0b-\x1f\x7f-\x9f]*"
)
"""A text of several lines: no control character but the end of a line."""


def terms_problems(
    purchase_order: str | None, memo: str | None, custom_fields: Sequence[CustomField]
) -> Iterator[FieldError]:
    """Yield what is wrong with an order number, a memo of several lines, and custom fields."""
    if purchase_order is not None and not _is_line(purchase_order, PURCHASE_ORDER_LENGTH_MAX):
        yield _length("purchase_order", PURCHASE_ORDER_LENGTH_MAX)
    if memo is not None and not is_text(memo, MEMO_LENGTH_MAX):
        yield _length("memo", MEMO_LENGTH_MAX)
    if len(custom_fields) > CUSTOM_FIELDS_MAX:
        yield FieldError("custom_fields", "too_many", f"may be {CUSTOM_FIELDS_MAX} at most")
    labels: set[str] = set()
    for at, one in enumerate(custom_fields):
        if not _is_line(one.label, LABEL_LENGTH_MAX):
            yield _length(f"custom_fields[{at}].label", LABEL_LENGTH_MAX)
        elif one.label in labels:
            yield FieldError(f"custom_fields[{at}].label", "repeated", "is named before")
        if not _is_line(one.value, VALUE_LENGTH_MAX):
            yield _length(f"custom_fields[{at}].value", VALUE_LENGTH_MAX)
        labels.add(one.label)


def grace_problems(hours: int | None) -> Iterator[FieldError]:
    """Yield what is wrong with how long an invoice stays a draft."""
    if hours is not None and not 0 <= hours <= GRACE_HOURS_MAX:
        yield FieldError("grace_hours", "out_of_range", f"must be from 0 to {GRACE_HOURS_MAX}")


def minimum_problems(minor: int | None) -> Iterator[FieldError]:
    """Yield what is wrong with the least that an invoice asks for."""
    if minor is not None and not 0 <= minor <= MINIMUM_AMOUNT_MINOR_MAX:
        message = f"must be from 0 to {MINIMUM_AMOUNT_MINOR_MAX}"
        yield FieldError("minimum_amount_cents", "out_of_range", message)


def _length(field: str, length_max: int) -> FieldError:
    return FieldError(field, "invalid_length", f"must have 1 to {length_max} printable characters")


def _is_line(text: str, length_max: int) -> bool:
    return bool(text.strip()) and len(text) <= length_max and text.isprintable()


def is_text(text: str, length_max: int) -> bool:
    """Tell whether it is a text of several lines that can be printed."""
    return len(text) <= length_max and LINES.fullmatch(text) is not None
